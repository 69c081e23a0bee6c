//! RFC 2817: TLS on a connection that began without it, by the example `tls_upgrade` as a process.

mod client;

use crate::{
    process::Server,
    wire::{Client, Request},
};
use client::{address, upgraded};

/// 4.2: "a server ... MUST send a 426 response ... including an Upgrade header field".
#[tokio::test]
async fn what_is_confidential_names_tls() {
    let server = Server::tls_upgrade().await;
    let mut client = Client::connect(address(&server)).await;
    let refused = client.ask(&Request::get("/secret")).await;
    refused
        .head
        .is(426)
        .has("upgrade", "TLS/1.2, HTTP/1.1")
        .has("connection", "upgrade");
    let answer = client.ask(&Request::get("/")).await;
    assert_eq!(answer.content, "for everybody\n");
}

/// 3.3: the 101 names both layers in order, the lowest first; the answer to the request comes inside of TLS,
/// and so do those to the next.
#[tokio::test]
async fn the_request_is_answered_inside_and_http_goes_on_there() {
    let server = Server::tls_upgrade().await;
    for (offer, selected) in [
        ("TLS/1.2", "TLS/1.2, HTTP/1.1"),
        ("TLS/1.2,TLS/1.1,TLS/1.0", "TLS/1.2, HTTP/1.1"),
        ("h2c, TLS/1.3, TLS/1.2", "TLS/1.3, HTTP/1.1"),
    ] {
        let request = Request::upgrade("/secret", offer);
        let mut inside = upgraded(&server, &request, selected).await;
        let first = inside.response().await;
        assert_eq!(first.head.status, 200, "{offer}");
        assert_eq!(first.content, "for you alone\n", "{offer}");
        for _ in 0..2 {
            let next = inside.ask(&Request::get("/secret")).await;
            assert_eq!(next.content, "for you alone\n", "{offer}");
        }
    }
}

/// 3.2: a client that must not be answered in clear text begins with `OPTIONS *`.
#[tokio::test]
async fn options_of_the_server_are_told_inside() {
    let server = Server::tls_upgrade().await;
    let request = Request::upgrade("*", "TLS/1.2,TLS/1.1,TLS/1.0").method("OPTIONS");
    let mut inside = upgraded(&server, &request, "TLS/1.2, HTTP/1.1").await;
    inside
        .response()
        .await
        .head
        .is(200)
        .has("allow", "GET, HEAD, POST, OPTIONS");
    let next = inside.ask(&Request::get("/secret")).await;
    assert_eq!(next.content, "for you alone\n");
}

/// Content that came with the offer is part of the request, and no byte of it is taken for TLS.
#[tokio::test]
async fn content_goes_with_the_request() {
    let server = Server::tls_upgrade().await;
    for length in [1, 60_000] {
        let request = Request::upgrade("/secret", "TLS/1.2")
            .method("POST")
            .content("x".repeat(length));
        let mut inside = upgraded(&server, &request, "TLS/1.2, HTTP/1.1").await;
        let first = inside.response().await;
        assert_eq!(first.content, format!("you said {length} bytes\n"));
    }
    let mut client = Client::connect(address(&server)).await;
    let large = Request::upgrade("/secret", "TLS/1.2").method("POST");
    client
        .ask(&large.content("x".repeat(70_000)))
        .await
        .head
        .is(413);
}

/// Without a version that is spoken here there is no upgrade, and the request is answered as it came.
#[tokio::test]
async fn older_versions_are_not_selected() {
    let server = Server::tls_upgrade().await;
    let mut client = Client::connect(address(&server)).await;
    let offer = |path| Request::upgrade(path, "TLS/1.1, TLS/1.0");
    client.ask(&offer("/secret")).await.head.is(426);
    assert_eq!(client.ask(&offer("/")).await.content, "for everybody\n");
}

/// What was pipelined in clear text behind the offer is no TLS, and is not answered in the clear.
#[tokio::test]
async fn a_request_behind_the_offer_is_not_answered() {
    let server = Server::tls_upgrade().await;
    let offer = Request::upgrade("/secret", "TLS/1.2").to_bytes();
    let pipelined = Request::get("/").to_bytes();
    // In the segment of the offer, and in one of its own that may come before or after the 101.
    for is_together in [true, false] {
        let mut client = Client::connect(address(&server)).await;
        if is_together {
            client
                .send([offer.clone(), pipelined.clone()].concat())
                .await;
        } else {
            client.send(&offer).await;
            client.send(&pipelined).await;
        }
        client.head().await.is(101);
        let rest = client.read_to_end().await;
        // An alert at most (RFC 5246 7.2): its first byte is 21.
        assert!(rest.is_empty() || rest[0] == 21, "{rest:?}");
        assert!(!String::from_utf8_lossy(&rest).contains("HTTP"), "{rest:?}");
    }
}
