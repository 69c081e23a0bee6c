//! Ours, with every check on: the offer, the version, the key, the origin, the subprotocols.

use std::convert::Infallible;

use axum::{Router, response::Response as AxumResponse, routing::any};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use tower_upgrade::{OnUpgrade, Policy, UpgradeLayer, WebSocket};

/// The layer, for a path that is a WebSocket and nothing else.
pub fn layer() -> UpgradeLayer {
    UpgradeLayer::new(Policy::require(
        WebSocket::new().subprotocols(["chat.v2", "chat.v1"]),
    ))
}

/// Accepts what the layer let through.
pub async fn accept<B>(mut request: Request<B>) -> Result<Response<Empty<Bytes>>, Infallible> {
    Ok(match OnUpgrade::take(&mut request) {
        Some(on_upgrade) => on_upgrade.accept(|io| async move { drop(io) }),
        None => {
            let mut response = Response::new(Empty::new());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    })
}

/// The extractor on a route.
pub fn router() -> Router {
    Router::new()
        .route("/chat/{room}", any(handler))
        .route_layer(layer())
}

async fn handler(upgrade: OnUpgrade) -> AxumResponse {
    upgrade.accept(|io| async move { drop(io) })
}
