//! A 101 that must not be sent as it is (rules 15 and 16).

use http::{HeaderValue, Response};
use hyper::body::Incoming;
use tower::{Layer, service_fn};
use tower_upgrade::{OnUpgrade, Policy, Protocol, UpgradeLayer};

use super::{Answer, Body, Does, answer, next, offer, policy, service};
use crate::{
    server::serve,
    spy::echo,
    wire::{Client, Request},
};

#[tokio::test]
async fn accepting_without_the_future_is_500() {
    // Rule 21: "Dropping it declines." A 101 after that would lead to nobody.
    for does in [Does::DropsIt, Does::NeverTakesIt] {
        let (mut client, _yielded) = service(does);
        for _ in 0..2 {
            let response = client.ask(&offer()).await;
            response
                .head
                .is(500)
                .lacks("upgrade")
                .lacks("sec-websocket-accept");
            assert!(
                response.content.contains("`OnUpgrade`"),
                "{does:?} {response:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_101_for_another_protocol_is_500() {
    // Rule 16: "A 101 [..] that names another protocol, is a bug in the service: 500, never sent."
    for other in ["echo/2.0", "echo", "websocket", "echo/1.0, websocket"] {
        let (mut client, mut yielded) = service(Does::Names(other));
        let response = client
            .ask(&offer().set("Connection", "close, Upgrade"))
            .await;
        response.head.is(500).lacks("upgrade");
        client.expect_end().await;
        assert!(next(&mut yielded).await.unwrap_err().is_refused());
    }
    for same in ["echo/1.0", "ECHO/1.0", ""] {
        let (mut client, mut yielded) = service(Does::Names(same));
        client
            .offer(&offer())
            .await
            .is(101)
            .has("upgrade", "echo/1.0");
        next(&mut yielded).await.unwrap();
    }
}

#[tokio::test]
async fn a_101_that_no_decision_stands_behind_is_500() {
    // Rule 16: "A 101 that no decision stands behind [..] is a bug in the service: 500, never sent."
    // hyper would write it, to a request that offered nothing and to HTTP/1.0 too.
    for (policy, request) in [
        (Policy::forbid(), offer()),
        (Policy::forbid(), Request::get("/")),
        (
            Policy::forbid(),
            Request::get("b.example:80").method("CONNECT"),
        ),
        (Policy::offer(Protocol::new("foo").unwrap()), offer()),
        (
            Policy::offer(Protocol::new("echo/1.0").unwrap()),
            Request::get("/"),
        ),
        (
            Policy::offer(Protocol::new("echo/1.0").unwrap()),
            offer().version("HTTP/1.0"),
        ),
    ] {
        let service = service_fn(async |_: http::Request<Incoming>| Answer::Ok(answer(101)));
        let mut client = Client::over(serve(UpgradeLayer::new(policy).layer(service)));
        let response = client.ask(&request).await;
        response.head.is(500).lacks("upgrade");
        assert!(response.content.contains("101"), "{response:?}");
    }
}

#[tokio::test]
async fn what_a_service_writes_into_its_101_is_written_over() {
    // Rule 15: "exactly `Connection: upgrade` and nothing else in it [..]; `Content-Length` and
    // `Transfer-Encoding` are taken off."
    let service = service_fn(async |mut request: http::Request<Incoming>| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        let mut response: Response<Body> = on_upgrade.accept(echo);
        let headers = response.headers_mut();
        for (name, value) in [
            ("connection", "keep-alive, Upgrade"),
            ("connection", "close"),
            ("upgrade", "ECHO/1.0"),
            ("upgrade", "echo/1.0"),
            ("content-length", "7"),
            ("sec-websocket-protocol", "v2"),
            ("x-mine", "1"),
        ] {
            headers.append(name, HeaderValue::from_static(value));
        }
        *response.body_mut() = Body::from("content");
        Answer::Ok(response)
    });
    let mut client = Client::over(serve(UpgradeLayer::new(policy()).layer(service)));
    let head = client.offer(&offer()).await;
    head.is(101)
        .has("connection", "upgrade")
        .has("upgrade", "echo/1.0")
        .has("x-mine", "1");
    assert_eq!(head.names().len(), 3, "{head:?}");
    client.send("ping").await;
    client.expect("ping").await;
}
