//! `OnUpgrade`, `Option<OnUpgrade>` and `Content` in axum's handlers, and what rejects them.

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::rejection::JsonRejection,
    middleware::map_response,
    response::{IntoResponse, Response},
    routing::any,
};
use http::StatusCode;
use tower::ServiceExt;
use tower_upgrade::{
    OnUpgrade, Policy, Protocol, Refusal, RefusalKind, UpgradeLayer, axum::Content,
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

fn offer() -> Request {
    Request::upgrade("/", "echo/1.0")
}

/// Turns a refusal among the answers into its kind and hint, as an outer layer may.
fn with_kinds(app: Router) -> Router {
    app.layer(map_response(async |response: Response| {
        match response.extensions().get::<Refusal>() {
            Some(refusal) => (refusal.status(), format!("{}", refusal.kind())).into_response(),
            None => response,
        }
    }))
}

#[tokio::test]
async fn a_handler_that_needs_an_offer_is_answered_500_where_none_was_let_through() {
    // A handler without its layer, or without an `Option` under `offer`, is a bug: 500.
    let handler = async |upgrade: OnUpgrade| -> Response { upgrade.accept(echo) };
    let unlayered = Router::new().route("/", any(handler));
    for (app, request) in [
        (app(handler, 0), Request::get("/")),
        (unlayered.clone(), Request::get("/")),
        (unlayered, offer()),
    ] {
        let answer = Client::over(serve(with_kinds(app))).ask(&request).await;
        answer.head.is(500);
        assert_eq!(answer.content, RefusalKind::NotNegotiated.as_str());
    }
    let mut client = Client::over(serve(app(handler, 0)));
    client.offer(&offer()).await.is(101);
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
    let answer = Client::over(serve(unlayered)).ask(&Request::get("/")).await;
    answer.head.has("content-type", "text/plain; charset=utf-8");
    assert!(
        answer.content.contains("UpgradeLayer"),
        "{}",
        answer.content
    );
}

#[tokio::test]
async fn a_handler_may_look_at_the_rejection() {
    // `Refusal` is a response, so `?` works in a handler.
    let handler = async |upgrade: Result<OnUpgrade, Refusal>| -> Result<Response, Refusal> {
        Ok(upgrade?.accept(echo))
    };
    let mut client = Client::over(serve(app(handler, 0)));
    client.ask(&Request::get("/")).await.head.is(500);
    client.offer(&offer()).await.is(101);
}

#[tokio::test]
async fn a_handler_that_takes_it_twice_gets_it_once() {
    // Rule 21: the first taker gets it.
    let handler = async |first: OnUpgrade, second: Option<OnUpgrade>| -> Response {
        assert!(second.is_none());
        first.accept(echo)
    };
    let mut client = Client::over(serve(app(handler, 0)));
    client.offer(&offer()).await.is(101);
}

#[tokio::test]
async fn content_reads_what_came_with_the_offer_and_then_bytes_are_the_protocols() {
    // Rule 12: "no byte of it ever reaches the upgraded I/O", and none behind it is lost.
    let handler = async |upgrade: OnUpgrade, Content(content): Content<Bytes>| -> Response {
        assert_eq!(content, "content");
        upgrade.accept(echo)
    };
    let mut client = Client::over(serve(app(handler, 64)));
    let mut bytes = offer().method("POST").content("content").to_bytes();
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
    let mut client = Client::over(serve(app(handler, 64)));
    let plain = Request::get("/").method("POST").content("no offer");
    assert_eq!(client.ask(&plain).await.content, "no offer");
    let declined = offer().method("POST").content("no");
    assert_eq!(client.ask(&declined).await.content, "no");
    let accepted = offer().method("POST").content("yes");
    client.offer(&accepted).await.is(101);
}

#[tokio::test]
async fn without_content_there_is_nothing_to_read() {
    // `Content` does not ask for content.
    let handler = async |upgrade: OnUpgrade, Content(content): Content<Bytes>| -> Response {
        assert!(content.is_empty());
        upgrade.accept(echo)
    };
    let mut client = Client::over(serve(app(handler, 64)));
    client.offer(&offer()).await.is(101);
}

#[tokio::test]
async fn an_extractor_that_is_no_proof_gets_no_connection() {
    // Rule 12: the handler read it, but not so that the layer could know.
    let handler = async |upgrade: OnUpgrade, content: Bytes| -> Response {
        assert_eq!(content, "content");
        upgrade.accept(echo)
    };
    let mut client = Client::over(serve(app(handler, 64)));
    let head = client
        .ask(&offer().method("POST").content("content"))
        .await
        .head;
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
    let json = |content| {
        let request = offer().method("POST").content(content);
        request.set("Content-Type", "application/json")
    };
    let mut client = Client::over(serve(app(handler, 64)));
    client.ask(&json("{}")).await.head.is(422);
    client.offer(&json("5")).await.is(101);
}

#[tokio::test]
async fn content_that_grows_beyond_the_limit_is_answered_413() {
    // A chunked body tells no length before it is read.
    let handler =
        async |upgrade: OnUpgrade, _: Content<Bytes>| -> Response { upgrade.accept(echo) };
    let chunked = |size: usize| {
        let offer = offer().method("POST").set("Transfer-Encoding", "chunked");
        let mut bytes = offer.to_bytes();
        let chunk = "x".repeat(size);
        bytes.extend_from_slice(format!("{size:x}\r\n{chunk}\r\n0\r\n\r\n").as_bytes());
        bytes
    };
    let mut client = Client::over(serve(app(handler, 64)));
    client.send(chunked(65)).await;
    client.head().await.is(413);
    let mut client = Client::over(serve(app(handler, 64)));
    client.send(chunked(64)).await;
    client.head().await.is(101);
}
