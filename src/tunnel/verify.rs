//! Whether an upstream's answer switches, and may be believed (RFC 9110 7.8, RFC 6455 4.1, RFC 8441 5).

use http::{HeaderMap, HeaderValue, StatusCode, header, response::Parts};

use super::{
    error::{TunnelError, TunnelErrorKind},
    exchange::{Asked, AskedBy},
};
use crate::{
    grammar::{List, split_params},
    negotiate::Acceptance,
    protocol::Protocol,
    websocket::Key,
};

/// What an upstream switched to.
#[derive(Debug)]
pub(super) struct Switched {
    pub(super) acceptance: Acceptance,
    pub(super) subprotocol: Option<HeaderValue>,
}

/// Reads an answer; `None` if it does not switch.
pub(super) fn verify(asked: Option<&Asked>, head: &Parts) -> Result<Option<Switched>, TunnelError> {
    let Some(asked) = asked else {
        return if head.status == StatusCode::SWITCHING_PROTOCOLS {
            Err(switch(
                "the upstream switched protocols, and nothing was offered",
            ))
        } else {
            Ok(None)
        };
    };
    let acceptance = match asked.form {
        AskedBy::Upgrade { .. } if head.status == StatusCode::SWITCHING_PROTOCOLS => {
            selected(&asked.acceptances, &head.headers)?
        }
        AskedBy::Connect if head.status.is_success() => match asked.acceptances.first() {
            Some(acceptance) => acceptance.clone(),
            None => return Ok(None),
        },
        AskedBy::Connect if head.status == StatusCode::SWITCHING_PROTOCOLS => {
            return Err(switch(
                "the upstream answered 101, which HTTP/2 does not have",
            ));
        }
        _ => return Ok(None),
    };
    if *acceptance.protocol() != Protocol::websocket() {
        return Ok(Some(Switched {
            acceptance,
            subprotocol: None,
        }));
    }
    if let AskedBy::Upgrade { key: Some(key) } = asked.form {
        check_accept(key, &head.headers)?;
    }
    let subprotocol = subprotocol(&asked.subprotocols, &head.headers)?;
    check_extensions(&asked.extensions, &head.headers)?;
    let acceptance = acceptance.with_subprotocol(subprotocol.as_ref());
    Ok(Some(Switched {
        acceptance: acceptance.ok_or_else(not_offered)?,
        subprotocol,
    }))
}

/// What a 101 selects: one protocol, and one that was offered.
fn selected(offered: &[Acceptance], headers: &HeaderMap) -> Result<Acceptance, TunnelError> {
    if !List::new(headers.get_all(header::CONNECTION)).contains("upgrade") {
        return Err(switch(
            "the upstream answered 101 without `Connection: upgrade`",
        ));
    }
    let named = List::new(headers.get_all(header::UPGRADE));
    let Some(name) = named.iter().next() else {
        return Err(switch("the upstream answered 101 and named no protocol"));
    };
    let mut offered = offered.iter();
    let Some(selected) = offered.find(|offered| offered.protocol().matches(name)) else {
        return Err(switch(
            "the upstream switched to a protocol that it was not offered",
        ));
    };
    if !selected.is_named_by(named.iter()) {
        let hint = "the upstream switched to more protocols than the one that it was offered";
        return Err(switch(hint));
    }
    Ok(selected.clone())
}

fn check_accept(key: Key, headers: &HeaderMap) -> Result<(), TunnelError> {
    let mut lines = headers.get_all(header::SEC_WEBSOCKET_ACCEPT).iter();
    match (lines.next(), lines.next()) {
        (Some(accept), None) if key.is_answered_by(accept) => Ok(()),
        _ => Err(TunnelError::new(
            TunnelErrorKind::Accept,
            "the upstream's `Sec-WebSocket-Accept` does not answer the key it was sent: it is no \
             WebSocket server, or something between changed the key",
        )),
    }
}

fn subprotocol(
    offered: &[HeaderValue],
    headers: &HeaderMap,
) -> Result<Option<HeaderValue>, TunnelError> {
    let mut lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let Some(chosen) = lines.next() else {
        return Ok(None);
    };
    let mut offered = offered
        .iter()
        .flat_map(|line| List::from_line(line.as_bytes()).iter());
    if lines.next().is_none() && offered.any(|offered| offered == chosen.as_bytes()) {
        return Ok(Some(chosen.clone()));
    }
    Err(not_offered())
}

/// Every extension that is selected was offered by its name.
fn check_extensions(offered: &[HeaderValue], headers: &HeaderMap) -> Result<(), TunnelError> {
    let name = |member| split_params(member).0;
    let is_offered = |chosen: &[u8]| {
        let mut offered = offered
            .iter()
            .flat_map(|line| List::from_line(line.as_bytes()).iter());
        offered.any(|offered| name(offered).eq_ignore_ascii_case(chosen))
    };
    let chosen = List::new(headers.get_all(header::SEC_WEBSOCKET_EXTENSIONS));
    if chosen.iter_all().map(name).all(is_offered) {
        return Ok(());
    }
    let hint = "the upstream selected a WebSocket extension that it was not offered";
    Err(TunnelError::new(TunnelErrorKind::Extension, hint))
}

#[cold]
fn switch(hint: &'static str) -> TunnelError {
    TunnelError::new(TunnelErrorKind::Switch, hint)
}

#[cold]
fn not_offered() -> TunnelError {
    let hint = "the upstream selected a WebSocket subprotocol that it was not offered";
    TunnelError::new(TunnelErrorKind::Subprotocol, hint)
}
