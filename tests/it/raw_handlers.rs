//! `hand_over_raw`: the layer in front of axum's own extractor. Other engines are in `engines`.

use axum::{
    Router,
    extract::{WebSocketUpgrade, ws},
    response::Response,
    routing::any,
};
use http::{HeaderMap, Method, StatusCode};
use tower_upgrade::{OnUpgrade, Policy, Protocol, UpgradeLayer, WebSocket};

use crate::{
    http2::{self, connect},
    rust_client::echoes_messages,
    server::serve,
    wire::{ACCEPT, Client, Request},
};

fn raw() -> Policy {
    Policy::require(WebSocket::new()).hand_over_raw()
}

fn versions() -> Policy {
    Policy::require(WebSocket::new().subprotocols(["v2", "v1"])).hand_over_raw()
}

/// An app with one route, whose handler the layer stands in front of.
fn app(policy: Policy, handler: axum::routing::MethodRouter) -> Router {
    Router::new().route("/", handler.layer(UpgradeLayer::new(policy)))
}

async fn echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(echo_messages)
}

/// Prefers them in another order than the policy, and tells the client which one it took.
async fn echo_versions(upgrade: WebSocketUpgrade) -> Response {
    upgrade.protocols(["v1", "v2"]).on_upgrade(tell_version)
}

async fn tell_version(mut socket: ws::WebSocket) {
    let version = socket.protocol().and_then(|v| v.to_str().ok());
    let version = version.unwrap_or("none").to_owned();
    drop(socket.send(version.into()).await);
}

pub(crate) async fn echo_messages(mut socket: ws::WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let is_data = matches!(message, ws::Message::Text(_) | ws::Message::Binary(_));
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// Sends a frame, masked with zeros, and reads it back.
async fn echoes_a_frame(client: &mut Client) {
    client.send(b"\x81\x85\0\0\0\0hello").await;
    client.expect(b"\x81\x05hello").await;
}

/// An offer as nobody would write it and every server must read it.
fn messy() -> Request {
    Request::websocket("/")
        .set("Connection", "keep-alive, ")
        .add("connection", " ,TE , UPGRADE")
        .set("Upgrade", "h2c,, foo/1")
        .add("upgrade", "WebSocket, bar")
}

#[tokio::test]
async fn axum_gets_one_clean_offer_whatever_the_client_wrote() {
    // Lists over several lines, empty members and odd case reach axum as one clean offer.
    let mut client = Client::over(serve(app(raw(), any(echo))));
    let head = client.offer(&messy()).await;
    head.is(101)
        .has("connection", "upgrade")
        .has("upgrade", "websocket")
        .has("sec-websocket-accept", ACCEPT);
    echoes_a_frame(&mut client).await;
}

#[tokio::test]
async fn axum_alone_refuses_that_offer() {
    // The twin: it is the layer that makes the difference.
    let alone = Router::new().route("/", any(echo));
    let mut client = Client::over(serve(alone));
    client.offer(&messy()).await.is(400);
}

#[tokio::test]
async fn a_handler_sees_the_offer_as_the_policy_reads_it() {
    // `Connection: upgrade`, `Upgrade` and the subprotocol with what was selected alone.
    let seen = any(async |upgrade: Option<OnUpgrade>, headers: HeaderMap| {
        assert!(upgrade.is_none(), "the handle is the server's own");
        let all = |name| -> Vec<_> {
            let lines = headers.get_all(name).iter();
            lines.map(|line| line.to_str().unwrap()).collect()
        };
        let names = ["connection", "upgrade", "sec-websocket-protocol"];
        format!("{:?}", names.map(all))
    });
    let several = Policy::require(WebSocket::new().subprotocols(["v2", "v1"]))
        .or(Protocol::new("echo/1.0").unwrap());
    let mut client = Client::over(serve(app(several.hand_over_raw(), seen)));
    let offer = messy().set("Sec-WebSocket-Protocol", "v1, v3");
    let offer = offer.add("Sec-WebSocket-Protocol", "v2");
    let answer = client.ask(&offer).await;
    answer.head.is(200);
    assert_eq!(answer.content, r#"[["upgrade"], ["websocket"], ["v2"]]"#);

    let offer = offer
        .set("Upgrade", "Echo/1.0")
        .set("Sec-WebSocket-Protocol", "x");
    let answer = client.ask(&offer).await;
    assert_eq!(answer.content, r#"[["upgrade"], ["echo/1.0"], ["x"]]"#);
}

#[tokio::test]
async fn subprotocols_of_the_policy_and_of_axum_agree() {
    // The policy selects, and axum is shown that one alone, so both name the same.
    let mut client = Client::over(serve(app(versions(), any(echo_versions))));
    let offer = Request::websocket("/").set("Sec-WebSocket-Protocol", "v1, v2");
    let head = client.offer(&offer).await;
    head.is(101).has("sec-websocket-protocol", "v2");
    client.expect(b"\x81\x02v2").await;

    let mut client = Client::over(serve(app(versions(), any(echo_versions))));
    let offer = Request::websocket("/").set("Sec-WebSocket-Protocol", "v3");
    client
        .offer(&offer)
        .await
        .is(101)
        .lacks("sec-websocket-protocol");
    client.expect(b"\x81\x04none").await;
}

#[tokio::test]
async fn the_policys_subprotocol_is_sent_also_if_the_handler_names_none() {
    // The policy has the last word where it names subprotocols.
    let mut client = Client::over(serve(app(versions(), any(echo))));
    let offer = Request::websocket("/").set("Sec-WebSocket-Protocol", "v1");
    let head = client.offer(&offer).await;
    head.is(101).has("sec-websocket-protocol", "v1");
    echoes_a_frame(&mut client).await;
}

#[tokio::test]
async fn a_handler_chooses_by_itself_where_the_policy_names_none() {
    // Where the policy names none, the handler's choice is sent.
    let mut client = Client::over(serve(app(raw(), any(echo_versions))));
    let offer = Request::websocket("/").set("Sec-WebSocket-Protocol", "v2, v1");
    let head = client.offer(&offer).await;
    head.is(101).has("sec-websocket-protocol", "v1");
    client.expect(b"\x81\x02v1").await;
}

#[tokio::test]
async fn the_layer_refuses_what_axum_would_let_through() {
    // Key, origin, `Connection` and content are checked; axum alone answers 101 to all of these.
    let cases = [
        (
            Request::websocket("/").set("Sec-WebSocket-Key", "short"),
            400,
        ),
        (
            Request::websocket("/").set("Origin", "http://evil.example"),
            403,
        ),
        (Request::websocket("/").set("Connection", "xupgradey"), 426),
        (Request::websocket("/").content("body"), 400),
    ];
    for (offer, status) in cases {
        let alone = Router::new().route("/", any(echo));
        Client::over(serve(alone)).offer(&offer).await.is(101);
        let mut client = Client::over(serve(app(raw(), any(echo))));
        client.offer(&offer).await.is(status);
    }
}

#[tokio::test]
async fn a_wrong_version_is_told_the_right_one() {
    // Rule 9: 426 with `Sec-WebSocket-Version: 13`, where axum says 400 and nothing.
    let mut client = Client::over(serve(app(raw(), any(echo))));
    let offer = Request::websocket("/").set("Sec-WebSocket-Version", "8");
    let answer = client.ask(&offer).await;
    answer
        .head
        .is(426)
        .has("sec-websocket-version", "13")
        .has("upgrade", "websocket");
}

#[tokio::test]
async fn content_is_refused_also_where_the_protocol_allows_it() {
    // Such a handler cannot prove that it read it.
    let echo = || Protocol::new("echo/1.0").unwrap().content_limit(64);
    let never = any(async || StatusCode::NO_CONTENT);
    let offer = Request::upgrade("/", "echo/1.0")
        .method("POST")
        .content("body");
    let policy = Policy::require(echo()).hand_over_raw();
    let mut client = Client::over(serve(app(policy, never.clone())));
    client.offer(&offer).await.is(400);
    let mut client = Client::over(serve(app(Policy::require(echo()), never)));
    client.offer(&offer).await.is(204);
}

#[tokio::test]
async fn what_the_handler_answers_instead_is_sent() {
    // A handler may decline, over both versions of HTTP.
    let no = any(async |_: WebSocketUpgrade| (StatusCode::CONFLICT, "full"));
    let mut client = Client::over(serve(app(raw(), no.clone())));
    let answer = client.ask(&Request::websocket("/")).await;
    answer.head.is(409);
    assert_eq!(answer.content, "full");
    let client = http2::Client::of(app(raw(), no)).await;
    assert_eq!(client.send(http2::websocket("/")).await.body(), "full");
}

#[tokio::test]
async fn a_101_for_another_protocol_is_answered_500() {
    // Rule 16 goes for raw handlers too.
    let other = any(async || {
        let response = Response::builder().status(101).header("upgrade", "other");
        response.body(axum::body::Body::empty()).unwrap()
    });
    let mut client = Client::over(serve(app(raw(), other)));
    client.offer(&Request::websocket("/")).await.is(500);
}

#[tokio::test]
async fn axum_speaks_over_http2_in_whatever_case_the_client_writes() {
    // Rule 4, for a handler that compares with case.
    let client = http2::Client::of(app(versions(), any(echo))).await;
    for protocol in ["websocket", "WebSocket", "WEBSOCKET"] {
        let offer = connect(protocol, "/")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-protocol", "v1, v2");
        let (answer, stream) = client.open(offer).await;
        assert_eq!(answer.headers()["sec-websocket-protocol"], "v2");
        echoes_messages(stream.0).await;
    }
}

#[tokio::test]
async fn axum_alone_compares_protocol_with_case() {
    // The twin of the one above.
    let client = http2::Client::of(Router::new().route("/", any(echo))).await;
    let offer = connect("WebSocket", "/").header("sec-websocket-version", "13");
    assert_eq!(client.send(offer).await.status(), 400);
    client.open(http2::websocket("/")).await;
}

#[tokio::test]
async fn over_http2_the_layer_refuses_as_ever() {
    // Refusals over HTTP/2 are the layer's, whoever has the handle.
    let client = http2::Client::of(app(raw(), any(echo))).await;
    let foreign = http2::websocket("/").header("origin", "http://evil.example");
    assert_eq!(client.send(foreign).await.status(), 403);
    assert_eq!(client.send(connect("other", "/")).await.status(), 501);
    let plain = client.send(http2::request(Method::GET, "/")).await;
    assert_eq!(plain.headers()["allow"], "CONNECT");
}
