//! HTTP/2 on one side or on both.

use futures_util::{SinkExt, StreamExt};
use http::StatusCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Message, protocol::Role};

use super::fronts::{
    APACHE_H2, APACHE_H2C, CADDY_H2C, CADDY_TLS, HAPROXY_H2, HAPROXY_TLS, NGINX_TLS,
};
use super::http2_client::{Client, Stream, tls};
use crate::it::wire;
use crate::process::within;
use crate::proxy::Proxy;

/// A WebSocket over a client's HTTP/2 arrives, over HTTP/1.1 or HTTP/2.
#[tokio::test]
#[ignore = "needs HAProxy and Apache: .ci/install"]
async fn websockets_come_over_http2() {
    for front in [HAPROXY_TLS, HAPROXY_H2, APACHE_H2] {
        let (proxy, _server) = front.gallery().await;
        let client = Client::connect(&proxy).await;
        for path in ["/ws", "/either", "/multi", "/axum"] {
            let (status, stream) = client.open("websocket", path).await;
            assert_eq!(status, StatusCode::OK, "{}: {path}", front.name);
            echoes(stream.expect("a stream")).await;
        }
    }
}

/// So does a protocol of one's own through HAProxy. Apache answers 501 by itself.
#[tokio::test]
#[ignore = "needs HAProxy and Apache: .ci/install"]
async fn protocols_of_ones_own_come_over_http2() {
    for front in [HAPROXY_TLS, HAPROXY_H2] {
        let (proxy, _server) = front.gallery().await;
        let client = Client::connect(&proxy).await;
        let (status, stream) = client.open("echo/2.0", "/multi").await;
        assert_eq!(status, StatusCode::OK, "{}", front.name);
        let mut stream = stream.expect("a stream");
        stream.write_all(b"Hello").await.expect("room to send");
        let mut echo = [0; 5];
        let read = within(30, "the echo", stream.read_exact(&mut echo)).await;
        read.expect("the echo");
        assert_eq!(&echo, b"HELLO", "{}", front.name);
    }
    let (proxy, _server) = APACHE_H2.gallery().await;
    let client = Client::connect(&proxy).await;
    for protocol in ["echo/2.0", "WebSocket"] {
        let (status, _) = client.open(protocol, "/multi").await;
        assert_eq!(status, StatusCode::NOT_IMPLEMENTED, "{protocol}");
    }
}

/// Refused over HTTP/2, a client sees the status that the server's side of the proxy has for it.
#[tokio::test]
#[ignore = "needs HAProxy and Apache: .ci/install"]
async fn refusals_come_over_http2() {
    for (front, connect, get) in [
        (HAPROXY_TLS, 426, 426),
        (APACHE_H2, 426, 426),
        (HAPROXY_H2, 501, 405),
    ] {
        let (proxy, _server) = front.gallery().await;
        let client = Client::connect(&proxy).await;
        let (status, _) = client.open("websocket", "/exec").await;
        assert_eq!(status, connect, "{}", front.name);
        let answer = client.get("/exec").await.expect("an answer");
        assert_eq!(answer.status(), get, "{}", front.name);
        assert!(!answer.headers().contains_key("upgrade"), "{answer:?}");
    }
}

/// A client of HTTP/1.1 reaches a server of HTTP/2 through HAProxy.
#[tokio::test]
#[ignore = "needs HAProxy: .ci/install"]
async fn http1_reaches_http2() {
    let (proxy, _server) = HAPROXY_H2.gallery().await;
    let mut client = over_tls(&proxy).await;
    let answer = client.ask(&wire::Request::get("/http2")).await;
    answer.head.is(200);
    assert_eq!(answer.content, "http2", "the server's side is HTTP/2");

    let mut client = over_tls(&proxy).await;
    let head = client.offer(&wire::Request::websocket("/ws")).await;
    head.is(101).has("sec-websocket-accept", wire::ACCEPT);
    let mut client = over_tls(&proxy).await;
    let head = client
        .offer(&wire::Request::upgrade("/multi", "echo/2.0"))
        .await;
    head.is(101).has("upgrade", "echo/2.0");
    client.send("Hello").await;
    client.expect("HELLO").await;

    let mut client = over_tls(&proxy).await;
    let answer = client.ask(&wire::Request::get("/ws")).await;
    answer.head.is(405).has("allow", "CONNECT");
}

/// Those without RFC 8441 say so in their settings, and clients come over HTTP/1.1.
#[tokio::test]
#[ignore = "needs nginx and Caddy: .ci/install"]
async fn where_http2_cannot_http1_can() {
    for front in [NGINX_TLS, CADDY_TLS] {
        let (proxy, _server) = front.gallery().await;
        let client = Client::connect(&proxy).await;
        assert!(!client.may_connect().await, "{}", front.name);
        let mut client = over_tls(&proxy).await;
        let host = format!("localhost:{}", proxy.port());
        let offer = wire::Request::websocket("/ws").set("Host", &host);
        let own = offer.set("Origin", format!("https://{host}"));
        client.offer(&own).await.is(101);
    }
}

/// nginx copies a 426's `Upgrade` into HTTP/2, where RFC 9113 8.2.2 has the client reset the stream; the
/// connection goes on. Caddy takes it out.
#[tokio::test]
#[ignore = "needs nginx and Caddy: .ci/install"]
async fn nginx_spoils_a_426_over_http2() {
    let (proxy, _server) = NGINX_TLS.gallery().await;
    let client = Client::connect(&proxy).await;
    let error = client.get("/ws").await.expect_err("no answer");
    let reset = format!("{error:?}");
    assert!(reset.contains("PROTOCOL_ERROR"), "{reset}");
    let answer = client.get("/either").await.expect("an answer");
    assert_eq!(answer.body(), "plain");

    let (proxy, _server) = CADDY_TLS.gallery().await;
    let client = Client::connect(&proxy).await;
    let answer = client.get("/ws").await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED);
}

/// Caddy and Apache speak HTTP/2 to a server, but know no upgrade there.
#[tokio::test]
#[ignore = "needs Apache and Caddy: .ci/install"]
async fn other_proxies_do_not_upgrade_http2_servers() {
    for (front, status) in [(CADDY_H2C, 502), (APACHE_H2C, 405)] {
        let (proxy, _server) = front.gallery().await;
        let mut client = wire::Client::connect(proxy.address()).await;
        let page = client.ask(&wire::Request::get("/http2")).await;
        assert_eq!(page.content, "http2", "{}: {page:?}", front.name);
        let mut client = wire::Client::connect(proxy.address()).await;
        let answer = client.ask(&wire::Request::websocket("/ws")).await;
        assert_eq!(answer.head.status, status, "{}: {answer:?}", front.name);
    }
}

async fn over_tls(proxy: &Proxy) -> wire::Client {
    wire::Client::over(tls(proxy, b"http/1.1").await)
}

async fn echoes(stream: Stream) {
    let mut socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    let hello = Message::text("hello");
    socket.send(hello.clone()).await.expect("room to send");
    let echo = within(30, "the echo", socket.next()).await;
    assert_eq!(echo.expect("no end").expect("a message"), hello);
    socket.close(None).await.expect("room to send");
    let close = within(30, "the close", socket.next()).await;
    assert!(close.expect("no end").expect("a message").is_close());
}
