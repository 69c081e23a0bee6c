//! fastwebsockets' upgrade.

use axum::{
    Router,
    response::{IntoResponse, Response as AxumResponse},
    routing::any,
};
use bytes::Bytes;
use fastwebsockets::{
    WebSocketError,
    upgrade::{IncomingUpgrade, UpgradeFut, upgrade},
};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;

/// Answers 101 to whatever has a key and the version.
///
/// # Errors
/// The request has neither.
pub async fn handler<B>(mut request: Request<B>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, socket) = upgrade(&mut request)?;
    release(socket);
    Ok(response)
}

/// Its extractor for axum, on a route.
pub fn router() -> Router {
    Router::new().route("/chat/{room}", any(accept))
}

async fn accept(upgrade: IncomingUpgrade) -> AxumResponse {
    match upgrade.upgrade() {
        Ok((response, socket)) => {
            release(socket);
            response.into_response()
        }
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn release(socket: UpgradeFut) {
    tokio::spawn(async move { drop(socket.await.expect("the connection is upgraded")) });
}
