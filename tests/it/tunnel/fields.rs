//! What of a request's head reaches the upstream.

mod claims;
mod framing;
mod keys;
mod target;

use http::{HeaderMap, Version};
use tokio::{net::TcpStream, task::JoinHandle};

use super::upstream::{Asked, Peer, Upstream};
use crate::{
    http2,
    wire::{Client, Request, patiently},
};

/// What reaches the upstream of this.
async fn forwarded(request: &Request) -> Asked {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client.send(request.to_bytes()).await;
    let (mut peer, asked) = upstream.asked().await;
    peer.answer("done").await;
    client.head().await.is(200);
    asked
}

/// The same of a request over HTTP/2.
async fn forwarded_http2(request: http::request::Builder) -> Asked {
    let (edge, upstream) = Upstream::behind_edge().await;
    let (answer, mut peer, asked) = ask_http2(edge, &upstream, request).await;
    peer.answer("done").await;
    patiently("an answer", answer).await.unwrap();
    asked
}

async fn ask_http2(
    edge: std::net::SocketAddr,
    upstream: &Upstream,
    request: http::request::Builder,
) -> (JoinHandle<http2::Answer>, Peer, Asked) {
    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    let answer = tokio::spawn(async move { client.send(request).await });
    let (peer, asked) = upstream.asked().await;
    (answer, peer, asked)
}

/// What a client without a field of its own is forwarded as.
#[tokio::test]
async fn nothing_is_added_unasked() {
    let asked = forwarded(&Request::get("/a")).await;
    assert_eq!(asked.line, "GET /a HTTP/1.1");
    assert_eq!(asked.names(), ["host"]);
    asked.has("host", "a.example");
}

#[tokio::test]
async fn fields_of_the_hop_are_taken_off() {
    let request = Request::get("/")
        .add("X-One", "1")
        .add("Connection", "keep-alive, X-One")
        .add("X-Two", "2")
        .add("Connection", "X-TWO , ,x-absent")
        .add("X-One", "again")
        .add("X-Three", "3")
        .add("Keep-Alive", "timeout=5")
        .add("Proxy-Authorization", "Basic x")
        .add("Proxy-Connection", "keep-alive")
        .add("TE", "gzip")
        .add("Upgrade", "h2c")
        .add("HTTP2-Settings", "AAMAAABkAAQAAP__");
    let asked = forwarded(&request).await;
    assert_eq!(asked.names(), ["host", "x-three"]);
}

/// Nobody can name away what says where a message goes, nor how long it is.
#[tokio::test]
async fn host_and_framing_cannot_be_named_away() {
    let request = Request::get("/")
        .method("POST")
        .add("Connection", "host, content-length")
        .content("hello");
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client.send(request.to_bytes()).await;
    let (mut peer, asked) = upstream.asked().await;
    asked.has("host", "a.example").lacks("connection");
    let framed = [
        asked.lines("content-length"),
        asked.lines("transfer-encoding"),
    ]
    .concat();
    assert!(framed == ["5"] || framed == ["chunked"], "{asked:?}");
    let content: &[u8] = if framed == ["5"] {
        b"hello"
    } else {
        b"5\r\nhello\r\n0\r\n\r\n"
    };
    peer.0.expect(content).await;
    peer.answer("done").await;
    client.head().await.is(200);
}

/// An offer's own fields cannot be named away from under what verifies the answer.
#[tokio::test]
async fn an_offer_stays_whole() {
    let request = Request::websocket("/").set("Connection", "upgrade, Sec-WebSocket-Key");
    let asked = forwarded(&request).await;
    asked
        .has("connection", "upgrade")
        .has("upgrade", "websocket")
        .has("sec-websocket-key", crate::wire::KEY);
}

#[tokio::test]
async fn fields_of_the_message_are_kept() {
    let request = Request::get("/")
        .add("Accept", "text/html")
        .add("Cookie", "a=1; b=2")
        .add("Authorization", "Bearer x")
        .add("X-Twice", "1")
        .add("X-Twice", "2")
        .add("Trailer", "x-sum");
    let asked = forwarded(&request).await;
    asked
        .has("accept", "text/html")
        .has("cookie", "a=1; b=2")
        .has("authorization", "Bearer x")
        .has("trailer", "x-sum");
    assert_eq!(asked.lines("x-twice"), ["1", "2"]);
}

/// A client that takes trailers says so to its hop, and means the way to the end.
#[tokio::test]
async fn trailers_are_taken_all_the_way() {
    let request = Request::get("/")
        .add("TE", "gzip;q=0.5, Trailers")
        .add("Connection", "te");
    forwarded(&request)
        .await
        .has("te", "trailers")
        .has("connection", "te");
    let offer = Request::upgrade("/", "echo/1.0").add("TE", "trailers");
    let asked = forwarded(&offer).await;
    asked.has("te", "trailers").has("upgrade", "echo/1.0");
    let connection = asked.only("connection").split(", ").collect::<Vec<_>>();
    assert_eq!(connection, ["upgrade", "te"]);
    forwarded(&Request::get("/").add("TE", "gzip"))
        .await
        .lacks("te")
        .lacks("connection");
    let over_http2 = http2::get("/").header("te", "trailers");
    forwarded_http2(over_http2).await.has("te", "trailers");
}

/// HTTP/2 may have a line for each cookie, HTTP/1.1 has one (RFC 9113 8.2.3).
#[tokio::test]
async fn cookies_of_http2_are_joined() {
    let request = http2::get("/")
        .header("cookie", "a=1")
        .header("cookie", "b=2")
        .header("cookie", "c=3");
    let asked = forwarded_http2(request).await;
    asked
        .has("cookie", "a=1; b=2; c=3")
        .has("host", http2::AUTHORITY);
    assert_eq!(asked.names(), ["cookie", "host"]);
}

/// Over HTTP/2 an upstream is sent none of what that version forbids.
#[tokio::test]
async fn an_upstream_of_http2_gets_no_field_of_the_hop() {
    let (upstream, seen) = seeing().await;
    let edge = super::edge::edge(upstream, Version::HTTP_2).await;
    let mut client = Client::connect(edge).await;
    let request = Request::get("/a?b")
        .add("Connection", "keep-alive, x-hop, te")
        .add("X-Hop", "1")
        .add("TE", "trailers")
        .add("Keep-Alive", "timeout=5")
        .add("X-Own", "1");
    client.ask(&request).await.head.is(200);
    let (target, headers) = seen.lock().unwrap().pop().unwrap();
    assert_eq!(target, format!("http://{upstream}/a?b"));
    let mut names: Vec<_> = headers.keys().map(|name| name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["te", "x-own"]);
}

type Seen = std::sync::Arc<std::sync::Mutex<Vec<(String, HeaderMap)>>>;

/// An upstream of either version that tells what it saw.
async fn seeing() -> (std::net::SocketAddr, Seen) {
    let seen = Seen::default();
    let told = seen.clone();
    let service = tower::service_fn(move |request: http::Request<hyper::body::Incoming>| {
        let (head, _) = request.into_parts();
        let saw = (head.uri.to_string(), head.headers);
        told.lock().unwrap().push(saw);
        let answer = http::Response::new(http_body_util::Full::<bytes::Bytes>::default());
        std::future::ready(Ok::<_, std::convert::Infallible>(answer))
    });
    (super::edge::listen(service).await, seen)
}

/// Rule 2 of what is forwarded: `Proxy-*` is taken off. This one is of the hop (RFC 9110 11.7.3).
#[tokio::test]
async fn proxy_authentication_info_is_taken_off() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client.send(Request::get("/").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.send("HTTP/1.1 200 OK\r\nProxy-Authentication-Info: x=1\r\nContent-Length: 0\r\n\r\n")
        .await;
    client
        .head()
        .await
        .is(200)
        .lacks("proxy-authentication-info");
}
