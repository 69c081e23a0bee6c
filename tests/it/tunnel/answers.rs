//! Any other answer to an offer is passed back, and the client's connection stays HTTP.

use http::{Response, StatusCode, Version};
use http_body_util::Full;
use tokio::net::TcpStream;
use tower::service_fn;
use tower_upgrade::tunnel::RequestBody;

use super::{
    edge::{edge, listen},
    memory,
    upstream::Upstream,
};
use crate::{
    http2,
    wire::{self, Client, Request, patiently},
};

/// The client offers, the upstream answers, and then both exchange one ordinary request more.
async fn answered(answer: &str) -> wire::Response {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    let offer = Request::websocket("/").set("Upgrade", "websocket, echo/1.0");
    client.send(offer.to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.send(answer).await;
    let response = client.response().await;
    client.send(Request::get("/next").to_bytes()).await;
    let mut peer = if answer.contains("close") {
        upstream.accept().await
    } else {
        peer
    };
    assert_eq!(peer.asked().await.line, "GET /next HTTP/1.1");
    peer.answer("next").await;
    assert_eq!(client.response().await.content, "next");
    response
}

#[tokio::test]
async fn an_answer_comes_back_with_its_fields_and_content() {
    let answer = answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Own: 1\r\n\r\nplain").await;
    answer.head.is(200).has("x-own", "1").lacks("upgrade");
    assert_eq!(answer.content, "plain");

    let forbidden = "HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\
                     Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\nno!\n";
    let answer = answered(forbidden).await;
    answer.head.is(403);
    assert_eq!(answer.head.lines("set-cookie"), ["a=1", "b=2"]);
    assert_eq!(answer.content, "no!\n");

    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    answered(busy).await.head.is(503).has("retry-after", "7");

    for status in [301, 302, 307, 308] {
        let location = "https://elsewhere.example/a?b#c";
        let moved =
            format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        answered(&moved)
            .await
            .head
            .is(status)
            .has("location", location);
    }

    let challenge = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"a\"\r\n\
                     Content-Length: 0\r\n\r\n";
    let answer = answered(challenge).await;
    answer
        .head
        .is(401)
        .has("www-authenticate", "Basic realm=\"a\"");
}

/// What comes right behind an offer is a next request where the offer was not accepted.
#[tokio::test]
async fn bytes_behind_a_declined_offer_are_http() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    let mut both = Request::upgrade("/", "echo/1.0").to_bytes();
    both.extend(Request::get("/next").to_bytes());
    client.send(both).await;
    let (mut peer, _) = upstream.asked().await;
    assert!(peer.0.has_nothing_to_read());
    peer.answer("declined").await;
    assert_eq!(client.response().await.content, "declined");
    assert_eq!(peer.asked().await.line, "GET /next HTTP/1.1");
    peer.answer("next").await;
    assert_eq!(client.response().await.content, "next");
}

/// A status nobody knows is passed like any other.
#[tokio::test]
async fn so_does_one_with_an_unknown_status() {
    let answer = answered("HTTP/1.1 599 Huh\r\nContent-Length: 0\r\n\r\n").await;
    answer.head.is(599);
}

/// Interim answers are not taken for the final one.
#[tokio::test]
async fn interim_answers_are_passed_over() {
    let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n\
                  HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain";
    let answer = answered(answer).await;
    answer.head.is(200).lacks("link");
    assert_eq!(answer.content, "plain");
}

#[tokio::test]
async fn a_426_keeps_what_it_requires_but_for_h2c() {
    let required = |upgrade: &str| {
        format!(
            "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, X-Hop\r\nX-Hop: 1\r\n\
             Upgrade: {upgrade}\r\nSec-WebSocket-Version: 13\r\nContent-Length: 0\r\n\r\n"
        )
    };
    let answer = answered(&required("h2c, websocket\r\nUpgrade: H2C, tcp")).await;
    answer
        .head
        .is(426)
        .has("upgrade", "websocket, tcp")
        .has("connection", "upgrade")
        .has("sec-websocket-version", "13")
        .lacks("x-hop");
    let answer = answered(&required("h2c")).await;
    answer.head.is(426).lacks("upgrade").lacks("connection");
    // No other status does.
    let other = required("websocket").replace("426 Upgrade Required", "400 Bad Request");
    let answer = answered(&other).await;
    answer.head.is(400).lacks("upgrade").lacks("connection");
}

/// HTTP/2 has no place for it (RFC 9113 8.2.2).
#[tokio::test]
async fn a_426_to_http2_does_not() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    for request in [http2::get("/"), http2::websocket("/")] {
        let client = client.clone();
        let answer = tokio::spawn(async move { client.send(request).await });
        let (mut peer, _) = upstream.asked().await;
        let answered = "HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade, close\r\n\
                        Upgrade: websocket\r\nContent-Length: 3\r\n\r\nwhy";
        peer.send(answered).await;
        let answer = patiently("an answer", answer).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED);
        assert!(!answer.headers().contains_key("upgrade"), "{answer:?}");
        assert!(!answer.headers().contains_key("connection"), "{answer:?}");
        assert_eq!(answer.body(), "why");
    }
}

/// It is the tunnel that leaves it out, and not the server it is served by.
#[tokio::test]
async fn a_426_names_what_it_requires_by_the_clients_version() {
    for (version, expected) in [
        (Version::HTTP_11, Some("websocket")),
        (Version::HTTP_10, None),
        (Version::HTTP_2, None),
        (Version::HTTP_3, None),
    ] {
        let client = service_fn(|_: http::Request<RequestBody<memory::Body>>| {
            let required = Response::builder()
                .status(426)
                .header("upgrade", "websocket");
            let required = required.header("connection", "upgrade");
            std::future::ready(required.body(memory::Body::default()))
        });
        let request = http::Request::get("http://a.example/").version(version);
        let request = request.header("host", "a.example");
        let answer: memory::Answer = memory::send(memory::tunnel(client), request).await;
        assert_eq!(answer.status(), 426);
        assert_eq!(answer.version(), version);
        let upgrade = answer.headers().get("upgrade");
        assert_eq!(
            upgrade.map(|u| u.to_str().unwrap()),
            expected,
            "{version:?}"
        );
        assert_eq!(
            answer.headers().contains_key("connection"),
            expected.is_some()
        );
    }
}

/// Whatever `Connection` names ends with the hop, in whichever line, and the known ones unnamed.
#[tokio::test]
async fn fields_of_the_hop_are_taken_off() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close, X-One\r\n\
                  X-One: 1\r\nX-Three: 3\r\nConnection: x-two\r\nX-Two: 2\r\nX-ONE: 1\r\n\
                  Keep-Alive: timeout=5\r\nProxy-Authenticate: Basic\r\nUpgrade: h2,h2c\r\n\
                  Proxy-Connection: close\r\nHTTP2-Settings: x\r\n\r\n";
    let answer = answered(answer).await;
    let mut names = answer.head.names();
    names.sort_unstable();
    assert_eq!(names, ["content-length", "x-three"]);
}

/// An HTTP/1.1 upstream that answers 200 switched nothing, which to a CONNECT 200 would say (rule 17).
#[tokio::test]
async fn a_200_opens_no_tunnel_for_an_extended_connect() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    for (answered, expected) in [("200 OK", 501), ("204 No Content", 501), ("403 No", 403)] {
        let client = client.clone();
        let asking = async move { client.send(http2::websocket("/")).await };
        let answer = tokio::spawn(asking);
        let (mut peer, _) = upstream.asked().await;
        peer.send(format!("HTTP/1.1 {answered}\r\nConnection: close\r\n\r\n"))
            .await;
        peer.0.finish().await;
        let answer = patiently("an answer", answer).await.unwrap();
        assert_eq!(answer.status(), expected);
        peer.0.expect_end().await;
    }
}

/// The same of an HTTP/2 upstream that refuses: the client of either version is told what it said.
#[tokio::test]
async fn an_upstream_of_http2_may_refuse() {
    let refusing = service_fn(|_: http::Request<hyper::body::Incoming>| {
        let refused = Response::builder().status(403).header("x-own", "1");
        let refused = refused.body(Full::new(bytes::Bytes::from("no")));
        std::future::ready(refused)
    });
    let edge = edge(listen(refusing).await, Version::HTTP_2).await;
    let mut client = Client::connect(edge).await;
    for _ in 0..2 {
        let answer = client.ask(&Request::websocket("/")).await;
        answer.head.is(403).has("x-own", "1").lacks("upgrade");
        assert_eq!(answer.content, "no");
    }
    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    let answer = client.send(http2::websocket("/")).await;
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_str()),
        (403, "no")
    );
}
