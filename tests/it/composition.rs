//! Inside and outside of tower-http's layers.

use std::{convert::Infallible, future::ready};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::mpsc;
use tower::{Layer, ServiceBuilder, service_fn, util::MapResponse};
use tower_http::{
    ServiceBuilderExt,
    catch_panic::CatchPanicLayer,
    compression::CompressionLayer,
    cors::{Any, CorsLayer},
    request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer},
    trace::TraceLayer,
};
use tower_upgrade::{OnUpgrade, Policy, Protocol, UpgradeLayer};

use crate::{
    echo::{Echo, PLAIN},
    http2::{self, connect},
    server::{Content, Served, serve},
    wire::{self, Client, Head, patiently},
};

fn protocol() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

fn offered() -> UpgradeLayer {
    UpgradeLayer::new(Policy::offer(protocol()))
}

fn required() -> UpgradeLayer {
    UpgradeLayer::new(Policy::require(protocol()))
}

fn offer() -> wire::Request {
    wire::Request::upgrade("/", "echo/1.0").set("Accept-Encoding", "gzip")
}

/// Checks that offers are accepted and echoed over both versions of HTTP and that a plain request
/// is answered. Returns the head of the 101.
async fn works<S, B>(service: S) -> Head
where
    S: Served<B>,
    B: Content,
{
    let mut client = Client::over(serve(service.clone()));
    client.ask(&wire::Request::get("/")).await.head.is(200);
    let head = client.offer(&offer()).await;
    head.is(101)
        .has("connection", "upgrade")
        .has("upgrade", "echo/1.0");
    client.send("hello").await;
    client.expect("hello").await;

    let client = http2::Client::of(service).await;
    let (_, mut stream) = client.open(connect("echo/1.0", "/")).await;
    stream.write("hello").await;
    stream.expect("hello").await;
    assert_eq!(client.send(http2::get("/")).await.body(), PLAIN);
    head
}

/// Answers a plain request with so much text that it is worth compressing.
fn large() -> impl Served<Full<Bytes>> {
    service_fn(|mut request: Request<Incoming>| {
        ready(Ok::<_, Infallible>(match OnUpgrade::take(&mut request) {
            Some(on_upgrade) => on_upgrade.accept(crate::echo::echo),
            None => Response::new("text ".repeat(1000).into()),
        }))
    })
}

/// Panics on a plain request, and on an offer when it already took it.
fn panicking() -> impl Served<Full<Bytes>> {
    service_fn(async |mut request: Request<Incoming>| {
        let _taken = OnUpgrade::take(&mut request);
        if request.uri().path() == "/panic" {
            panic!("as it was told to");
        }
        Ok::<Response<Full<Bytes>>, Infallible>(Response::default())
    })
}

#[tokio::test]
async fn trace_stands_on_either_side() {
    // `TraceLayer` wraps bodies and sees answers, and neither keeps an offer from being accepted.
    works(TraceLayer::new_for_http().layer(offered().layer(Echo::default()))).await;
    works(offered().layer(TraceLayer::new_for_http().layer(Echo::default()))).await;
}

#[tokio::test]
async fn compression_stands_on_either_side_and_leaves_a_101_alone() {
    // A 101 has no content to encode and says so by no field.
    let outside = CompressionLayer::new().layer(offered().layer(Echo::default()));
    works(outside)
        .await
        .lacks("content-encoding")
        .lacks("content-length");
    let inside = offered().layer(CompressionLayer::new().layer(Echo::default()));
    works(inside)
        .await
        .lacks("content-encoding")
        .lacks("content-length");
}

#[tokio::test]
async fn an_ordinary_answer_is_compressed_on_either_side() {
    // The twin: it does compress what is no 101.
    let get = wire::Request::get("/").set("Accept-Encoding", "gzip");
    let outside = CompressionLayer::new().layer(offered().layer(large()));
    let head = Client::over(serve(outside)).offer(&get).await;
    head.is(200).has("content-encoding", "gzip");
    let inside = offered().layer(CompressionLayer::new().layer(large()));
    let head = Client::over(serve(inside)).offer(&get).await;
    head.is(200).has("content-encoding", "gzip");
}

#[tokio::test]
async fn cors_outside_answers_preflights_and_marks_refusals() {
    // Outside of a required upgrade, CORS answers for the layer and lets pages read its refusals.
    let cors = CorsLayer::new().allow_origin(Any).allow_methods(Any);
    let service = required().layer(Echo::default());
    let inner = service.get_ref().clone();
    let preflight = wire::Request::get("/")
        .method("OPTIONS")
        .set("Origin", "http://a.example")
        .set("Access-Control-Request-Method", "GET");
    let mut client = Client::over(serve(cors.layer(service)));
    let answer = client.ask(&preflight).await;
    answer.head.is(200).has("access-control-allow-methods", "*");
    let answer = client.ask(&wire::Request::get("/")).await;
    answer.head.is(426).has("access-control-allow-origin", "*");
    assert_eq!(inner.calls(), 0);
    client
        .offer(&offer())
        .await
        .is(101)
        .has("access-control-allow-origin", "*");
}

#[tokio::test]
async fn cors_inside_sees_preflights_where_plain_requests_pass() {
    // Inside, a preflight is a plain request: `offer` lets it through and `require` does not.
    let cors = CorsLayer::new().allow_origin(Any);
    works(offered().layer(cors.clone().layer(Echo::default()))).await;
    let preflight = wire::Request::get("/")
        .method("OPTIONS")
        .set("Access-Control-Request-Method", "GET");
    let mut client = Client::over(serve(offered().layer(cors.clone().layer(Echo::default()))));
    client
        .ask(&preflight)
        .await
        .head
        .is(200)
        .has("access-control-allow-origin", "*");
    let mut client = Client::over(serve(required().layer(cors.layer(Echo::default()))));
    client
        .ask(&preflight)
        .await
        .head
        .is(426)
        .lacks("access-control-allow-origin");
}

#[tokio::test]
async fn request_ids_are_on_a_101_and_from_outside_on_refusals_too() {
    // Fields that a layer adds to a 101 stay in it, on whichever side it stands.
    let set = SetRequestIdLayer::x_request_id(MakeRequestUuid);
    let propagate = PropagateRequestIdLayer::x_request_id();
    let outside = set.layer(propagate.layer(required().layer(Echo::default())));
    let mut client = Client::over(serve(outside));
    let refused = client.ask(&wire::Request::get("/")).await.head;
    assert!(refused.is(426).only("x-request-id").is_some());
    let accepted = client.offer(&offer()).await;
    assert!(accepted.is(101).only("x-request-id").is_some());

    let inside = required().layer(set.layer(propagate.layer(Echo::default())));
    let mut client = Client::over(serve(inside));
    client
        .ask(&wire::Request::get("/"))
        .await
        .head
        .is(426)
        .lacks("x-request-id");
    let accepted = client.offer(&offer()).await;
    assert!(accepted.is(101).only("x-request-id").is_some());
}

#[tokio::test]
async fn a_panic_is_caught_on_either_side() {
    // A handler that panics with the offer in its hands is answered for, and the connection lives
    // on.
    let panics = wire::Request::upgrade("/panic", "echo/1.0");
    let outside = CatchPanicLayer::new().layer(offered().layer(panicking()));
    let mut client = Client::over(serve(outside));
    client.ask(&panics).await.head.is(500);
    client.ask(&wire::Request::get("/")).await.head.is(200);
    let inside = offered().layer(CatchPanicLayer::new().layer(panicking()));
    let mut client = Client::over(serve(inside));
    client.ask(&panics).await.head.is(500);
    client.ask(&wire::Request::get("/")).await.head.is(200);

    works(CatchPanicLayer::new().layer(offered().layer(Echo::default()))).await;
    works(offered().layer(CatchPanicLayer::new().layer(Echo::default()))).await;
}

#[tokio::test]
async fn it_stands_in_the_midst_of_a_stack() {
    // One stack of them all, over both versions of HTTP.
    let name = http::HeaderName::from_static("x-request-id");
    let service = ServiceBuilder::new()
        .set_request_id(name.clone(), MakeRequestUuid)
        .layer(TraceLayer::new_for_http())
        .propagate_request_id(name)
        .catch_panic()
        .compression()
        .layer(offered())
        .layer(CorsLayer::permissive())
        .concurrency_limit(8)
        .map_request(|mut request: Request<Incoming>| {
            let value = HeaderValue::from_static("1");
            request.headers_mut().insert("x-inside", value);
            request
        })
        .service(Echo::default());
    let head = works(service).await;
    assert!(head.only("x-request-id").is_some());
}

#[tokio::test]
async fn two_of_them_nest_and_the_inner_one_has_the_connection() {
    // The outer one lets an offer through in the form it came in only if it hands over raw.
    let outer = UpgradeLayer::new(Policy::offer(protocol()).hand_over_raw());
    works(outer.layer(offered().layer(Echo::default()))).await;
    // An outer one that forbids has the last word.
    let forbidding = UpgradeLayer::new(Policy::forbid());
    let service = forbidding.layer(offered().layer(Echo::default()));
    let answer = Client::over(serve(service)).ask(&offer()).await;
    assert_eq!(answer.content, PLAIN);
}

#[tokio::test]
async fn what_replaces_an_answer_stands_inside_of_the_layer() {
    // Rule 18: there the 101 never reaches the layer, so that nothing is handed over.
    let (told, mut yielded) = mpsc::unbounded_channel();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (told, on_upgrade) = (told.clone(), OnUpgrade::take(&mut request).unwrap());
        tokio::spawn(async move { told.send(on_upgrade.await.map(drop)) });
        let response = Response::builder().status(101);
        ready(response.body(Full::<Bytes>::default()))
    });
    let replaced = MapResponse::new(service, |mut response: Response<Full<Bytes>>| {
        *response.status_mut() = StatusCode::FORBIDDEN;
        response
    });
    let mut client = Client::over(serve(required().layer(replaced)));
    client
        .ask(&offer().set("Connection", "close, Upgrade"))
        .await
        .head
        .is(403);
    let error = patiently("what it yielded", yielded.recv())
        .await
        .unwrap()
        .unwrap_err();
    assert!(error.is_declined(), "{error:?}");
}
