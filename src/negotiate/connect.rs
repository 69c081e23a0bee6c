//! An extended CONNECT, shown as the HTTP/1.1 request it stands for (rule 19).

use http::{
    HeaderMap, HeaderValue, Method, Request, Uri, Version,
    header::{COOKIE, HOST, SEC_WEBSOCKET_KEY},
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
    if acceptance.key().is_none() && *acceptance.protocol() == Protocol::websocket() {
        headers.insert(SEC_WEBSOCKET_KEY, Key::STAND_IN);
    }
    join_cookies(headers);
    http1::normalise(headers, acceptance);
}

/// RFC 9113 8.2.3: over HTTP/2 each cookie may come in a line of its own, over HTTP/1.1 it may not.
pub(crate) fn join_cookies(headers: &mut HeaderMap) {
    let mut lines = headers.get_all(COOKIE).iter();
    if lines.nth(1).is_none() {
        return;
    }
    let lines: Vec<_> = headers
        .get_all(COOKIE)
        .iter()
        .map(HeaderValue::as_bytes)
        .collect();
    // Field values joined by another one are a field value, so this does not fail.
    if let Ok(joined) = HeaderValue::from_bytes(&lines.join(&b"; "[..])) {
        headers.insert(COOKIE, joined);
    }
}
