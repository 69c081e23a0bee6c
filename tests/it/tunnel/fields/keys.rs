//! A WebSocket's key is passed on, made where there is none, and left out towards HTTP/2.

use std::collections::BTreeSet;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::Version;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tower_upgrade::{Policy, UpgradeLayer, WebSocket};

use super::{ask_http2, seeing};
use crate::{
    http2,
    tunnel::{
        edge::{serve, tunnel},
        upstream::{Upstream, switching_with},
    },
    wire::{ACCEPT, Client, KEY, Request, patiently},
};

/// A client of HTTP/2 sends none; each is 16 octets in canonical base64, and none comes twice.
#[tokio::test]
async fn one_is_made_for_a_client_of_http2() {
    for policy in policies() {
        let (edge, upstream) = Upstream::behind(policy).await;
        let mut keys = BTreeSet::new();
        for _ in 0..8 {
            let (answer, mut peer, asked) = ask_http2(edge, &upstream, http2::websocket("/")).await;
            let key = asked.only("sec-websocket-key").to_owned();
            let octets = BASE64_STANDARD.decode(&key).unwrap();
            assert_eq!(octets.len(), 16, "{key}");
            assert_eq!(BASE64_STANDARD.encode(octets), key);
            asked
                .has("sec-websocket-version", "13")
                .has("host", http2::AUTHORITY)
                .has("connection", "upgrade");
            assert_eq!(asked.line, "GET / HTTP/1.1");
            assert!(keys.insert(key), "{keys:?}");
            peer.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
                .await;
            assert_eq!(patiently("an answer", answer).await.unwrap().status(), 403);
            drop(peer);
        }
    }
}

/// With `translate_connect` the service is shown a key that stands for none; no upstream is.
fn policies() -> [Policy; 2] {
    [
        Policy::offer(WebSocket::new()),
        Policy::offer(WebSocket::new()).translate_connect(),
    ]
}

/// The answer to the made key is verified, and not passed to a client that sent none.
#[tokio::test]
async fn the_answer_to_a_made_key_is_verified() {
    for policy in policies() {
        let (edge, upstream) = Upstream::behind(policy).await;
        let (answer, mut peer, _) = ask_http2(edge, &upstream, http2::websocket("/")).await;
        let fields = format!("Sec-WebSocket-Accept: {ACCEPT}");
        peer.send(switching_with("websocket", &fields)).await;
        let answer = patiently("an answer", answer).await.unwrap();
        assert_eq!(answer.status(), 502);

        let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
        let opened = tokio::spawn(async move { client.open(http2::websocket("/")).await });
        let (mut peer, asked) = upstream.asked().await;
        let accept = derive_accept_key(asked.only("sec-websocket-key").as_bytes());
        let fields = format!("Sec-WebSocket-Accept: {accept}");
        peer.send(switching_with("websocket", &fields)).await;
        let (answer, _stream) = patiently("the stream", opened).await.unwrap();
        let fields = answer.headers();
        assert!(!fields.contains_key("sec-websocket-accept"), "{fields:?}");
    }
}

/// A proxy in front that bridges sends the browser's key along, and needs the answer to that one.
#[tokio::test]
async fn that_of_a_bridging_client_is_passed_on() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    let opened = tokio::spawn(async move {
        let request = http2::websocket("/").header("sec-websocket-key", KEY);
        client.open(request).await
    });
    let (mut peer, asked) = upstream.asked().await;
    asked.has("sec-websocket-key", KEY);
    let fields = format!("Sec-WebSocket-Accept: {ACCEPT}");
    peer.send(switching_with("websocket", &fields)).await;
    let (answer, _stream) = patiently("the stream", opened).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-accept"], ACCEPT);
}

/// An extended CONNECT has none, whoever sent one (RFC 8441 5).
#[tokio::test]
async fn none_goes_to_an_upstream_of_http2() {
    for policy in policies() {
        let (upstream, seen) = seeing().await;
        let layer = UpgradeLayer::new(policy);
        let edge = serve(layer, tunnel(upstream, Version::HTTP_2)).await;
        let mut client = Client::connect(edge).await;
        client.offer(&Request::websocket("/")).await.is(101);
        let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
        client.open(http2::websocket("/")).await;
        for (_, headers) in seen.lock().unwrap().iter() {
            assert!(!headers.contains_key("sec-websocket-key"), "{headers:?}");
            assert!(!headers.contains_key("upgrade"), "{headers:?}");
            assert_eq!(headers["sec-websocket-version"], "13");
        }
        assert_eq!(seen.lock().unwrap().len(), 2);
    }
}

/// A token has no key, and none is made for it.
#[tokio::test]
async fn none_is_made_for_a_token() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let (_answer, _peer, asked) = ask_http2(edge, &upstream, http2::connect("echo/1.0", "/")).await;
    asked.lacks("sec-websocket-key").has("upgrade", "echo/1.0");
}
