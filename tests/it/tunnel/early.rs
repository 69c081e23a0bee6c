//! Bytes that either side sends ahead of the 101, or right behind it.

use http::Version;
use tokio::net::TcpStream;

use super::{
    edge::edge,
    ends::block,
    upstream::{Upstream, switching},
};
use crate::{
    http2,
    server::gallery,
    wire::{Client, Request, patiently},
};

/// Sent in one segment with the offer, they reach the upstream once it has accepted, and not before.
#[tokio::test]
async fn of_a_client_behind_its_offer() {
    let (edge, upstream) = Upstream::behind_edge().await;
    for length in [1, 1_000, 64 << 10, 300 << 10] {
        let early: Vec<_> = block().into_iter().cycle().take(length).collect();
        let mut client = Client::connect(edge).await;
        let mut offer = Request::upgrade("/", "echo/1.0").to_bytes();
        offer.extend_from_slice(&early);
        let (mut peer, _) = tokio::join!(
            async {
                let (mut peer, _) = upstream.asked().await;
                assert!(peer.0.has_nothing_to_read());
                peer.send(switching("echo/1.0")).await;
                peer
            },
            client.send(&offer)
        );
        client.head().await.is(101);
        peer.0.expect(&early).await;
        client.send("late").await;
        peer.0.expect("late").await;
        client.finish().await;
        peer.0.expect_end().await;
    }
}

/// Sent in one segment with its 101, they reach the client behind that.
#[tokio::test]
async fn of_an_upstream_behind_its_101() {
    let (edge, upstream) = Upstream::behind_edge().await;
    for length in [1, 1_000, 64 << 10, 300 << 10] {
        let early: Vec<_> = block().into_iter().cycle().take(length).collect();
        let mut client = Client::connect(edge).await;
        client
            .send(Request::upgrade("/", "echo/1.0").to_bytes())
            .await;
        let (mut peer, _) = upstream.asked().await;
        let mut answer = switching("echo/1.0").into_bytes();
        answer.extend_from_slice(&early);
        let ((), ()) = tokio::join!(peer.send(&answer), async {
            client.head().await.is(101);
            client.expect(&early).await;
        });
        peer.send("late").await;
        client.expect("late").await;
        peer.0.finish().await;
        client.expect_end().await;
    }
}

/// The same to a client of HTTP/2, whose 200 they come behind.
#[tokio::test]
async fn of_an_upstream_to_a_client_of_http2() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let io = TcpStream::connect(edge).await.unwrap();
    let client = http2::Client::over(io).await;
    let opened = tokio::spawn(async move { client.open(http2::connect("echo/1.0", "/")).await });
    let (mut peer, _) = upstream.asked().await;
    let early = "early bytes ".repeat(6_000);
    peer.send(switching("echo/1.0") + &early).await;
    let (_, mut stream) = patiently("the stream", opened).await.unwrap();
    stream.expect(&early).await;
    peer.0.finish().await;
    assert_eq!(stream.rest().await, "");
}

/// An end that comes in one segment with the 101 and the last bytes is kept, and so is the client's half.
#[tokio::test]
async fn and_the_end_right_behind_them() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client
        .send(Request::upgrade("/", "echo/1.0").to_bytes())
        .await;
    let (mut peer, _) = upstream.asked().await;
    peer.send(switching("echo/1.0") + "all there is").await;
    peer.0.finish().await;
    client.head().await.is(101);
    client.expect("all there is").await;
    client.expect_end().await;
    client.send("the rest").await;
    client.finish().await;
    peer.0.expect("the rest").await;
    peer.0.expect_end().await;
}

/// They go before what is sent once the tunnel is open, to an upstream of either version.
#[tokio::test]
async fn and_the_rest_behind_them() {
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let edge = edge(gallery().await, version).await;
        let mut client = Client::connect(edge).await;
        let mut offer = Request::upgrade("/multi", "echo/2.0").to_bytes();
        offer.extend_from_slice(b"early");
        client.send(offer).await;
        client.head().await.is(101).has("upgrade", "echo/2.0");
        client.expect("EARLY").await;
        client.send("late").await;
        client.finish().await;
        client.expect("LATE").await;
        client.expect_end().await;
    }
}
