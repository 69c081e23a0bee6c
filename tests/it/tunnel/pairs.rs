//! Every pair of versions, with a WebSocket and with a token of one's own.

use http::Version;
use tokio::net::TcpStream;

use super::edge::edge;
use crate::{
    http2::{self, connect},
    server::gallery,
    sockets::Opener,
    wire::{Client, Request, patiently},
};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// A WebSocket echoes through the proxy, whatever either side speaks.
#[tokio::test]
async fn a_websocket_echoes() {
    for version in VERSIONS {
        let edge = edge(gallery().await, version).await;
        for opener in Opener::both(edge).await {
            let mut socket = opener.open("/ws").await;
            socket.echoes().await;
            socket.close().await;
        }
    }
}

/// Bytes sent right behind the offer arrive, and so does the rest after the client has ended its half.
#[tokio::test]
async fn early_bytes_and_half_close_over_http1() {
    for version in VERSIONS {
        let edge = edge(gallery().await, version).await;
        let mut client = Client::connect(edge).await;
        let mut offer = Request::upgrade("/multi", "echo/2.0").to_bytes();
        offer.extend_from_slice(b"early");
        client.send(offer).await;
        client
            .head()
            .await
            .is(101)
            .has("upgrade", "echo/2.0")
            .has("connection", "upgrade");
        client.expect("EARLY").await;
        client.send("late").await;
        client.finish().await;
        client.expect("LATE").await;
        client.expect_end().await;
    }
}

/// The same of a stream.
#[tokio::test]
async fn early_bytes_and_half_close_over_http2() {
    for version in VERSIONS {
        let edge = edge(gallery().await, version).await;
        let io = patiently("a connection", TcpStream::connect(edge))
            .await
            .unwrap();
        let client = http2::Client::over(io).await;
        let (_, mut stream) = client.open(connect("echo/2.0", "/multi")).await;
        stream.write("early").await;
        stream.expect("EARLY").await;
        stream.write("late").await;
        stream.end().await;
        assert_eq!(stream.rest().await, "LATE");
    }
}

/// What is no offer passes, and what the upstream answers comes back.
#[tokio::test]
async fn an_ordinary_request_is_answered() {
    for version in VERSIONS {
        let edge = edge(gallery().await, version).await;
        let mut client = Client::connect(edge).await;
        let answer = client.ask(&Request::get("/either")).await;
        answer.head.is(200);
        assert_eq!(answer.content, "plain");
        let answer = client
            .ask(
                &Request::get("/closed")
                    .set("upgrade", "h2c")
                    .set("connection", "upgrade"),
            )
            .await;
        assert_eq!(answer.content, "upgrade: absent");
    }
}
