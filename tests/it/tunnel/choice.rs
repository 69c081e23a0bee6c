//! The upstream chooses among all that both the client and the policy name.

use http::Version;
use hyper::body::Incoming;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower::Layer;
use tower_upgrade::{Policy, UpgradeLayer, WebSocket};

use super::{
    edge::{edge, layer, listen, policy, protocol, serve, tunnel},
    ends::accepting,
    record::Record,
    upstream::{Upstream, switching, switching_with},
};
use crate::{
    http2,
    wire::{ACCEPT, Client, KEY, Request, patiently},
};

/// An observed proxy, and its upstream.
async fn observed(policy: Policy) -> (Client, Upstream, Record) {
    let record = Record::default();
    let upstream = Upstream::new().await;
    let layer = UpgradeLayer::new(policy).observe(record.clone());
    let tunnel = tunnel(upstream.address(), Version::HTTP_11);
    let client = Client::connect(serve(layer, tunnel).await).await;
    (client, upstream, record)
}

fn offer(protocols: &str) -> Request {
    Request::websocket("/").set("Upgrade", protocols)
}

/// What the upstream is offered for this.
async fn offered(policy: Policy, request: &Request) -> Vec<String> {
    let (edge, upstream) = Upstream::behind(policy).await;
    let mut client = Client::connect(edge).await;
    client.send(request.to_bytes()).await;
    let (_peer, asked) = upstream.asked().await;
    asked.lacks("http2-settings");
    let lines = asked.lines("upgrade");
    let connection = if lines.is_empty() {
        &[][..]
    } else {
        &["upgrade"]
    };
    assert_eq!(asked.lines("connection"), connection, "{asked:?}");
    lines.into_iter().map(str::to_owned).collect()
}

/// Whichever the upstream selects, the client is told that one, and so are observers.
#[tokio::test]
async fn any_of_them_may_be_selected() {
    for selected in ["echo/1.0", "echo/2.0", "ECHO/2.0"] {
        let (mut client, upstream, record) = observed(policy()).await;
        client
            .send(offer("echo/1.0, websocket, echo/2.0").to_bytes())
            .await;
        let (mut peer, asked) = upstream.asked().await;
        asked.has("upgrade", "echo/1.0, websocket, echo/2.0");
        peer.send(switching(selected)).await;
        let name = selected.to_lowercase();
        client
            .head()
            .await
            .is(101)
            .has("upgrade", &name)
            .has("connection", "upgrade")
            .lacks("sec-websocket-accept");
        client.send("ping").await;
        peer.0.expect("ping").await;
        drop((client, peer));
        record.closings(1).await;
        assert_eq!(
            record.events(),
            [format!("accepted {name}"), format!("closed {name}")]
        );
    }
}

/// A WebSocket selected among tokens is answered with the value that accepts the client's key.
#[tokio::test]
async fn a_websocket_may_be_selected_among_tokens() {
    for offered in ["echo/1.0, websocket", "websocket, echo/1.0"] {
        let (mut client, upstream, record) = observed(policy()).await;
        client.send(offer(offered).to_bytes()).await;
        let (mut peer, asked) = upstream.asked().await;
        asked.has("upgrade", offered).has("sec-websocket-key", KEY);
        let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
        peer.send(switching_with("WebSocket", &accept)).await;
        client
            .head()
            .await
            .is(101)
            .has("upgrade", "websocket")
            .has("sec-websocket-accept", ACCEPT);
        assert_eq!(record.events(), ["accepted websocket"]);
    }
}

/// A token selected where a WebSocket was preferred leaves nothing of a WebSocket in the answer, though the
/// upstream put it there.
#[tokio::test]
async fn a_token_may_be_selected_though_a_websocket_was_offered() {
    let (mut client, upstream, record) = observed(policy()).await;
    let request = offer("websocket, echo/2.0").set("Sec-WebSocket-Protocol", "chat");
    client.send(request.to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    let fields = format!("Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: chat");
    peer.send(switching_with("echo/2.0", &fields)).await;
    client
        .head()
        .await
        .is(101)
        .has("upgrade", "echo/2.0")
        .lacks("sec-websocket-accept")
        .lacks("sec-websocket-protocol");
    assert_eq!(record.events(), ["accepted echo/2.0"]);
}

/// The order is the client's, or the policy's where that says so.
#[tokio::test]
async fn they_are_offered_in_the_order_that_decides() {
    let request = offer("websocket, echo/2.0, echo/1.0");
    assert_eq!(
        offered(policy(), &request).await,
        ["websocket, echo/2.0, echo/1.0"]
    );
    assert_eq!(
        offered(policy().server_order(), &request).await,
        ["echo/1.0, echo/2.0, websocket"]
    );
}

/// Only what both name is passed on, each once, however the client wrote its list.
#[tokio::test]
async fn only_what_both_name_is_offered() {
    for (list, expected) in [
        ("echo/1.0, tcp, echo/3.0, echo", "echo/1.0"),
        ("h2c, echo/2.0, HTTP/2.0, TLS/1.0", "echo/2.0"),
        (",, echo/2.0 ,\t, Echo/2.0, echo/1.0,", "echo/2.0, echo/1.0"),
        ("WebSocket, ECHO/1.0", "websocket, echo/1.0"),
    ] {
        assert_eq!(offered(policy(), &offer(list)).await, [expected], "{list}");
    }
    let lines = Request::get("/")
        .add("Upgrade", "tcp, echo/2.0")
        .add("Connection", "keep-alive")
        .add("Upgrade", "h2c")
        .add("Upgrade", "echo/1.0")
        .add("Connection", "HTTP2-Settings, upgrade")
        .add("HTTP2-Settings", "AAMAAABkAAQAAP__");
    assert_eq!(offered(policy(), &lines).await, ["echo/2.0, echo/1.0"]);
}

/// `h2c` never gets through, alone or beside others, nor what the policy does not name.
#[tokio::test]
async fn nothing_else_is_offered() {
    for list in ["h2c", "tcp", "h2c, tcp, echo/3.0", "websocket/13"] {
        let request = offer(list)
            .set("Connection", "Upgrade, HTTP2-Settings")
            .add("HTTP2-Settings", "AAMAAABkAAQAAP__");
        assert!(offered(policy(), &request).await.is_empty(), "{list}");
    }
    let settings_alone = Request::get("/").add("HTTP2-Settings", "AAMAAABkAAQAAP__");
    assert!(offered(policy(), &settings_alone).await.is_empty());
    let without_option = offer("echo/1.0").without("Connection");
    assert!(offered(policy(), &without_option).await.is_empty());
    let of_http10 = offer("echo/1.0").version("HTTP/1.0");
    assert!(offered(policy(), &of_http10).await.is_empty());
}

/// An alternative that is malformed in itself is left out, and the others are offered.
#[tokio::test]
async fn a_malformed_alternative_is_not_offered() {
    let sound = offer("echo/1.0, websocket");
    assert_eq!(offered(policy(), &sound).await, ["echo/1.0, websocket"]);
    for malformed in [
        sound.clone().set("Sec-WebSocket-Key", "short"),
        sound.clone().set("Sec-WebSocket-Version", "12"),
        sound.clone().without("Sec-WebSocket-Key"),
        sound.clone().set("Origin", "http://evil.example"),
        sound.clone().set("Sec-WebSocket-Protocol", "a, a"),
        sound.clone().add("Sec-WebSocket-Key", KEY),
    ] {
        assert_eq!(
            offered(policy(), &malformed).await,
            ["echo/1.0"],
            "{malformed:?}"
        );
    }
    let post_only = protocol("tcp").methods([http::Method::POST]);
    let policy = policy().or(post_only);
    assert_eq!(offered(policy, &offer("echo/2.0, tcp")).await, ["echo/2.0"]);
}

/// Of subprotocols, those that the policy names too are offered, in its order, and any of them may be
/// selected.
#[tokio::test]
async fn subprotocols_are_restricted_to_the_policys() {
    for (selected, event) in [
        ("v1", "accepted websocket v1"),
        ("v2", "accepted websocket v2"),
    ] {
        let named = WebSocket::new().subprotocols(["v3", "v2", "v1"]);
        let (mut client, upstream, record) = observed(Policy::offer(named)).await;
        let request = Request::websocket("/")
            .add("Sec-WebSocket-Protocol", "v1, x")
            .add("Sec-WebSocket-Protocol", "v2");
        client.send(request.to_bytes()).await;
        let (mut peer, asked) = upstream.asked().await;
        asked.has("sec-websocket-protocol", "v2, v1");
        let fields =
            format!("Sec-WebSocket-Accept: {ACCEPT}\r\nSec-WebSocket-Protocol: {selected}");
        peer.send(switching_with("websocket", &fields)).await;
        client
            .head()
            .await
            .is(101)
            .has("sec-websocket-protocol", selected);
        assert_eq!(record.events(), [event]);
    }
}

/// Where they have none in common, none is offered.
#[tokio::test]
async fn no_subprotocol_in_common_is_none() {
    let named = WebSocket::new().subprotocols(["v2"]);
    let (edge, upstream) = Upstream::behind(Policy::offer(named)).await;
    let mut client = Client::connect(edge).await;
    let request = Request::websocket("/").set("Sec-WebSocket-Protocol", "v1");
    client.send(request.to_bytes()).await;
    let (_peer, asked) = upstream.asked().await;
    asked
        .lacks("sec-websocket-protocol")
        .has("upgrade", "websocket");
}

/// The upstream's end knows what was selected there, over HTTP/2 what the layer did.
#[tokio::test]
async fn an_upstream_of_http2_is_asked_for_the_selected_one() {
    let (upstream, mut accepted) = accepting().await;
    let edge = edge(upstream, Version::HTTP_2).await;
    for (list, expected) in [
        ("echo/2.0, echo/1.0", "echo/2.0"),
        ("tcp, websocket, echo/1.0", "websocket"),
    ] {
        let mut client = Client::connect(edge).await;
        let head = client.offer(&offer(list)).await;
        head.is(101).has("upgrade", expected);
        let accept = (expected == "websocket").then_some(ACCEPT);
        assert_eq!(head.only("sec-websocket-accept"), accept);
        let io = patiently("the upstream's end", accepted.recv())
            .await
            .unwrap();
        assert_eq!(io.protocol().as_str(), expected);
        assert_eq!(io.version(), Version::HTTP_2);
    }
}

/// A client of HTTP/2 names one, which is the only one that is offered.
#[tokio::test]
async fn a_client_of_http2_names_one() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let io = TcpStream::connect(edge).await.unwrap();
    let client = http2::Client::over(io).await;
    for (named, offered) in [("echo/2.0", "echo/2.0"), ("WebSocket", "websocket")] {
        let client = client.clone();
        let opened = tokio::spawn(async move {
            let request = http2::connect(named, "/").header("sec-websocket-version", "13");
            client.open(request).await
        });
        let (mut peer, asked) = upstream.asked().await;
        asked.has("upgrade", offered);
        assert_eq!(asked.line, "GET / HTTP/1.1");
        let accept = asked.lines("sec-websocket-key");
        let accept = accept.first().map(|key| derive_accept_key(key.as_bytes()));
        let accept = accept.unwrap_or_else(|| "none".to_owned());
        let fields = format!("Sec-WebSocket-Accept: {accept}");
        peer.send(switching_with(offered, &fields)).await;
        let (answer, mut stream) = patiently("the stream", opened).await.unwrap();
        assert!(
            !answer.headers().contains_key("sec-websocket-accept"),
            "{answer:?}"
        );
        stream.write("ping").await;
        peer.0.expect("ping").await;
    }
}

/// A layer in between that writes another `Host` does not take back what was let through.
#[tokio::test]
async fn what_was_let_through_stays() {
    let upstream = Upstream::new().await;
    let other_host = tower::util::MapRequestLayer::new(|mut request: http::Request<Incoming>| {
        let host = http::HeaderValue::from_static("backend.internal");
        request.headers_mut().insert("host", host);
        request
    });
    let service = other_host.layer(tunnel(upstream.address(), Version::HTTP_11));
    let edge = listen(layer().layer(service)).await;
    let mut client = Client::connect(edge).await;
    let offer = Request::websocket("/").set("origin", "http://here.example");
    client
        .send(offer.set("host", "here.example").to_bytes())
        .await;
    let (_, asked) = upstream.asked().await;
    asked
        .has("upgrade", "websocket")
        .has("host", "backend.internal");
}
