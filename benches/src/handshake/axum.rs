//! axum's extractor.

use std::convert::Infallible;

use axum::{
    Router,
    extract::{FromRequestParts, WebSocketUpgrade},
    response::{IntoResponse, Response},
    routing::any,
};
use http::Request;

/// The extractor without a router.
pub async fn extractor<B>(request: Request<B>) -> Result<Response, Infallible> {
    let (mut parts, body) = request.into_parts();
    drop(body);
    Ok(
        match WebSocketUpgrade::from_request_parts(&mut parts, &()).await {
            Ok(upgrade) => accept(upgrade),
            Err(rejection) => rejection.into_response(),
        },
    )
}

/// The extractor on a route.
pub fn router() -> Router {
    Router::new().route(
        "/chat/{room}",
        any(async |upgrade: WebSocketUpgrade| accept(upgrade)),
    )
}

fn accept(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .protocols(["chat.v2", "chat.v1"])
        .on_upgrade(async |socket| drop(socket))
}
