//! An extended CONNECT, shown as the HTTP/1.1 request it stands for (rule 19).

use http::{
    HeaderValue, Method, Request, Uri, Version,
    header::{HOST, SEC_WEBSOCKET_KEY},
};

use super::{acceptance::Acceptance, http1};
use crate::{protocol::Protocol, websocket::Key};

/// Rewrites the head of an extended CONNECT as the `GET` with `Upgrade` that asks for the same.
pub(crate) fn translate<B>(request: &mut Request<B>, acceptance: &Acceptance) {
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    request.extensions_mut().remove::<super::ConnectProtocol>();
    let authority = request.uri().authority();
    let host = authority.and_then(|authority| HeaderValue::try_from(authority.as_str()).ok());
    if let Some(path) = request.uri().path_and_query() {
        *request.uri_mut() = Uri::from(path.clone());
    }
    let headers = request.headers_mut();
    if let (Some(host), false) = (host, headers.contains_key(HOST)) {
        headers.insert(HOST, host);
    }
    if !acceptance.has_key() && *acceptance.protocol() == Protocol::websocket() {
        headers.insert(SEC_WEBSOCKET_KEY, Key::STAND_IN);
    }
    http1::normalise(headers, acceptance);
}
