//! What a client checks before it takes a connection for switched (RFC 9110 7.8, RFC 6455 4.1).

use http::{
    HeaderMap, HeaderName, StatusCode,
    header::{
        CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
        SEC_WEBSOCKET_PROTOCOL, TRANSFER_ENCODING, UPGRADE,
    },
    request,
};

use super::client::Terms;
use crate::{
    fields::Fields,
    grammar::{List, split_params},
    negotiate::{Form, Offer},
    protocol::Protocol,
    websocket::Key,
};

/// What is wrong with an answer that switches.
pub(super) type Flaw = &'static str;

/// Whether an answer with this status switches the connection: 101, or 2xx to an extended CONNECT.
pub(super) fn is_switched(asked: &request::Parts, status: StatusCode) -> bool {
    status == StatusCode::SWITCHING_PROTOCOLS
        || (status.is_success() && Offer::read(asked).is_connect())
}

/// Checks the head of an answer that switches, and reads what was agreed on.
pub(super) fn check(
    asked: &request::Parts,
    status: StatusCode,
    answer: &HeaderMap,
) -> Result<Terms, Flaw> {
    let protocol = match Offer::read(asked).form() {
        Form::Upgrade(offered) => check_upgrade(offered, answer)?,
        Form::Connect(protocol) => check_connect(protocol, status, answer)?,
        _ => return Err("the request offers nothing that could be switched to"),
    };
    let is_websocket = protocol == Protocol::websocket();
    if is_websocket && status == StatusCode::SWITCHING_PROTOCOLS {
        check_accept(&asked.headers, answer)?;
    }
    let subprotocol = if is_websocket {
        check_extensions(&asked.headers, answer)?;
        check_subprotocol(&asked.headers, answer)?
    } else {
        None
    };
    Ok(Terms {
        protocol: protocol.as_str().to_owned(),
        subprotocol,
    })
}

/// A 101 over HTTP/1.1 (RFC 9110 7.8).
fn check_upgrade(offered: &List<'_>, answer: &HeaderMap) -> Result<Protocol, Flaw> {
    let connection = only(answer, CONNECTION);
    if !connection.is_some_and(|line| line.eq_ignore_ascii_case("upgrade")) {
        return Err("`Connection` is not `upgrade` and nothing else");
    }
    check_content(answer)?;
    let named = only(answer, UPGRADE).and_then(|line| Protocol::new(line).ok());
    let Some(protocol) = named else {
        return Err("`Upgrade` does not name one protocol");
    };
    if !offered.iter().any(|member| protocol.matches(member)) {
        return Err("`Upgrade` names a protocol that was not offered");
    }
    Ok(protocol)
}

/// A 2xx to an extended CONNECT (RFC 9113 8.2.2 and 8.6).
fn check_connect(offered: &[u8], status: StatusCode, answer: &HeaderMap) -> Result<Protocol, Flaw> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err("HTTP/2 and 3 know no such status");
    }
    if answer.contains_key(CONNECTION) || answer.contains_key(UPGRADE) {
        return Err("`Connection` and `Upgrade` have no place in HTTP/2 and 3");
    }
    check_content(answer)?;
    let protocol = std::str::from_utf8(offered).ok();
    protocol
        .and_then(|protocol| Protocol::new(protocol).ok())
        .ok_or("`:protocol` names none")
}

/// No content follows the head (RFC 9110 8.6, RFC 9112 6.1).
///
/// A length of zero is let through, though it has no place either: axum's `Router` writes one into
/// every answer without, and hyper takes it off.
fn check_content(answer: &HeaderMap) -> Result<(), Flaw> {
    let mut lengths = answer.get_all(CONTENT_LENGTH).iter();
    if lengths.any(|length| length != "0") || answer.contains_key(TRANSFER_ENCODING) {
        return Err("it says that content follows");
    }
    Ok(())
}

/// RFC 6455 4.1 item 4 of what a client validates.
fn check_accept(asked: &HeaderMap, answer: &HeaderMap) -> Result<(), Flaw> {
    let Ok(key) = Key::read(Fields::read(asked).key) else {
        return Err("`Sec-WebSocket-Key` of the offer is none that can be answered");
    };
    let mut expected = HeaderMap::new();
    key.answer(&mut expected);
    if only(answer, SEC_WEBSOCKET_ACCEPT) == only(&expected, SEC_WEBSOCKET_ACCEPT) {
        Ok(())
    } else {
        Err("`Sec-WebSocket-Accept` does not answer the key")
    }
}

/// RFC 6455 4.1 item 5.
fn check_extensions(asked: &HeaderMap, answer: &HeaderMap) -> Result<(), Flaw> {
    let names = |headers| {
        let list = List::new(HeaderMap::get_all(headers, SEC_WEBSOCKET_EXTENSIONS));
        list.iter().map(|member| split_params(member).0)
    };
    if names(answer).all(|name| names(asked).any(|offered| offered == name)) {
        Ok(())
    } else {
        Err("`Sec-WebSocket-Extensions` names one that was not offered")
    }
}

/// RFC 6455 4.1 item 6: one that was offered, or none.
fn check_subprotocol(asked: &HeaderMap, answer: &HeaderMap) -> Result<Option<String>, Flaw> {
    if !answer.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    let offered = List::new(asked.get_all(SEC_WEBSOCKET_PROTOCOL));
    match only(answer, SEC_WEBSOCKET_PROTOCOL) {
        Some(named) if offered.iter().any(|member| member == named.as_bytes()) => {
            Ok(Some(named.to_owned()))
        }
        _ => Err("`Sec-WebSocket-Protocol` is not one that was offered"),
    }
}

/// The only line of a field; `None` if there is none, several, or one that is no text.
fn only(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut lines = headers.get_all(name).iter();
    let line = lines.next()?.to_str().ok()?;
    lines.next().is_none().then_some(line)
}
