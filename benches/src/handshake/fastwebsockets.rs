//! fastwebsockets' upgrade.

use bytes::Bytes;
use fastwebsockets::{WebSocketError, upgrade::upgrade};
use http::{Request, Response};
use http_body_util::Empty;

/// Answers 101 to whatever has a key and the version.
///
/// # Errors
/// The request has neither.
pub async fn handler<B>(mut request: Request<B>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, socket) = upgrade(&mut request)?;
    tokio::spawn(async move { drop(socket.await.expect("the connection is upgraded")) });
    Ok(response)
}
