//! Handshakes as one writes them with hyper alone: hardly a check, no limit, no end in sight.

use std::convert::Infallible;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE},
};
use http_body_util::{Empty, Full};
use hyper::{ext::Protocol, upgrade};
use sha1::{Digest, Sha1};

/// Answers 101 to whatever has a key.
pub async fn http1<B>(mut request: Request<B>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY) else {
        *response.status_mut() = StatusCode::BAD_REQUEST;
        return Ok(response);
    };
    let digest = Sha1::new().chain_update(key).chain_update(GUID).finalize();
    let accept = HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is visible");
    release(&mut request);
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// Answers 200 to an extended CONNECT for WebSocket.
pub async fn http2<B>(mut request: Request<B>) -> Result<Response<Empty<Bytes>>, Infallible> {
    let mut response = Response::new(Empty::new());
    let protocol = request.extensions().get::<Protocol>();
    if request.method() == Method::CONNECT
        && protocol.is_some_and(|protocol| protocol.as_str() == "websocket")
    {
        release(&mut request);
    } else {
        *response.status_mut() = StatusCode::NOT_IMPLEMENTED;
    }
    Ok(response)
}

/// Answers 200 to anything, and upgrades nothing.
pub async fn plain<B>(request: Request<B>) -> Result<Response<Full<Bytes>>, Infallible> {
    drop(request);
    Ok(Response::new(Full::new(Bytes::from_static(b"hello"))))
}

fn release<B>(request: &mut Request<B>) {
    let on_upgrade = upgrade::on(request);
    tokio::spawn(async move { drop(on_upgrade.await.expect("the connection is upgraded")) });
}

/// What RFC 6455 appends to the key.
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
