//! Connections to the upstream are reused, but for those that were upgraded.

use http::Version;
use tokio::io::AsyncWriteExt;

use super::{
    edge::edge,
    upstream::{Peer, Upstream, switching},
};
use crate::wire::{Client, Request};

async fn asks(client: &mut Client, peer: &mut Peer, path: &str) {
    client.send(Request::get(path).to_bytes()).await;
    let asked = peer.asked().await;
    assert_eq!(asked.line, format!("GET {path} HTTP/1.1"));
    peer.answer("done").await;
    assert_eq!(client.response().await.content, "done");
}

/// Requests one after the other go over one connection, whoever sends them.
#[tokio::test]
async fn one_connection_serves_many_requests() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client.send(Request::get("/first").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.answer("done").await;
    client.response().await.head.is(200);
    for n in 0..5 {
        let mut client = Client::connect(edge).await;
        asks(&mut client, &mut peer, &format!("/{n}")).await;
        asks(&mut client, &mut peer, &format!("/{n}/again")).await;
    }
    // So does an offer that is declined.
    client.send(Request::websocket("/offer").to_bytes()).await;
    assert_eq!(peer.asked().await.line, "GET /offer HTTP/1.1");
    peer.answer("no").await;
    assert_eq!(client.response().await.content, "no");
    asks(&mut client, &mut peer, "/last").await;
}

/// One that was upgraded serves its tunnel alone, also after the tunnel has ended.
#[tokio::test]
async fn an_upgraded_one_leaves_the_pool() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client.send(Request::get("/first").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.answer("done").await;
    client.response().await.head.is(200);

    // The tunnel goes over the connection that is there.
    let mut tunnelled = Client::connect(edge).await;
    tunnelled
        .send(Request::upgrade("/", "echo/1.0").to_bytes())
        .await;
    peer.asked().await;
    peer.send(switching("echo/1.0")).await;
    tunnelled.head().await.is(101);

    client.send(Request::get("/second").to_bytes()).await;
    let (mut second, asked) = upstream.asked().await;
    assert_eq!(asked.line, "GET /second HTTP/1.1");
    second.answer("done").await;
    client.response().await.head.is(200);

    tunnelled.send("ping").await;
    peer.0.expect("ping").await;
    peer.0.finish().await;
    tunnelled.expect_end().await;
    tunnelled.finish().await;
    peer.0.expect_end().await;
    asks(&mut client, &mut second, "/third").await;
}

/// One that the upstream has closed meanwhile fails nobody.
#[tokio::test]
async fn a_stale_one_is_not_used() {
    for request in [Request::get("/again"), Request::websocket("/again")] {
        let (edge, upstream) = Upstream::behind_edge().await;
        let mut client = Client::connect(edge).await;
        for _ in 0..5 {
            client.send(Request::get("/").to_bytes()).await;
            let (mut peer, _) = upstream.asked().await;
            peer.answer("done").await;
            // The end may come at any time, before the next request or with it.
            drop(peer);
            client.response().await.head.is(200);
        }
        client.send(request.to_bytes()).await;
        let (mut peer, asked) = upstream.asked().await;
        assert_eq!(asked.line, "GET /again HTTP/1.1");
        peer.answer("done").await;
        client.response().await.head.is(200);
    }
}

/// One that closes on the request itself, as a server does whose patience ended: it is asked again.
#[tokio::test]
async fn a_request_that_met_a_closing_one_is_not_lost_on_the_client() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client.send(Request::get("/").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.answer("done").await;
    client.response().await.head.is(200);
    peer.0.finish().await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    client.send(Request::get("/again").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.answer("done").await;
    client.response().await.head.is(200);
}

/// Over HTTP/2 tunnels and requests share one connection, and a tunnel's end leaves the others.
#[tokio::test]
async fn over_http2_all_share_one() {
    let (upstream, mut accepted) = super::ends::accepting().await;
    let edge = edge(upstream, Version::HTTP_2).await;
    let mut first = super::ends::join_by(edge, Version::HTTP_11, &mut accepted).await;
    let second = super::ends::join_by(edge, Version::HTTP_11, &mut accepted).await;
    drop(second);
    let mut client = Client::connect(edge).await;
    assert_eq!(client.ask(&Request::get("/")).await.content, "plain");
    first.client.write_all(b"ping").await.unwrap();
    super::ends::expect(&mut first.upstream, "ping").await;
}
