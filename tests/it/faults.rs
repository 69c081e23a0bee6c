//! What a service can do wrong, and what its client is told then (rules 12, 16 and 17).

use std::{convert::Infallible, future::ready};

use axum::{Router, routing::any};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use tower::{Layer, ServiceExt, service_fn};
use tower_upgrade::{
    OnUpgrade, Policy, Protocol, Refusal, RefusalKind, ResponseBody, UpgradeLayer,
    testing::{Answer, TestOffer},
    websocket::ExtensionOffers,
};

use crate::echo::echo;

type Body = Full<Bytes>;

/// What a service does.
type Does = fn(Request<Body>) -> Response<Body>;

fn layer() -> UpgradeLayer {
    let protocol = Protocol::new("echo/1.0").unwrap();
    UpgradeLayer::new(Policy::offer(protocol.content_limit(64)))
}

fn plain() -> TestOffer {
    TestOffer::from(Request::default())
}

fn offer() -> TestOffer {
    TestOffer::new("/", "echo/1.0")
}

fn connect() -> TestOffer {
    offer().extended_connect()
}

/// Offers of a protocol that the layer does not speak.
fn unspoken() -> TestOffer {
    TestOffer::new("/", "other")
}

async fn answer(offer: TestOffer, does: Does) -> Answer<ResponseBody<Body>> {
    let service = service_fn(move |request| ready(Ok::<_, Infallible>(does(request))));
    offer.send(layer().layer(service)).await.unwrap()
}

/// Checks that a service which does this is answered for, with a text and a refusal for outer layers.
async fn fails(kind: RefusalKind, status: u16, offer: TestOffer, does: Does) -> Response<()> {
    let answer = answer(offer, does).await;
    let not_switched = answer.client.expect_err("no connection");
    assert_eq!(not_switched.refusal().map(Refusal::kind), Some(kind));
    let (head, body) = answer.response.into_parts();
    let refusal = head.extensions.get::<Refusal>().expect("it is refused");
    assert_eq!(refusal.kind(), kind);
    assert!(kind.is_service_fault());
    assert_eq!(head.status, status);
    assert_eq!(head.headers["content-type"], "text/plain; charset=utf-8");
    let content = body.collect().await.unwrap().to_bytes();
    assert_eq!(content, format!("{}\n", refusal.hint()));
    Response::from_parts(head, ())
}

/// Checks that a service which does this is not interfered with, where it accepts.
async fn switches(status: u16, offer: TestOffer, does: Does) {
    let answer = answer(offer, does).await;
    assert_eq!(answer.response.status(), status);
    assert!(answer.response.extensions().get::<Refusal>().is_none());
    let _ = answer.into_client();
}

/// The same where there is nothing to accept.
async fn passes(status: u16, offer: TestOffer, does: Does) {
    let answer = answer(offer, does).await;
    let why = answer.client.expect_err("no connection");
    assert_eq!(why.status(), status);
    assert!(why.refusal().is_none() && !why.is_flawed(), "{why}");
}

fn accept(mut request: Request<Body>) -> Response<Body> {
    OnUpgrade::take(&mut request).unwrap().accept(echo)
}

fn ok(_: Request<Body>) -> Response<Body> {
    Response::default()
}

fn bare_101(_: Request<Body>) -> Response<Body> {
    Response::builder()
        .status(101)
        .body(Full::default())
        .unwrap()
}

#[tokio::test]
async fn a_101_that_no_decision_stands_behind_is_not_sent() {
    // Rule 16: it "is a bug in the service: 500, never sent".
    fails(RefusalKind::UnexpectedSwitch, 500, plain(), bare_101).await;
    fails(RefusalKind::UnexpectedSwitch, 500, unspoken(), bare_101).await;
    let other = unspoken().extended_connect();
    fails(RefusalKind::UnexpectedSwitch, 500, other, bare_101).await;
    passes(200, plain(), ok).await;
    passes(200, unspoken(), ok).await;
}

#[tokio::test]
async fn a_101_that_names_another_protocol_is_not_sent() {
    // Rule 16: "or one that names another protocol"; names compare without case.
    let naming_another = |request| {
        let mut answer = accept(request);
        answer
            .headers_mut()
            .insert("upgrade", "echo/2.0".parse().unwrap());
        answer
    };
    fails(RefusalKind::OtherProtocol, 500, offer(), naming_another).await;
    let naming_it = |request| {
        let mut answer = accept(request);
        answer
            .headers_mut()
            .insert("upgrade", "ECHO/1.0".parse().unwrap());
        answer
    };
    switches(101, offer(), naming_it).await;
}

#[tokio::test]
async fn an_acceptance_with_unread_content_closes_the_connection() {
    // Rule 12: "gets its acceptance turned into a 500 and the connection closed".
    let unread = offer().content("8 octets");
    let answer = fails(RefusalKind::ContentUnread, 500, unread, accept).await;
    assert_eq!(answer.headers()["connection"], "close");
    let empty = offer().insert_header("content-length", "0");
    switches(101, empty, accept).await;
}

#[tokio::test]
async fn an_acceptance_by_one_who_dropped_the_connection_is_not_sent() {
    // Dropping the `OnUpgrade` declines, so a 101 after that has nobody behind it.
    fails(RefusalKind::Abandoned, 500, offer(), bare_101).await;
    let taken_and_dropped = |mut request| {
        drop(OnUpgrade::take(&mut request));
        bare_101(request)
    };
    fails(RefusalKind::Abandoned, 500, offer(), taken_and_dropped).await;
    switches(101, offer(), accept).await;
}

#[tokio::test]
async fn a_2xx_without_an_acceptance_opens_no_tunnel() {
    // Rule 17: "it becomes 501".
    fails(RefusalKind::TunnelNotAccepted, 501, connect(), ok).await;
    let other = unspoken().extended_connect();
    fails(RefusalKind::TunnelNotAccepted, 501, other, ok).await;
    switches(200, connect(), accept).await;
}

#[tokio::test]
async fn what_has_no_place_in_an_acceptance_is_taken_off() {
    // Rule 15: "exactly `Connection: upgrade` and nothing else in it"; none of it on HTTP/2.
    let accept_oddly = |request| {
        let mut answer = accept(request);
        for (name, value) in [
            ("connection", "upgrade, close"),
            ("connection", "keep-alive"),
            ("upgrade", "Echo/1.0"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("sec-websocket-accept", "mine"),
            ("sec-websocket-protocol", "mine"),
            ("x-mine", "1"),
        ] {
            answer.headers_mut().append(name, value.parse().unwrap());
        }
        answer
    };
    for (offer, expected) in [
        (
            offer(),
            &["connection: upgrade", "upgrade: echo/1.0", "x-mine: 1"][..],
        ),
        (connect(), &["x-mine: 1"]),
    ] {
        let answer = answer(offer, accept_oddly).await;
        let fields = answer.response.headers().iter();
        let mut fields: Vec<_> = fields
            .map(|(n, v)| format!("{n}: {}", v.to_str().unwrap()))
            .collect();
        fields.sort();
        assert_eq!(fields, expected);
        let _ = answer.into_client();
    }
}

#[tokio::test]
async fn an_outer_layer_may_answer_in_another_way() {
    // The refusal in the extensions tells an outer layer that the service is at fault.
    let service = service_fn(|request| ready(Ok::<_, Infallible>(bare_101(request))));
    let service = layer().layer(service).map_response(|mut answer| {
        if answer
            .extensions()
            .get::<Refusal>()
            .is_some_and(|r| r.kind().is_service_fault())
        {
            *answer.status_mut() = http::StatusCode::BAD_GATEWAY;
        }
        answer
    });
    let answer = plain().send(service).await.unwrap();
    assert_eq!(answer.response.status(), 502);
}

#[tokio::test]
async fn extensions_that_a_handler_asks_for_and_cannot_be_read_are_answered_400() {
    // Rule 11: extensions are offered to the handler as parsed values.
    let handler = async |_: ExtensionOffers, upgrade: OnUpgrade| -> axum::response::Response {
        upgrade.accept(echo)
    };
    let app = Router::new().route("/", any(handler)).layer(layer());
    let offer = |extensions| offer().insert_header("sec-websocket-extensions", extensions);
    let answer = offer("a; b c").send(app.clone()).await.unwrap();
    assert_eq!(answer.refusal().kind(), RefusalKind::MalformedExtensions);
    assert_eq!(answer.response.status(), 400);
    let answer = offer("a; b=c").send(app).await.unwrap();
    let _ = answer.into_client();
}
