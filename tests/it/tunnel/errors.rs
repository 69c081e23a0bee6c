//! What goes wrong is answered for, and never fails the service.

mod blame;
mod services;

use std::{net::SocketAddr, time::Duration};

use http::{Uri, Version};
use tokio::net::{TcpListener, TcpStream};

use super::{
    edge::{Edge, layer, serve, tunnel, tunnel_to},
    upstream::Upstream,
};
use crate::{
    http2,
    wire::{Client, Request, Response, patiently},
};

/// What a client is told for an ordinary request and for an offer, as text and in details.
async fn fails(edge: SocketAddr, status: u16, kind: &str) {
    let mut client = Client::connect(edge).await;
    for request in [Request::get("/"), Request::websocket("/")] {
        let text = client.ask(&request).await;
        text.head
            .is(status)
            .has("content-type", "text/plain; charset=utf-8")
            .has("vary", "accept")
            .lacks("connection");
        assert!(!text.content.contains(kind), "{text:?}");
        names_no_address(&text);

        let details = client
            .ask(&request.set("Accept", "text/html, application/problem+json"))
            .await;
        let hint = text.content.trim_end();
        details
            .head
            .is(status)
            .has("content-type", "application/problem+json");
        let json: serde_json::Value = serde_json::from_str(&details.content).unwrap();
        assert_eq!(json["kind"], kind);
        assert_eq!(json["status"], status);
        assert_eq!(json["detail"], hint);
        names_no_address(&details);
    }
    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    for request in [http2::get("/"), http2::websocket("/")] {
        assert_eq!(client.send(request).await.status(), status);
    }
}

#[track_caller]
fn names_no_address(answer: &Response) {
    for secret in ["127.0.0.1", "localhost", "upstream.", "os error"] {
        assert!(!answer.content.contains(secret), "{answer:?}");
    }
}

async fn edge_to(address: SocketAddr, set_up: impl FnOnce(Edge) -> Edge) -> SocketAddr {
    serve(layer(), set_up(tunnel(address, Version::HTTP_11))).await
}

#[tokio::test]
async fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    for version in [Version::HTTP_11, Version::HTTP_2] {
        let edge = serve(layer(), tunnel(closed, version)).await;
        fails(edge, 502, "upstream-unreachable").await;
    }
}

/// A server that does this with every connection it takes.
async fn scripted<F>(script: impl Fn(TcpStream) -> F + Send + Sync + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let upstream = Upstream::new().await;
    let address = upstream.address();
    tokio::spawn(async move {
        loop {
            tokio::spawn(script(upstream.accept_tcp().await));
        }
    });
    address
}

#[tokio::test]
async fn it_accepts_and_closes() {
    let address = scripted(async |tcp| drop(tcp)).await;
    fails(
        edge_to(address, |tunnel| tunnel).await,
        502,
        "upstream-lost",
    )
    .await;
}

#[tokio::test]
async fn it_reads_the_request_and_closes() {
    let address = scripted(async |tcp| {
        let mut peer = super::upstream::Peer(Client::over(tcp));
        peer.asked().await;
    })
    .await;
    fails(
        edge_to(address, |tunnel| tunnel).await,
        502,
        "upstream-lost",
    )
    .await;
}

#[tokio::test]
async fn it_speaks_no_http() {
    for garbage in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200\0OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade",
        "\r\n\r\n\0\0\0",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
    ] {
        let address = scripted(move |tcp| async move {
            let mut peer = super::upstream::Peer(Client::over(tcp));
            peer.asked().await;
            peer.0.try_send(garbage).await;
            peer.0.try_finish().await;
            peer.0.read_to_end().await;
        })
        .await;
        fails(
            edge_to(address, |tunnel| tunnel).await,
            502,
            "upstream-lost",
        )
        .await;
    }
}

/// HTTP/1.1 is no answer to HTTP/2, nor the other way round.
#[tokio::test]
async fn it_speaks_another_version() {
    let address = scripted(async |tcp| {
        let mut client = Client::over(tcp);
        client.try_send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
        client.try_finish().await;
        client.read_to_end().await;
    })
    .await;
    let edge = serve(layer(), tunnel(address, Version::HTTP_2)).await;
    let mut client = Client::connect(edge).await;
    client.ask(&Request::get("/")).await.head.is(502);
}

#[tokio::test]
async fn it_says_nothing() {
    let silent =
        || async { scripted(async |tcp| drop(Client::over(tcp).read_to_end().await)).await };
    let short = |tunnel: Edge| tunnel.timeout(Duration::from_millis(50));
    fails(
        edge_to(silent().await, short).await,
        504,
        "upstream-timed-out",
    )
    .await;
}

/// A part of a head is no answer either.
#[tokio::test]
async fn it_stops_within_its_head() {
    let address = scripted(async |tcp| {
        let mut client = Client::over(tcp);
        client.try_send("HTTP/1.1 200 OK\r\nContent-").await;
        client.read_to_end().await;
    })
    .await;
    let edge = edge_to(address, |tunnel| tunnel.timeout(Duration::from_millis(50))).await;
    fails(edge, 504, "upstream-timed-out").await;
}

/// With 504 the request is given up: the upstream's connection is closed.
#[tokio::test]
async fn who_is_slow_is_let_go_of() {
    for request in [Request::get("/"), Request::websocket("/")] {
        let upstream = Upstream::new().await;
        let short = |tunnel: Edge| tunnel.timeout(Duration::from_secs(1));
        let mut client = Client::connect(edge_to(upstream.address(), short).await).await;
        client.send(request.to_bytes()).await;
        let (mut peer, _) = upstream.asked().await;
        client.response().await.head.is(504);
        peer.0.expect_end().await;
    }
}

/// A client that does not wait for its answer takes the request to the upstream with it.
#[tokio::test]
async fn who_leaves_before_the_answer_takes_the_upstreams_connection_along() {
    let (edge, upstream) = Upstream::behind_edge().await;
    for request in [Request::get("/"), Request::websocket("/")] {
        let mut client = Client::connect(edge).await;
        client.send(request.to_bytes()).await;
        let (mut peer, _) = upstream.asked().await;
        drop(client);
        peer.0.expect_end().await;
    }
}

/// Without end means that, and does not overflow.
#[tokio::test]
async fn a_timeout_may_be_without_end() {
    let upstream = Upstream::new().await;
    let endless = |tunnel: Edge| tunnel.timeout(Duration::MAX);
    let mut client = Client::connect(edge_to(upstream.address(), endless).await).await;
    client.send(Request::get("/").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.answer("at last").await;
    assert_eq!(client.response().await.content, "at last");
}

#[tokio::test]
async fn the_chosen_uri_is_not_absolute() {
    let tunnel = tunnel_to(Uri::from_static("upstream.example:81"), Version::HTTP_11);
    fails(serve(layer(), tunnel).await, 503, "no-upstream").await;
}

/// One whose scheme the client cannot speak is no better reached than one that is down.
#[tokio::test]
async fn the_chosen_scheme_is_not_spoken() {
    let tunnel = tunnel_to(Uri::from_static("https://127.0.0.1:1"), Version::HTTP_11);
    fails(serve(layer(), tunnel).await, 502, "upstream-unreachable").await;
}

/// A name that does not resolve.
#[tokio::test]
async fn the_chosen_host_is_unknown() {
    let tunnel = tunnel_to(
        Uri::from_static("http://upstream.invalid"),
        Version::HTTP_11,
    );
    let mut client = Client::connect(serve(layer(), tunnel).await).await;
    let request = Request::get("/").set("Accept", "application/problem+json");
    let answer = patiently("an answer", client.ask(&request)).await;
    answer.head.is(502);
    assert!(
        answer.content.contains("upstream-unreachable"),
        "{answer:?}"
    );
}
