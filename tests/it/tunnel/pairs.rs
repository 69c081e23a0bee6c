//! Every pair of versions, with a WebSocket and with a token of one's own.

use http::Version;
use tokio::io::AsyncWriteExt;

use super::{
    edge::{edge, layer},
    ends::{PAIRS, expect, expect_end, join},
};
use crate::{
    server::gallery,
    sockets::Opener,
    wire::{Client, Request, patiently},
};

const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// A WebSocket echoes through the proxy and closes in good order, whatever either side speaks.
#[tokio::test]
async fn a_websocket_echoes_and_closes() {
    for version in VERSIONS {
        let edge = edge(gallery().await, version).await;
        for opener in Opener::both(edge).await {
            let mut socket = opener.open("/ws").await;
            socket.echoes().await;
            socket.close().await;
        }
    }
}

/// When the client ends its half, the upstream is told, and what it still has to say arrives.
#[tokio::test]
async fn the_client_may_end_first() {
    for pair in PAIRS {
        let mut joined = join(&layer(), pair).await;
        joined.client.write_all(b"question").await.unwrap();
        joined.client.shutdown().await.unwrap();
        expect(&mut joined.upstream, "question").await;
        expect_end(&mut joined.upstream).await;

        joined.upstream.write_all(b"an").await.unwrap();
        expect(&mut joined.client, "an").await;
        joined.upstream.write_all(b"swer").await.unwrap();
        joined.upstream.shutdown().await.unwrap();
        expect(&mut joined.client, "swer").await;
        expect_end(&mut joined.client).await;
    }
}

/// When the upstream ends its half, the client is told, and what it still has to say arrives.
#[tokio::test]
async fn the_upstream_may_end_first() {
    for pair in PAIRS {
        let mut joined = join(&layer(), pair).await;
        joined.upstream.write_all(b"greeting").await.unwrap();
        joined.upstream.shutdown().await.unwrap();
        expect(&mut joined.client, "greeting").await;
        expect_end(&mut joined.client).await;

        joined.client.write_all(b"an").await.unwrap();
        expect(&mut joined.upstream, "an").await;
        joined.client.write_all(b"swer").await.unwrap();
        joined.client.shutdown().await.unwrap();
        expect(&mut joined.upstream, "swer").await;
        expect_end(&mut joined.upstream).await;
    }
}

/// Many short messages to and fro keep their order, in either direction at once.
#[tokio::test]
async fn messages_go_to_and_fro() {
    for pair in PAIRS {
        let mut joined = join(&layer(), pair).await;
        for n in 0..200 {
            let (up, down) = (format!("up {n};"), format!("down {n};"));
            patiently("room", joined.client.write_all(up.as_bytes()))
                .await
                .unwrap();
            patiently("room", joined.upstream.write_all(down.as_bytes()))
                .await
                .unwrap();
            expect(&mut joined.upstream, &up).await;
            expect(&mut joined.client, &down).await;
        }
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
        let h2c = Request::upgrade("/closed", "h2c");
        let answer = client.ask(&h2c).await;
        assert_eq!(answer.content, "upgrade: absent");
    }
}
