//! The answer that a client gets for that of an upstream.

use http::{HeaderMap, HeaderValue, Response, StatusCode, Version, header, response::Parts};

use super::{
    error::{TunnelError, TunnelErrorKind},
    exchange::Exchange,
    hop,
    verify::Switched,
};
use crate::{body::ResponseBody, grammar::List, websocket::Subprotocol};

/// Whether an answer can be passed on at all.
pub(super) fn check(head: &Parts) -> Result<(), TunnelError> {
    let hint = if hop::is_coded(&head.headers) {
        "the upstream's answer comes in a transfer coding other than `chunked`"
    } else if head.headers.len() > hop::MAX_FIELDS {
        "the upstream's answer has more fields than are passed on"
    } else {
        return Ok(());
    };
    Err(TunnelError::new(TunnelErrorKind::Answer, hint))
}

/// Passes an answer back.
pub(super) fn pass<R>(exchange: &Exchange, mut head: Parts, body: R) -> Response<ResponseBody<R>> {
    let required = required_upgrade(exchange.version, &head);
    clean(exchange, &mut head);
    // hyper writes it as that of the connection; another server would write what is there.
    head.version = exchange.version;
    if let Some(required) = required {
        head.headers.insert(header::UPGRADE, required);
        let upgrade = HeaderValue::from_static("upgrade");
        head.headers.insert(header::CONNECTION, upgrade);
    }
    Response::from_parts(head, ResponseBody::service(body))
}

/// Accepts what the upstream accepted; the layer writes the fields that switch.
pub(super) fn accept<R>(
    exchange: &Exchange,
    mut head: Parts,
    switched: Switched,
) -> Response<ResponseBody<R>> {
    clean(exchange, &mut head);
    head.version = exchange.version;
    head.status = StatusCode::SWITCHING_PROTOCOLS;
    for name in [
        header::CONTENT_LENGTH,
        header::SEC_WEBSOCKET_ACCEPT,
        header::SEC_WEBSOCKET_PROTOCOL,
    ] {
        head.headers.remove(name);
    }
    if let Some(name) = switched.subprotocol {
        head.extensions.insert(Subprotocol(name));
    }
    Response::from_parts(head, ResponseBody::own(bytes::Bytes::new()))
}

fn clean(exchange: &Exchange, head: &mut Parts) {
    let version = head.version;
    hop::strip(&mut head.headers);
    if let Some(via) = &exchange.via {
        hop::append_via(&mut head.headers, version, via);
    }
}

/// What a 426 must name (RFC 9110 15.5.22), on the one version that can carry it; never `h2c`.
fn required_upgrade(version: Version, head: &Parts) -> Option<HeaderValue> {
    if head.status != StatusCode::UPGRADE_REQUIRED || version != Version::HTTP_11 {
        return None;
    }
    let named = named_protocols(&head.headers);
    let named = HeaderValue::from_bytes(&named.join(&b", "[..])).ok();
    named.filter(|named| !named.is_empty())
}

fn named_protocols(headers: &HeaderMap) -> Vec<&[u8]> {
    let named = List::new(headers.get_all(header::UPGRADE));
    let is_h2c = |member: &&[u8]| member.eq_ignore_ascii_case(b"h2c");
    named.iter().filter(|member| !is_h2c(member)).collect()
}
