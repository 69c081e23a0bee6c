//! The layer in every place axum has for one.

use axum::{
    Router,
    body::Body,
    extract::Path,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tokio::net::{TcpListener, TcpStream};
use tower::{Layer, ServiceExt};
use tower_upgrade::{
    OnUpgrade, Policy, Protocol, Routes, UpgradeLayer, WebSocket, testing::TestOffer,
};

use crate::{
    echo::echo,
    http2::{self, connect},
    wire::{Client, Request},
};

fn protocol() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

fn required() -> UpgradeLayer {
    UpgradeLayer::new(Policy::require(protocol()))
}

async fn accept(upgrade: OnUpgrade) -> Response {
    upgrade.accept(echo)
}

async fn either(upgrade: Option<OnUpgrade>) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.accept(echo),
        None => "plain".into_response(),
    }
}

fn offer(path: &str) -> TestOffer {
    TestOffer::new(path, "echo/1.0")
}

/// Checks that `path` echoes to who offers, over HTTP/1.1 and HTTP/2.
async fn echoes(app: &Router, path: &str) {
    let upgrade = offer(path).insert_header("upgrade", "x, echo/1.0");
    for offer in [upgrade, offer(path).extended_connect()] {
        let client = offer.send(app.clone()).await.unwrap().into_client();
        assert_eq!(client.protocol(), "echo/1.0");
        let mut client = Client::over(client);
        client.send("hello").await;
        client.expect("hello").await;
    }
}

/// Checks the status of a plain GET.
async fn answers(app: &Router, path: &str, status: u16) {
    let get = http::Request::get(path).body(Body::empty()).unwrap();
    let answer = app.clone().oneshot(get).await.unwrap();
    assert_eq!(answer.status(), status, "{path}");
}

/// Checks the status of what the app answers to an offer by itself, and returns what it says.
async fn declines(app: &Router, path: &str, status: u16) -> String {
    let answer = offer(path).send(app.clone()).await.unwrap();
    let why = answer.client.unwrap_err();
    assert_eq!(why.status(), status, "{path}");
    assert!(why.refusal().is_none(), "{path}: {why}");
    let content = answer.response.into_body().collect().await.unwrap();
    String::from_utf8(content.to_bytes().into()).unwrap()
}

#[tokio::test]
async fn around_a_route_it_sees_that_route_alone() {
    // One line around a route gives it a policy; the route beside it sees offers as axum does.
    let app = Router::new()
        .route("/echo", any(accept).layer(required()))
        .route("/page", any(either));
    echoes(&app, "/echo").await;
    answers(&app, "/echo", 426).await;
    answers(&app, "/page", 200).await;
    declines(&app, "/page", 200).await;
}

#[tokio::test]
async fn a_route_layer_sees_the_routes_before_it_and_no_fallback() {
    // `route_layer` covers the routes added before it; what matches none is 404, not 426.
    let app = Router::new()
        .route("/echo", any(accept))
        .route("/rooms/{room}", any(accept))
        .route_layer(required())
        .route("/page", any(either));
    echoes(&app, "/echo").await;
    echoes(&app, "/rooms/1").await;
    answers(&app, "/echo", 426).await;
    answers(&app, "/page", 200).await;
    answers(&app, "/nowhere", 404).await;
}

#[tokio::test]
async fn a_layer_of_the_router_sees_its_fallback_too() {
    // `Router::layer` covers the fallback as well, so there even an unknown path wants an upgrade.
    let app = Router::new().route("/echo", any(accept)).layer(required());
    echoes(&app, "/echo").await;
    answers(&app, "/echo", 426).await;
    answers(&app, "/nowhere", 426).await;
}

#[tokio::test]
async fn it_works_in_nested_routers_at_every_depth() {
    // A layer in a nested router goes for its routes, however deep they are nested.
    let inner = Router::new()
        .route("/echo", any(accept))
        .route_layer(required());
    let middle = Router::new().nest("/b", inner).route("/page", any(either));
    let app = Router::new().nest("/a", middle);
    echoes(&app, "/a/b/echo").await;
    answers(&app, "/a/b/echo", 426).await;
    answers(&app, "/a/page", 200).await;
    answers(&app, "/a/b/nowhere", 404).await;
}

#[tokio::test]
async fn routes_see_the_path_that_is_left_where_the_layer_stands() {
    // axum takes the prefix off on the way into a nested router.
    let routes = |path: &str| {
        let routes = Routes::new().at(path, Policy::require(protocol()));
        UpgradeLayer::new(routes)
    };
    let inside = Router::new()
        .route("/echo", any(accept))
        .layer(routes("/echo"));
    echoes(&Router::new().nest("/a", inside), "/a/echo").await;

    let inner = Router::new().route("/echo", any(accept));
    let outside = Router::new().nest("/a", inner).layer(routes("/a/echo"));
    echoes(&outside, "/a/echo").await;
}

#[tokio::test]
async fn around_a_whole_app_each_path_has_its_policy() {
    // Patterns are those of axum, the more exact one goes first, and a query is no part of a path.
    let routes = Routes::new()
        .at("/rooms/{room}", Policy::require(protocol()))
        .at("/files/{*path}", Policy::offer(protocol()))
        .at("/rooms/lobby", Policy::forbid());
    let app = Router::new()
        .route("/rooms/{room}", any(either))
        .route("/files/{*path}", any(either))
        .route("/other", any(either));
    let app = Router::new().fallback_service(UpgradeLayer::new(routes).layer(app));

    echoes(&app, "/rooms/1").await;
    answers(&app, "/rooms/1", 426).await;
    answers(&app, "/rooms/1?q=/rooms/lobby", 426).await;
    echoes(&app, "/files/a/b/c").await;
    answers(&app, "/files/a/b/c", 200).await;
    for path in ["/rooms/lobby", "/other"] {
        assert_eq!(declines(&app, path, 200).await, "plain", "{path}");
    }
}

#[tokio::test]
async fn what_no_pattern_matches_has_the_policy_of_otherwise() {
    // `otherwise` is `forbid` unless it is set.
    let app = || Router::new().fallback(any(either));
    let routes = || Routes::new().at("/page", Policy::forbid());
    let layered =
        |routes: Routes| Router::new().fallback_service(UpgradeLayer::new(routes).layer(app()));
    let forbidding = layered(routes());
    answers(&forbidding, "/x", 200).await;

    let requiring = layered(routes().otherwise(Policy::require(protocol())));
    echoes(&requiring, "/x/y").await;
    answers(&requiring, "/x/y", 426).await;
    answers(&requiring, "/page", 200).await;
}

#[tokio::test]
async fn other_extractors_stand_beside_it() {
    // `OnUpgrade` is one extractor among others; what one of them rejects is declined.
    let handler = async |Path(room): Path<u32>, upgrade: OnUpgrade| -> Response {
        assert_eq!(room, 7);
        upgrade.accept(echo)
    };
    let app = Router::new().route("/rooms/{room}", any(handler).layer(required()));
    echoes(&app, "/rooms/7").await;
    declines(&app, "/rooms/x", 400).await;
}

#[tokio::test]
async fn a_connect_needs_a_route_for_any_method() {
    // axum compares the method before a layer of the route is asked.
    let app = Router::new().route("/echo", get(accept).layer(required()));
    let connect = offer("/echo").extended_connect();
    let answer = connect.send(app.clone()).await.unwrap();
    assert_eq!(answer.response.status(), StatusCode::METHOD_NOT_ALLOWED);
    let _ = offer("/echo").send(app).await.unwrap().into_client();
}

#[tokio::test]
async fn translated_around_a_router_a_connect_reaches_get_routes() {
    // Rule 19, behind a table, around a router, into a nested one.
    let inner = Router::new().route("/echo", get(accept));
    let routes = Routes::new().at("/a/echo", Policy::require(protocol()).translate_connect());
    let app = UpgradeLayer::new(routes).layer(Router::new().nest("/a", inner));
    echoes(&Router::new().fallback_service(app), "/a/echo").await;
}

#[tokio::test]
async fn a_websocket_route_of_an_app_is_refused_to_foreign_pages() {
    // Rule 10: one line in an app keeps the pages of others out.
    let routes = Routes::new().at("/chat", Policy::require(WebSocket::new()));
    let app = Router::new()
        .route("/chat", any(accept))
        .layer(UpgradeLayer::new(routes));
    let offer = TestOffer::websocket("http://a.example/chat");
    let foreign = offer.clone().origin("http://evil.example");
    let answer = foreign.send(app.clone()).await.unwrap();
    assert_eq!(answer.response.status(), 403);
    let own = offer.origin("http://a.example");
    let _ = own.send(app).await.unwrap().into_client();
}

#[tokio::test]
async fn axum_serve_carries_both_versions_of_http() {
    // `axum::serve` needs no setting for upgrades and extended CONNECT.
    let app = Router::new().route("/echo", any(accept).layer(required()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });

    let mut client = Client::connect(address).await;
    client
        .offer(&Request::upgrade("/echo", "echo/1.0"))
        .await
        .is(101);
    client.send("hello").await;
    client.finish().await;
    assert_eq!(client.read_to_end().await, b"hello");

    let client = http2::Client::over(TcpStream::connect(address).await.unwrap()).await;
    let (_, mut stream) = client.open(connect("echo/1.0", "/echo")).await;
    stream.write("hello").await;
    stream.end().await;
    assert_eq!(stream.rest().await, "hello");
    let answer = client.send(http2::request(Method::GET, "/echo")).await;
    assert_eq!(answer.headers()["allow"], "CONNECT");
}
