//! What the service answers to a CONNECT, and what goes out.

use std::{convert::Infallible, future::ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::io::AsyncWriteExt;
use tower::{Layer, service_fn};
use tower_upgrade::{OnUpgrade, Policy, UpgradeLayer, WebSocket};

use super::{echo, lacks_http1, layered, refused};
use crate::{
    echo::PLAIN,
    http2::{Client, connect, get, websocket},
};

#[tokio::test]
async fn a_2xx_of_a_service_that_did_not_accept_opens_no_tunnel() {
    // Rule 17: any 2xx to a CONNECT would, whoever meant it.
    let cases = [
        (Policy::forbid(), "websocket"),
        (Policy::offer(echo()), "websocket"),
        (Policy::offer(WebSocket::new()), "echo/1.0"),
    ];
    for (policy, protocol) in cases {
        let service = layered(policy);
        let client = Client::of(service.clone()).await;
        refused(&client.send(connect(protocol, "/")).await, 501);
        assert_eq!(service.get_ref().calls(), 1, "it passed");
        let plain = client.send(get("/")).await;
        assert_eq!(
            (plain.status(), plain.body().as_str()),
            (StatusCode::OK, PLAIN)
        );
    }
}

#[tokio::test]
async fn a_service_that_ignores_what_it_could_accept_opens_no_tunnel() {
    // Rule 17, for an offer that was let through.
    let service = service_fn(async |_: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from("unaware")))
    });
    let layer = UpgradeLayer::new(Policy::offer(WebSocket::new()));
    let client = Client::of(layer.layer(service)).await;
    refused(&client.send(websocket("/")).await, 501);
}

#[tokio::test]
async fn what_is_no_2xx_is_the_answer_of_the_service() {
    // A redirect or an error opens no tunnel and is the service's to give.
    for policy in [Policy::forbid(), Policy::offer(WebSocket::new())] {
        for status in [303, 401, 404, 503] {
            let service = service_fn(move |_: Request<Incoming>| {
                let response = Response::builder().status(status).header("x-own", "1");
                ready(response.body(Full::<Bytes>::from("own")))
            });
            let client = Client::of(UpgradeLayer::new(policy.clone()).layer(service)).await;
            let answer = client.send(websocket("/")).await;
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()["x-own"], "1");
            assert_eq!(answer.body(), "own");
        }
    }
}

#[tokio::test]
async fn a_plain_connect_passes_untouched() {
    // Rule 5: it is a request for a tunnel, and the server's handle is its service's.
    let service = service_fn(async |mut request: Request<Incoming>| {
        assert!(OnUpgrade::take(&mut request).is_none());
        assert_eq!(request.uri(), "there.example:443");
        let on_upgrade = hyper::upgrade::on(&mut request);
        tokio::spawn(async move {
            let mut io = hyper_util::rt::TokioIo::new(on_upgrade.await.unwrap());
            io.write_all(b"tunnel").await.unwrap();
        });
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
    });
    for policy in [
        Policy::require(WebSocket::new()),
        Policy::offer(echo()),
        Policy::forbid(),
    ] {
        let client = Client::of(UpgradeLayer::new(policy).layer(service)).await;
        let request = Request::connect("there.example:443").version(Version::HTTP_2);
        let (_, mut tunnel) = client.open(request).await;
        tunnel.expect("tunnel").await;
    }
}

#[tokio::test]
async fn a_101_that_nobody_asked_for_never_goes_out() {
    // Rule 16, and RFC 9113 8.6: "HTTP/2 removes support for the 101 status code".
    let service = service_fn(async |_: Request<Incoming>| {
        let response = Response::builder().status(101);
        response.body(Full::<Bytes>::default())
    });
    for policy in [Policy::forbid(), Policy::offer(WebSocket::new())] {
        let client = Client::of(UpgradeLayer::new(policy).layer(service)).await;
        refused(&client.send(get("/")).await, 500);
        refused(&client.send(connect("other", "/")).await, 500);
    }
}

#[tokio::test]
async fn an_answer_that_names_another_protocol_is_answered_500() {
    // Rule 16; names compare without case.
    let service = |named: &'static str| {
        service_fn(move |mut request: Request<Incoming>| {
            let on_upgrade = OnUpgrade::take(&mut request).unwrap();
            let mut response: Response<Full<Bytes>> = on_upgrade.accept(crate::echo::echo);
            let named = HeaderValue::from_static(named);
            response.headers_mut().insert("upgrade", named);
            ready(Ok::<_, Infallible>(response))
        })
    };
    let layer = UpgradeLayer::new(Policy::require(echo()));
    let client = Client::of(layer.layer(service("echo/2.0"))).await;
    refused(&client.send(connect("echo/1.0", "/")).await, 500);
    let client = Client::of(layer.layer(service("Echo/1.0"))).await;
    lacks_http1(&client.open(connect("echo/1.0", "/")).await.0);
}
