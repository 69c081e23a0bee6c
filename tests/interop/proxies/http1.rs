//! HTTP/1.1 on both sides: handshakes, protocols of one's own, and the bytes around the switch.

use super::backend::{Backend, LAST_WORD, Seen};
use super::fronts::{APACHE, APACHE_WSTUNNEL, CADDY, HAPROXY, NGINX, PLAIN};
use crate::it::wire::{Client, Request};
use crate::python::session;

/// Messages come back: text, binary, in fragments, and the close.
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache, Caddy and Python's websockets: .ci/install"]
async fn messages_are_echoed() {
    for front in PLAIN {
        let (proxy, _server) = front.gallery().await;
        let url = format!("ws://{}/ws", proxy.address());
        let args = ["--subprotocol", "v1", "--subprotocol", "v2", "hello"];
        let seen = session(&url, &args).await;
        let name = front.name;
        assert_eq!(seen["status"], 101, "{name}: {seen}");
        assert_eq!(seen["subprotocol"], "v2", "{name}: {seen}");
        assert_eq!(seen["echoes"], serde_json::json!(["hello"]), "{name}");
        assert_eq!(seen["binary"], true, "{name}");
        assert_eq!(seen["fragments"], "in three frames", "{name}");
        assert_eq!(seen["close"], 1000, "{name}");
    }
}

/// A protocol of one's own is switched to, and is the one that was offered.
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache and Caddy: .ci/install"]
async fn protocols_of_ones_own_are_switched_to() {
    for front in [NGINX, HAPROXY, APACHE, CADDY] {
        let (proxy, _server) = front.gallery().await;
        for (protocol, echo) in [("echo/1.0", "Hello"), ("echo/2.0", "HELLO")] {
            let mut client = Client::connect(proxy.address()).await;
            let head = client.offer(&Request::upgrade("/multi", protocol)).await;
            head.is(101).has("upgrade", protocol);
            client.send("Hello").await;
            client.expect(echo).await;
        }
    }
}

/// Apache's `ws://` is for WebSocket: every other offer is taken out.
#[tokio::test]
#[ignore = "needs Apache: .ci/install"]
async fn a_websocket_tunnel_takes_other_offers_out() {
    let (proxy, _server) = APACHE_WSTUNNEL.gallery().await;
    let mut client = Client::connect(proxy.address()).await;
    let answer = client.ask(&Request::upgrade("/multi", "echo/1.0")).await;
    answer.head.is(426);
    assert!(
        answer.content.contains("send `Upgrade`"),
        "the server saw none: {answer:?}"
    );
}

/// Where several are offered, two of the four cannot tell that one of them was selected. The server
/// has switched by then.
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache and Caddy: .ci/install"]
async fn an_offer_of_several_is_not_for_every_proxy() {
    for (front, status) in [(NGINX, 101), (HAPROXY, 101), (APACHE, 502), (CADDY, 200)] {
        let (proxy, _server) = front.gallery().await;
        let mut client = Client::connect(proxy.address()).await;
        let several = Request::upgrade("/multi", "echo/2.0, echo/1.0");
        let head = client.offer(&several).await;
        assert_eq!(head.status, status, "{}: {head:?}", front.name);
        if status == 101 {
            head.has("upgrade", "echo/2.0");
            client.send("Hello").await;
            client.expect("HELLO").await;
        }
    }
}

/// Bytes that come in one piece with the offer are the first of the new protocol. Caddy loses them.
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache and Caddy: .ci/install"]
async fn bytes_behind_the_offer_arrive_but_for_caddy() {
    for front in [NGINX, HAPROXY, APACHE, CADDY] {
        let (proxy, _server) = front.gallery().await;
        let mut client = Client::connect(proxy.address()).await;
        let mut bytes = Request::upgrade("/multi", "echo/1.0").to_bytes();
        bytes.extend_from_slice(b"early,");
        client.send(bytes).await;
        client.head().await.is(101);
        if front.name != CADDY.name {
            client.expect("early,").await;
        }
        client.send("late").await;
        client.expect("late").await;
    }
}

/// A client that ends its half still gets what the server has to say.
#[tokio::test]
#[ignore = "needs HAProxy and Apache: .ci/install"]
async fn a_half_that_ended_leaves_the_other() {
    for (front, protocol) in [
        (HAPROXY, "tcp"),
        (APACHE, "tcp"),
        (APACHE_WSTUNNEL, "websocket"),
    ] {
        let mut backend = Backend::start(|layer| layer).await;
        let proxy = front.before(backend.port()).await;
        let mut client = half_closed(proxy.address(), protocol).await;
        assert_eq!(backend.sees().await, Seen::Read("a word".into()));
        backend.speak();
        client.expect(LAST_WORD).await;
        client.expect_end().await;
    }
}

/// nginx and Caddy end the whole with the client's half, while the server has more to say.
#[tokio::test]
#[ignore = "needs nginx and Caddy: .ci/install"]
async fn a_half_that_ended_ends_the_other() {
    for front in [NGINX, CADDY] {
        let mut backend = Backend::start(|layer| layer).await;
        let proxy = front.before(backend.port()).await;
        let mut client = half_closed(proxy.address(), "tcp").await;
        assert_eq!(backend.sees().await, Seen::Read("a word".into()));
        client.expect_end().await;
        backend.sees_nothing();
    }
}

/// A client that was let in, has sent something and ended its half.
async fn half_closed(address: std::net::SocketAddr, protocol: &str) -> Client {
    let mut client = Client::connect(address).await;
    let request = Request::websocket("/last-word").set("Upgrade", protocol);
    client.offer(&request).await.is(101);
    client.send("a word").await;
    client.finish().await;
    client
}
