//! What is none of our business, and reaches the service as it is.

use http::{Request as HttpRequest, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{copy, split};
use tower::{Layer, service_fn};
use tower_upgrade::{Policy, UpgradeLayer, WebSocket};

use super::{echo, multi, offer, offered};
use crate::{
    outcome::{passes, refuses},
    server::{AnyError, serve},
    spy::Spy,
    wire::{Client, Request},
};

#[tokio::test]
async fn h2c_is_everyday_noise_and_passes() {
    // 7.8: "A server MAY ignore a received Upgrade header field if it wishes to continue using the
    // current protocol on that connection." (As Java's client sends it with every request.)
    let request = offer("h2c")
        .set("Connection", "Upgrade, HTTP2-Settings")
        .set("HTTP2-Settings", "AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA");
    for policy in [offered(), Policy::forbid(), Policy::offer(WebSocket::new())] {
        let seen = passes(policy.clone(), &request).await;
        assert_eq!(seen.lines("connection"), ["HTTP2-Settings"]);
        let posted = request.clone().method("POST").content("a=b&c=d");
        let seen = passes(policy, &posted).await;
        assert_eq!(
            (seen.method.as_str(), &seen.content[..]),
            ("POST", &b"a=b&c=d"[..])
        );
        assert_eq!(seen.lines("content-length"), ["7"]);
    }
    let refusal = refuses(multi(), &request, 426).await;
    refusal.head.has("upgrade", "echo/2.0, echo/1.0, websocket");
}

#[tokio::test]
async fn a_request_that_offers_nothing_is_left_as_it_is() {
    // 7.8: "Upgrade cannot be used to insist on a protocol change".
    let request = Request::get("/a?b=c")
        .set("Connection", "keep-alive, x")
        .add("X", "y");
    for policy in [offered(), Policy::forbid()] {
        let seen = passes(policy, &request).await;
        assert_eq!(seen.target, "/a?b=c");
        assert_eq!(seen.lines("connection"), ["keep-alive, x"]);
        assert_eq!(seen.headers.len(), 3);
    }
}

#[tokio::test]
async fn a_connect_is_no_offer_and_goes_through_untouched() {
    // 9.3.6: "The CONNECT method requests that the recipient establish a tunnel"; what it does with
    // the connection is the service's business, even where the route requires or forbids upgrades.
    for policy in [echo(), offered(), Policy::forbid()] {
        let mut client = tunnel(policy).await;
        client
            .send("CONNECT b.example:80 HTTP/1.1\r\nHost: b.example\r\n\r\n")
            .await;
        client
            .head()
            .await
            .is(200)
            .lacks("upgrade")
            .lacks("content-length");
        client.send("ping").await;
        client.expect("ping").await;
    }
}

#[tokio::test]
async fn a_connect_keeps_what_it_says_of_upgrades() {
    // 9.3.6 knows no `Upgrade`: it is for the service to read.
    let (mut client, spy) = Spy::behind(echo());
    client
        .send("CONNECT b.example:80 HTTP/1.1\r\nHost: b.example\r\n")
        .await;
    client
        .send("Connection: upgrade\r\nUpgrade: echo/1.0\r\n\r\n")
        .await;
    client.head().await.is(200);
    let seen = spy.only();
    assert_eq!(seen.target, "b.example:80");
    assert_eq!(
        (seen.lines("upgrade"), seen.protocol.clone()),
        (vec!["echo/1.0"], None)
    );
    assert!(seen.has_handle);
}

/// A proxy that answers CONNECT with 200 and sends every byte back, behind a layer.
async fn tunnel(policy: Policy) -> Client {
    let service = service_fn(async |mut request: HttpRequest<Incoming>| {
        let on_upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let (mut read, mut write) = split(TokioIo::new(on_upgrade.await?));
            copy(&mut read, &mut write).await?;
            Ok::<_, AnyError>(())
        });
        let mut response = Response::new(Empty::<bytes::Bytes>::new());
        *response.status_mut() = StatusCode::OK;
        Ok::<_, AnyError>(response)
    });
    Client::over(serve(UpgradeLayer::new(policy).layer(service)))
}
