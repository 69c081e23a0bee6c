//! An extended CONNECT, shown as the HTTP/1.1 request it stands for (rule 19).

use http::{
    HeaderValue, Method, Uri, Version, header::HOST, header::SEC_WEBSOCKET_KEY, request::Parts,
};

use super::{acceptance::Acceptance, http1};
use crate::{protocol::Protocol, websocket::Key};

/// Rewrites the head of an extended CONNECT as the `GET` with `Upgrade` that asks for the same.
pub(crate) fn translate(head: &mut Parts, acceptance: &Acceptance) {
    head.method = Method::GET;
    head.version = Version::HTTP_11;
    head.extensions.remove::<super::ConnectProtocol>();
    if !head.headers.contains_key(HOST) {
        let authority = head
            .uri
            .authority()
            .map(|a| HeaderValue::try_from(a.as_str()));
        if let Some(Ok(host)) = authority {
            head.headers.insert(HOST, host);
        }
    }
    if let Some(path) = head.uri.path_and_query() {
        head.uri = Uri::from(path.clone());
    }
    if !acceptance.has_key() && *acceptance.protocol() == Protocol::websocket() {
        head.headers.insert(SEC_WEBSOCKET_KEY, Key::STAND_IN);
    }
    http1::normalise(&mut head.headers, acceptance);
}
