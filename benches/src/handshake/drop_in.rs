//! Our WebSocket extractor, in axum's place.

use axum::{
    Router,
    response::Response,
    routing::{MethodRouter, any},
};
use tower_upgrade::ws::WebSocketUpgrade;

use super::lifetime;

/// The extractor on a route, deciding by itself.
pub fn router() -> Router {
    Router::new().route("/chat/{room}", handler())
}

/// The same behind a layer with everything on.
pub fn router_with_everything() -> Router {
    router().route_layer(lifetime::everything())
}

fn handler() -> MethodRouter {
    any(async |upgrade: WebSocketUpgrade| -> Response {
        upgrade
            .protocols(["chat.v2", "chat.v1"])
            .on_upgrade(async |socket| drop(socket))
    })
}
