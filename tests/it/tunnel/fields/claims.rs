//! What the upstream is told of the client, and of the proxies on the way.

use std::net::IpAddr;

use http::Version;
use tokio::net::TcpStream;
use tower_upgrade::{Head, tunnel::Forwarded};

use super::ask_http2;
use crate::{
    http2,
    tunnel::{
        edge::{Edge, layer, serve, tunnel},
        upstream::{Asked, Upstream, switching},
    },
    wire::{Client, Request, patiently},
};

/// What a tunnel that was set up like this forwards of the request.
async fn told(request: &Request, set_up: impl FnOnce(Edge) -> Edge) -> Asked {
    let upstream = Upstream::new().await;
    let tunnel = set_up(tunnel(upstream.address(), Version::HTTP_11));
    let mut client = Client::connect(serve(layer(), tunnel).await).await;
    client.send(request.to_bytes()).await;
    let (mut peer, asked) = upstream.asked().await;
    peer.answer("done").await;
    client.head().await.is(200);
    asked
}

fn address(_: &Head<'_>) -> Option<IpAddr> {
    Some(IpAddr::from([192, 0, 2, 7]))
}

/// A client that lies about itself, in every field that is in use.
fn claiming(offer: bool) -> Request {
    let request = if offer {
        Request::upgrade("/", "echo/1.0")
    } else {
        Request::get("/")
    };
    CLAIMS.iter().fold(request, |request, name| {
        request.add(name, "6.6.6.6").add(name, "7.7.7.7")
    })
}

const CLAIMS: [&str; 8] = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Proto",
    "X-Forwarded-Server",
    "X-Real-IP",
];

/// Of a tunnel by itself the upstream is told nothing, whatever the client says.
#[tokio::test]
async fn a_clients_claims_are_taken_off() {
    for offer in [false, true] {
        for asked in [
            told(&claiming(offer), |tunnel| tunnel).await,
            told(&claiming(offer), |tunnel| {
                tunnel.forwarded(Forwarded::strip())
            })
            .await,
        ] {
            for name in CLAIMS {
                asked.lacks(&name.to_lowercase());
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_in_front_may_be_believed() {
    let asked = told(&claiming(false), |tunnel| {
        tunnel.forwarded(Forwarded::pass())
    })
    .await;
    for name in CLAIMS {
        assert_eq!(asked.lines(&name.to_lowercase()), ["6.6.6.6", "7.7.7.7"]);
    }
}

#[tokio::test]
async fn the_usual_fields_tell_of_the_client() {
    for offer in [false, true] {
        let forwarded = Forwarded::x_forwarded(address).is_tls(|_| true);
        let asked = told(&claiming(offer), |tunnel| tunnel.forwarded(forwarded)).await;
        asked
            .has("x-forwarded-for", "192.0.2.7")
            .has("x-forwarded-host", "a.example")
            .has("x-forwarded-proto", "https")
            .lacks("x-real-ip")
            .lacks("forwarded");
    }
    // Where the scheme is not known it is not told, and neither is the address.
    let forwarded = Forwarded::x_forwarded(|_| None);
    told(&claiming(false), |tunnel| tunnel.forwarded(forwarded))
        .await
        .lacks("x-forwarded-for")
        .lacks("x-forwarded-proto");
}

#[tokio::test]
async fn the_standard_field_tells_of_the_client() {
    let request = claiming(false).set("Host", "a.example:81");
    let forwarded = Forwarded::rfc7239(address).is_tls(|_| false);
    let asked = told(&request, |tunnel| tunnel.forwarded(forwarded)).await;
    asked
        .has(
            "forwarded",
            r#"for=192.0.2.7;host="a.example:81";proto=http"#,
        )
        .lacks("x-forwarded-for");
    // An absolute target overrules what `Host` says here too.
    let absolute = Request::get("http://b.example/").set("Host", "a.example");
    let forwarded = Forwarded::rfc7239(address);
    told(&absolute, |tunnel| tunnel.forwarded(forwarded))
        .await
        .has("forwarded", "for=192.0.2.7;host=b.example");
}

#[tokio::test]
async fn proxies_of_ones_own_append() {
    let request = Request::get("/")
        .add("X-Forwarded-For", "192.0.2.1")
        .add("X-Forwarded-Host", "first.example")
        .add("Forwarded", "for=192.0.2.1");
    let forwarded = || Forwarded::x_forwarded(address).append();
    let asked = told(&request, |tunnel| tunnel.forwarded(forwarded())).await;
    assert_eq!(asked.lines("x-forwarded-for"), ["192.0.2.1", "192.0.2.7"]);
    asked.has("x-forwarded-host", "first.example");
    let standard = || Forwarded::rfc7239(address).append();
    let asked = told(&request, |tunnel| tunnel.forwarded(standard())).await;
    let expected = ["for=192.0.2.1", "for=192.0.2.7;host=a.example"];
    assert_eq!(asked.lines("forwarded"), expected);
}

/// What `Connection` names goes before the proxy writes, so that it cannot take off what is told.
#[tokio::test]
async fn what_is_told_cannot_be_named_away() {
    let request = Request::get("/").add("Connection", "X-Forwarded-For, Forwarded, Via");
    let forwarded = Forwarded::x_forwarded(address);
    told(&request, |tunnel| tunnel.forwarded(forwarded).via("edge"))
        .await
        .has("x-forwarded-for", "192.0.2.7")
        .has("via", "1.1 edge");
}

/// `Via` tells the version a message was received in, in either direction (RFC 9110 7.6.3).
#[tokio::test]
async fn via_is_added_both_ways() {
    let upstream = Upstream::new().await;
    let tunnel = tunnel(upstream.address(), Version::HTTP_11).via("edge:80");
    let edge = serve(layer(), tunnel).await;
    let answers = [("HTTP/1.0", "1.0 edge:80"), ("HTTP/1.1", "1.1 edge:80")];
    for (version, via) in answers {
        let mut client = Client::connect(edge).await;
        let request = Request::get("/").version(version).add("Via", "1.1 first");
        client.send(request.to_bytes()).await;
        let (mut peer, asked) = upstream.asked().await;
        assert_eq!(asked.lines("via"), ["1.1 first", via]);
        let answer = format!("{version} 200 OK\r\nVia: 1.1 last\r\nConnection: close\r\n\r\n");
        peer.send(answer).await;
        peer.0.finish().await;
        assert_eq!(client.head().await.lines("via"), ["1.1 last", via]);
    }
    let (answer, mut peer, asked) = ask_http2(edge, &upstream, http2::get("/")).await;
    asked.has("via", "2 edge:80");
    peer.answer("done").await;
    let answer = patiently("an answer", answer).await.unwrap();
    assert_eq!(answer.headers()["via"], "1.1 edge:80");
}

/// It is on a 101 too, and on an extended CONNECT's 200.
#[tokio::test]
async fn via_is_added_to_an_acceptance() {
    let upstream = Upstream::new().await;
    let tunnel = tunnel(upstream.address(), Version::HTTP_11).via("edge");
    let edge = serve(layer(), tunnel).await;
    let mut client = Client::connect(edge).await;
    client
        .send(Request::upgrade("/", "echo/1.0").to_bytes())
        .await;
    let (mut peer, asked) = upstream.asked().await;
    asked.has("via", "1.1 edge");
    peer.send(switching("echo/1.0")).await;
    client.head().await.is(101).has("via", "1.1 edge");

    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    let opened = tokio::spawn(async move { client.open(http2::connect("echo/1.0", "/")).await });
    let (mut peer, asked) = upstream.asked().await;
    asked.has("via", "2 edge");
    peer.send(switching("echo/1.0")).await;
    let (answer, _stream) = patiently("the stream", opened).await.unwrap();
    assert_eq!(answer.headers()["via"], "1.1 edge");
}

/// Nothing that would break the field can be a name.
#[test]
fn a_name_for_via_is_a_host_or_a_token() {
    let set = |name: &'static str| {
        std::panic::catch_unwind(|| {
            let client = tower::service_fn(|(): ()| std::future::ready(Ok::<_, ()>(())));
            let upstream = http::Uri::from_static("http://127.0.0.1:1");
            drop(tower_upgrade::tunnel::Tunnel::new(client, upstream).via(name));
        })
    };
    for name in ["edge", "edge:80", "127.0.0.1", "[::1]:80", "a_b~c"] {
        assert!(set(name).is_ok(), "{name:?}");
    }
    for name in ["", "a b", "a,b", "a(b)", "a\r\nb", "\u{e9}", "a\t"] {
        assert!(set(name).is_err(), "{name:?}");
    }
}
