//! What is extracted, and what is rejected, with a layer and without.

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::any,
};
use http::Method;
use http_body_util::BodyExt;
use tower_upgrade::{
    OnUpgrade, Policy, Protocol, UpgradeLayer, WebSocket, testing::TestOffer, ws::WebSocketUpgrade,
};

use super::{accept, both, echo};
use crate::{
    echo::echo as echo_bytes,
    http2::{self, connect},
    rust_client::opens_and_echoes,
    server::{serve, serve_without_upgrades},
    wire::{ACCEPT, Client, KEY, Request},
};

fn app(policy: Policy, handler: axum::routing::MethodRouter) -> Router {
    let layer = UpgradeLayer::new(policy);
    Router::new().route("/", handler.layer(layer))
}

/// A request that offers nothing.
fn plain() -> TestOffer {
    TestOffer::from(http::Request::default())
}

/// A handler of both kinds of requests.
async fn either(upgrade: Option<WebSocketUpgrade>) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.on_upgrade(echo),
        None => "plain".into_response(),
    }
}

/// A handler of two protocols.
async fn two(upgrade: Option<WebSocketUpgrade>, other: Option<OnUpgrade>) -> Response {
    match (upgrade, other) {
        (Some(upgrade), None) => upgrade.on_upgrade(echo),
        (None, Some(other)) => other.accept(echo_bytes),
        (upgrade, other) => format!("{upgrade:?} {other:?}").into_response(),
    }
}

fn two_protocols() -> Policy {
    Policy::offer(WebSocket::new()).or(Protocol::new("echo/1.0").unwrap())
}

#[tokio::test]
async fn a_broken_handshake_is_refused_and_a_sound_one_is_not() {
    // Without a layer as with one, by the rules of RFC 6455 4.2.1.
    let sound = TestOffer::websocket("/").insert_header("sec-websocket-key", KEY);
    let set = |name, value| sound.clone().insert_header(name, value);
    let broken = [
        (set("sec-websocket-key", "c2hvcnQ="), 400),
        (sound.clone().remove_header("sec-websocket-key"), 400),
        (set("sec-websocket-version", "8"), 426),
        (set("upgrade", "websocket/13"), 426),
        (set("connection", "xupgradey"), 426),
        (set("origin", "http://evil.example"), 403),
        (set("sec-websocket-protocol", "a, a"), 400),
        (sound.clone().method(Method::POST), 405),
        (plain(), 426),
    ];
    for app in both(any(accept)) {
        for (offer, status) in &broken {
            let answer = offer.clone().send(app.clone()).await.unwrap();
            let why = answer.client.expect_err("it is refused");
            assert_eq!(why.status(), *status, "{offer:?}");
            let upgrade = answer.response.headers().get_all("upgrade").iter();
            assert!(upgrade.eq((*status == 426).then_some("websocket").iter()));
        }
        let same = sound.clone().origin("http://localhost");
        let answer = same.send(app).await.unwrap();
        assert_eq!(answer.response.headers()["sec-websocket-accept"], ACCEPT);
        let _ = answer.into_client();
    }
}

#[tokio::test]
async fn over_http2_another_protocol_and_a_plain_request_are_refused() {
    // 501 and 405, which is what rule 8 says; a sound CONNECT beside them is accepted.
    for app in both(any(accept)) {
        let client = http2::Client::of(app).await;
        let answer = client.send(connect("echo/1.0", "/")).await;
        assert_eq!(answer.status(), 501);
        let answer = client.send(http2::get("/")).await;
        assert_eq!(answer.status(), 405);
        client.open(http2::websocket("/")).await;
    }
}

#[tokio::test]
async fn without_a_handle_of_the_server_it_is_refused() {
    // Behind a layer that forbids there is no offer left; a server without HTTP/1.1 upgrades gives a
    // handle that fails, so the other way to have none is that somebody took it.
    let forbidding = app(Policy::forbid(), any(accept));
    let mut client = Client::over(serve(forbidding));
    client.ask(&Request::websocket("/")).await.head.is(426);

    let taking = async |mut request: axum::extract::Request, next: axum::middleware::Next| {
        drop(hyper::upgrade::on(&mut request));
        next.run(request).await
    };
    let taken = Router::new().route("/", any(accept));
    let taken = taken.layer(axum::middleware::from_fn(taking));
    let mut client = Client::over(serve(taken));
    client.ask(&Request::websocket("/")).await.head.is(501);

    let alone = Router::new().route("/", any(accept));
    let mut client = Client::over(serve_without_upgrades(alone));
    client.offer(&Request::websocket("/")).await.is(101);
}

#[tokio::test]
async fn an_offer_of_another_protocol_that_was_let_through_is_a_bug_of_the_route() {
    // 500, and the hint says what to take; a WebSocket on the same route is extracted.
    let app = app(two_protocols(), any(accept));
    let mut client = Client::over(serve(app.clone()));
    let answer = client.ask(&Request::upgrade("/", "echo/1.0")).await;
    answer.head.is(500);
    assert!(answer.content.contains("OnUpgrade"), "{}", answer.content);
    opens_and_echoes(serve(app)).await;
}

#[tokio::test]
async fn an_option_leaves_other_protocols_to_others() {
    // A route of two protocols takes an `Option` of each.
    let app = app(two_protocols(), any(two));
    opens_and_echoes(serve(app.clone())).await;
    let mut client = Client::over(serve(app));
    client
        .offer(&Request::upgrade("/", "echo/1.0"))
        .await
        .is(101);
    client.send("bytes").await;
    client.expect("bytes").await;
}

#[tokio::test]
async fn of_two_in_one_handler_the_first_is_extracted() {
    // Rule 21: the second is rejected with what a connection without a handle is, or `None`.
    type Second = Result<WebSocketUpgrade, tower_upgrade::Refusal>;
    let handler = async |first: WebSocketUpgrade,
                         second: Second,
                         third: Option<WebSocketUpgrade>|
           -> Response {
        assert_eq!(second.unwrap_err().status(), 501);
        assert!(third.is_none());
        first.on_upgrade(echo)
    };
    for app in both(any(handler)) {
        opens_and_echoes(serve(app)).await;
    }
}

#[tokio::test]
async fn an_option_is_none_without_an_offer() {
    // With a layer that offers and without one; what is broken is still refused.
    let layered = app(Policy::offer(WebSocket::new()), any(either));
    for app in [layered, Router::new().route("/", any(either))] {
        let h2c = TestOffer::new("/", "other").insert_header("upgrade", "h2c");
        for plain in [plain(), h2c] {
            let answer = plain.send(app.clone()).await.unwrap().response;
            assert_eq!(answer.status(), 200);
            let content = answer.into_body().collect().await.unwrap();
            assert_eq!(content.to_bytes(), "plain");
        }
        let foreign = TestOffer::websocket("/").origin("http://evil.example");
        let answer = foreign.send(app.clone()).await.unwrap();
        assert_eq!(answer.response.status(), 403);
        opens_and_echoes(serve(app)).await;
    }
}

#[tokio::test]
async fn a_handler_that_drops_it_declines() {
    // The answer is the handler's own; over HTTP/2 its 200 opens no tunnel only where a layer stands.
    let handler = async |upgrade: WebSocketUpgrade| {
        drop(upgrade);
        http::StatusCode::FORBIDDEN
    };
    for app in both(any(handler)) {
        let mut client = Client::over(serve(app.clone()));
        client.ask(&Request::websocket("/")).await.head.is(403);
        let client = http2::Client::of(app).await;
        let answer = client.send(http2::websocket("/")).await;
        assert_eq!(answer.status(), 403);
    }
}

#[tokio::test]
async fn get_routes_take_connects_that_a_layer_translates() {
    // Rule 19, with this extractor.
    let policy = Policy::require(WebSocket::new()).translate_connect();
    let app = Router::new().route("/", axum::routing::get(accept));
    let app = tower::Layer::layer(&UpgradeLayer::new(policy), app);
    let client = http2::Client::of(app).await;
    let (_, stream) = client.open(http2::websocket("/")).await;
    crate::rust_client::echoes_messages(stream.0).await;
}
