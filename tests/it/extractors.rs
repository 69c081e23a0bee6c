//! `OnUpgrade`, `Option<OnUpgrade>` and `Content` in axum's handlers, and what rejects them.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::rejection::JsonRejection,
    response::{IntoResponse, Response},
    routing::any,
};
use futures_util::stream;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tower_upgrade::{
    Limit, OnUpgrade, Policy, Protocol, Refusal, RefusalKind, UpgradeLayer,
    axum::Content,
    testing::{Answer, TestOffer},
};

use crate::{
    echo::echo,
    server::serve,
    wire::{Client, Request},
};

fn protocol() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

/// An app with one handler that may be offered `echo/1.0` with this much content.
fn app<H, T>(handler: H, limit: u64) -> Router
where
    H: axum::handler::Handler<T, ()>,
    T: 'static,
{
    let policy = Policy::offer(protocol().content_limit(limit));
    let route = any(handler).layer(UpgradeLayer::new(policy));
    Router::new().route("/", route)
}

fn offer() -> TestOffer {
    TestOffer::new("/", "echo/1.0")
}

/// An offer with content, which comes by POST.
fn post(content: &'static str) -> TestOffer {
    offer().method(Method::POST).content(content)
}

/// A request that offers nothing.
fn plain() -> TestOffer {
    TestOffer::from(http::Request::default())
}

async fn switches(offer: TestOffer, app: Router) {
    let _ = offer.send(app).await.unwrap().into_client();
}

/// What the handler or the layer says instead of switching.
async fn text(answer: Answer<Body>) -> String {
    assert!(answer.client.is_err());
    let content = answer.response.into_body().collect().await.unwrap();
    String::from_utf8(content.to_bytes().into()).unwrap()
}

#[tokio::test]
async fn a_handler_that_needs_an_offer_is_answered_500_where_none_was_let_through() {
    // A handler without its layer, or without an `Option` under `offer`, is a bug: 500.
    let handler = async |upgrade: OnUpgrade| -> Response { upgrade.accept(echo) };
    let unlayered = Router::new().route("/", any(handler));
    for (app, offer) in [
        (app(handler, 0), plain()),
        (unlayered.clone(), plain()),
        (unlayered, offer()),
    ] {
        let answer = offer.send(app).await.unwrap();
        assert_eq!(answer.response.status(), 500);
        assert_eq!(answer.refusal().kind(), RefusalKind::NotNegotiated);
    }
    switches(offer(), app(handler, 0)).await;
}

#[tokio::test]
async fn a_plain_connect_is_told_that_this_is_no_tunnel() {
    // Rule 5 lets it pass, also where an upgrade is required; that is no bug of the service.
    let handler = async |upgrade: OnUpgrade| -> Response { upgrade.accept(echo) };
    let layer = UpgradeLayer::new(Policy::require(protocol()));
    let app = Router::new().route("/", any(handler).layer(layer));
    let tunnel = http::Request::connect("http://a.example/").body(Body::empty());
    let answer = app.oneshot(tunnel.unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_IMPLEMENTED);
}

#[tokio::test]
async fn the_rejection_says_what_is_missing() {
    // The hint names the layer, the policy and the `Option` to reach for.
    let handler = async |upgrade: OnUpgrade| -> Response { upgrade.accept(echo) };
    let unlayered = Router::new().route("/", any(handler));
    let answer = plain().send(unlayered).await.unwrap();
    let media_type = answer.response.headers().get_all("content-type").iter();
    assert!(media_type.eq(["text/plain; charset=utf-8"].iter()));
    let text = text(answer).await;
    assert!(text.contains("UpgradeLayer"), "{text}");
}

#[tokio::test]
async fn a_handler_may_look_at_the_rejection() {
    // `Refusal` is a response, so `?` works in a handler.
    let handler = async |upgrade: Result<OnUpgrade, Refusal>| -> Result<Response, Refusal> {
        Ok(upgrade?.accept(echo))
    };
    let app = app(handler, 0);
    let answer = plain().send(app.clone()).await.unwrap();
    assert_eq!(answer.response.status(), 500);
    switches(offer(), app).await;
}

#[tokio::test]
async fn a_handler_that_takes_it_twice_gets_it_once() {
    // Rule 21: the first taker gets it.
    let handler = async |first: OnUpgrade, second: Option<OnUpgrade>| -> Response {
        assert!(second.is_none());
        first.accept(echo)
    };
    switches(offer(), app(handler, 0)).await;
}

#[tokio::test]
async fn content_reads_what_came_with_the_offer_and_then_bytes_are_the_protocols() {
    // Rule 12: "no byte of it ever reaches the upgraded I/O", and none behind it is lost.
    let handler = async |upgrade: OnUpgrade, Content(content): Content<Bytes>| -> Response {
        assert_eq!(content, "content");
        upgrade.accept(echo)
    };
    let mut client = Client::over(serve(app(handler, 64)));
    let offer = Request::upgrade("/", "echo/1.0").method("POST");
    let mut bytes = offer.content("content").to_bytes();
    bytes.extend_from_slice(b"and more");
    client.send(bytes).await;
    client.head().await.is(101);
    client.expect("and more").await;
}

#[tokio::test]
async fn content_can_come_before_its_offer_is_taken() {
    // By `Option`, by `OnUpgrade::take`, or not at all: the proof is in the request.
    let handler = async |Json(_): Json<()>| StatusCode::OK;
    let _: Router = Router::new().route("/", any(handler));
    let handler = async |upgrade: Option<OnUpgrade>, content: Content<String>| -> Response {
        match upgrade {
            Some(upgrade) if content.0 == "yes" => upgrade.accept(echo),
            _ => content.0.into_response(),
        }
    };
    let app = app(handler, 64);
    let plain = plain().method(Method::POST).content("no offer");
    let answer = plain.send(app.clone()).await.unwrap();
    assert_eq!(text(answer).await, "no offer");
    let declined = post("no").send(app.clone()).await.unwrap();
    assert_eq!(text(declined).await, "no");
    switches(post("yes"), app).await;
}

#[tokio::test]
async fn without_content_there_is_nothing_to_read() {
    // `Content` does not ask for content.
    let handler = async |upgrade: OnUpgrade, Content(content): Content<Bytes>| -> Response {
        assert!(content.is_empty());
        upgrade.accept(echo)
    };
    switches(offer(), app(handler, 64)).await;
}

#[tokio::test]
async fn an_extractor_that_is_no_proof_gets_no_connection() {
    // Rule 12: the handler read it, but not so that the layer could know.
    let handler = async |upgrade: OnUpgrade, content: Bytes| -> Response {
        assert_eq!(content, "content");
        upgrade.accept(echo)
    };
    let mut client = Client::over(serve(app(handler, 64)));
    let offer = Request::upgrade("/", "echo/1.0").method("POST");
    let head = client.ask(&offer.content("content")).await.head;
    head.is(500).has("connection", "close");
    client.expect_end().await;
}

#[tokio::test]
async fn the_inner_extractors_rejection_is_the_answer() {
    // What the extractor inside of `Content` rejects is declined by its own answer.
    async fn handler(
        upgrade: OnUpgrade,
        content: Result<Content<Json<u32>>, JsonRejection>,
    ) -> Response {
        match content {
            Ok(_) => upgrade.accept(echo),
            Err(rejection) => rejection.into_response(),
        }
    }
    let json = |content| post(content).insert_header("content-type", "application/json");
    let app = app(handler, 64);
    let rejected = json("{}").send(app.clone()).await.unwrap();
    assert_eq!(rejected.response.status(), 422);
    switches(json("5"), app).await;
}

#[tokio::test]
async fn a_request_whose_content_is_rejected_switches_nothing_and_the_next_may() {
    // The client reads axum's own answer, nothing of a switch, and the connection stays HTTP's: whether the
    // content was read (bad JSON) or not (no type), the next offer on it is let through.
    let handler = async |upgrade: OnUpgrade, Content(Json(n)): Content<Json<u32>>| -> Response {
        assert_eq!(n, 5);
        upgrade.accept(echo)
    };
    let limit = Limit::total(1);
    let policy = Policy::require(protocol().content_limit(64));
    let layer = UpgradeLayer::new(policy).limit(limit.clone());
    let app = Router::new().route("/", any(handler).layer(layer));
    let mut client = Client::over(serve(app));
    let offer = |content: &str| {
        Request::upgrade("/", "echo/1.0")
            .method("POST")
            .content(content)
    };
    let json = |content| offer(content).set("Content-Type", "application/json");
    for (offer, status, says) in [
        (json("5 and"), 400, "Failed to parse the request body"),
        (json("\"five\""), 422, "invalid type: string"),
        (offer("5"), 415, "`Content-Type: application/json`"),
    ] {
        let answer = client.ask(&offer).await;
        answer
            .head
            .is(status)
            .has("content-type", "text/plain; charset=utf-8")
            .lacks("upgrade")
            .lacks("connection");
        assert!(answer.content.contains(says), "{answer:?}");
        assert_eq!(limit.live(), 0);
    }
    client.offer(&json("5")).await.is(101);
    client.send("ping").await;
    client.expect("ping").await;
}

#[tokio::test]
async fn content_that_grows_beyond_the_limit_is_answered_413() {
    // A chunked body tells no length before it is read.
    let handler =
        async |upgrade: OnUpgrade, _: Content<Bytes>| -> Response { upgrade.accept(echo) };
    let send = |size: usize| {
        let chunk = Ok::<_, std::io::Error>("x".repeat(size));
        let chunks = Body::from_stream(stream::iter([chunk]));
        let offer = offer().method(Method::POST).body(chunks);
        offer.send(app(handler, 64))
    };
    let answer = send(65).await.unwrap();
    assert_eq!(answer.response.status(), 413);
    let _ = send(64).await.unwrap().into_client();
}
