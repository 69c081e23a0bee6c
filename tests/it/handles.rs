//! Who has the server's handle: a server without upgrades, a layer outside of the layer (rules 18, 23).

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::Full;
use tower::{Layer, service_fn, util::MapRequestLayer};
use tower_upgrade::{OnUpgrade, Pending, Policy, Protocol, UpgradeLayer, WebSocket};

use crate::{
    server::{serve, serve_without_upgrades},
    spy::Spy,
    wire::{Client, Request},
};

fn echo() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

fn offer() -> Request {
    Request::upgrade("/", "echo/1.0")
}

#[tokio::test]
async fn without_a_handle_require_refuses_and_offer_passes() {
    // Rule 23: "refused with 501 and a hint that says so on `require`, and passes on `offer`."
    for (policy, status) in [(Policy::require(echo()), 501), (Policy::offer(echo()), 200)] {
        let spy = Spy::default();
        let inner = UpgradeLayer::new(policy).layer(spy.clone());
        let thief = MapRequestLayer::new(|mut request: http::Request<hyper::body::Incoming>| {
            drop(hyper::upgrade::on(&mut request));
            request
        });
        let mut client = Client::over(serve(thief.layer(inner)));
        let response = client.ask(&offer()).await;
        response.head.is(status).lacks("upgrade");
        if status == 501 {
            assert!(
                response
                    .content
                    .contains("a layer further out took the handle")
            );
            assert!(spy.seen().is_empty());
        } else {
            assert_eq!(
                (spy.only().protocol, spy.only().lines("upgrade").len()),
                (None, 0)
            );
        }
    }
}

#[tokio::test]
async fn of_two_handles_hypers_counts_and_none_reaches_the_service() {
    // Rule 18: "The server's handle never reaches a service".
    let service = service_fn(async |mut request: http::Request<hyper::body::Incoming>| {
        assert!(request.extensions().get::<Pending>().is_none());
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        Ok::<http::Response<Full<Bytes>>, Infallible>(on_upgrade.accept(crate::spy::echo))
    });
    let (other, _) = tokio::io::duplex(1);
    let other = Pending::ready(other);
    let outer = MapRequestLayer::new(move |mut request: http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(other.clone());
        request
    });
    let layer = UpgradeLayer::new(Policy::require(echo()));
    let mut client = Client::over(serve(outer.layer(layer.layer(service))));
    client.offer(&offer()).await.is(101);
    client.send("over hyper's own").await;
    client.expect("over hyper's own").await;
}

#[tokio::test]
async fn of_a_server_without_upgrades_the_101_is_followed_by_the_end() {
    // Measured on hyper: hyper gives out its handle there too and nothing tells the two apart, so that rule 23
    // cannot hold; the `OnUpgrade` fails with the reason (see `hand_over`).
    let (mut client, _spy) = Spy::behind_on(Policy::require(echo()), serve_without_upgrades);
    client.offer(&offer()).await.is(101);
    client.expect_end().await;
    // Requests without an offer know no difference.
    let (mut client, _spy) = Spy::behind_on(Policy::offer(echo()), serve_without_upgrades);
    client.ask(&Request::get("/")).await.head.is(200);
}

/// A connection through two layers, and what reached the service behind both.
fn nested(outer: Policy, inner: Policy) -> (Client, Spy) {
    let spy = Spy::default();
    let inner = UpgradeLayer::new(inner).layer(spy.clone());
    let service = UpgradeLayer::new(outer).layer(inner);
    (Client::over(serve(service)), spy)
}

#[tokio::test]
async fn of_two_layers_the_outer_decides_and_the_inner_can_only_refuse() {
    // Rule 18: the outer layer takes the server's handle, so that the inner has none to hand over.
    for (outer, inner, status) in [
        (Policy::forbid(), Policy::require(echo()), 426),
        (
            Policy::offer(WebSocket::new()),
            Policy::require(echo()),
            426,
        ),
        (Policy::require(echo()), Policy::require(echo()), 501),
    ] {
        let (mut client, _) = nested(outer.clone(), inner.clone());
        let response = client.ask(&offer()).await;
        assert_eq!(
            response.head.status, status,
            "{outer:?} {inner:?}: {response:?}"
        );
        response.head.lacks("sec-websocket-accept");
        // No connection is lost to it.
        client.ask(&offer()).await.head.is(status);
    }
}

#[tokio::test]
async fn what_the_inner_layer_forbids_reaches_no_service() {
    // Rule 7: taken out is all that could switch the connection, the outer layer's future included.
    for inner in [Policy::forbid(), Policy::offer(WebSocket::new())] {
        let (mut client, spy) = nested(Policy::require(echo()), inner);
        client.ask(&offer()).await.head.is(200).lacks("upgrade");
        let seen = spy.only();
        assert_eq!((seen.protocol.as_deref(), seen.has_handle), (None, false));
        assert!(seen.lines("upgrade").is_empty());
        client.ask(&offer()).await.head.is(200);
    }
}

#[tokio::test]
async fn a_layer_that_hands_over_raw_leaves_the_connection_to_one_further_in() {
    // Rule 18: "(unless `hand_over_raw()` was asked for, for handlers with an extractor of their own)".
    let outer = Policy::require(echo()).or(WebSocket::new()).hand_over_raw();
    let (mut client, spy) = nested(outer, Policy::require(echo()));
    let request = Request::upgrade("/", "foo, ECHO/1.0").set("Connection", "x, Upgrade");
    client
        .offer(&request)
        .await
        .is(101)
        .has("connection", "upgrade")
        .has("upgrade", "echo/1.0");
    client.send("ping").await;
    client.expect("ping").await;
    assert_eq!(spy.only().lines("upgrade"), ["echo/1.0"]);
}
