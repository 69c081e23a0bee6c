//! hyper-tungstenite's upgrade.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_tungstenite::{tungstenite::error::ProtocolError, upgrade};

/// Answers 101 to whatever has a key and the version.
///
/// # Errors
/// The request has neither.
pub async fn handler<B>(mut request: Request<B>) -> Result<Response<Full<Bytes>>, ProtocolError> {
    let (response, socket) = upgrade(&mut request, None)?;
    tokio::spawn(async move { drop(socket.await.expect("the connection is upgraded")) });
    Ok(response)
}
