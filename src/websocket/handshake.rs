//! The opening handshake, checked in the order of RFC 6455 4.2.1.

use http::{
    HeaderValue, Method, StatusCode, Version,
    header::{ALLOW, SEC_WEBSOCKET_VERSION},
};

use super::{authority::HostPort, key::Key, options::WebSocket, subprotocol};
use crate::{
    fields::{Fields, Lines},
    head::Head,
    refusal::{Refusal, RefusalKind},
};

/// A handshake that was found sound, with what the answer to it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    /// Absent where the request brought none, as over HTTP/2 it may.
    pub(crate) key: Option<Key>,
    /// The index of the selected subprotocol among those of the policy.
    pub(crate) subprotocol: Option<u16>,
}

impl Handshake {
    /// Rules 9 to 11, for a request that offers WebSocket.
    pub(crate) fn check(
        options: &WebSocket,
        fields: &Fields<'_>,
        head: &Head<'_>,
    ) -> Result<Self, Refusal> {
        let is_http1 = head.version < Version::HTTP_2;
        method(head, is_http1)?;
        let target = HostPort::of_request(fields, head)?;
        version(fields.version, is_http1)?;
        let key = key(fields.key, is_http1)?;
        options.origins.check(fields.origin, target, head)?;
        let subprotocol = match fields.subprotocol {
            Lines::None => None,
            _ => subprotocol::select(&options.subprotocols, &fields.subprotocol())?,
        };
        if options.requires_subprotocol() && subprotocol.is_none() {
            return Err(subprotocol_required());
        }
        Ok(Self { key, subprotocol })
    }
}

fn method(head: &Head<'_>, is_http1: bool) -> Result<(), Refusal> {
    if !is_http1 || *head.method == Method::GET {
        return Ok(());
    }
    let hint = "a WebSocket is opened by GET";
    Err(Refusal::new(RefusalKind::MethodNotAllowed, hint)
        .with_field(ALLOW, HeaderValue::from_static("GET")))
}

fn version(lines: Lines<'_>, is_http1: bool) -> Result<(), Refusal> {
    let hint = match lines {
        Lines::One(line) if line == "13" => return Ok(()),
        Lines::None => "`Sec-WebSocket-Version` is missing, 13 is required",
        Lines::One(_) => "`Sec-WebSocket-Version` is not 13",
        Lines::Many => "`Sec-WebSocket-Version` came more than once",
    };
    let refusal = Refusal::new(RefusalKind::WebSocketVersion, hint)
        .with_field(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    Err(if is_http1 {
        refusal
    } else {
        refusal.with_status(StatusCode::BAD_REQUEST)
    })
}

fn key(lines: Lines<'_>, is_http1: bool) -> Result<Option<Key>, Refusal> {
    if is_http1 {
        return Key::read(lines).map(Some);
    }
    // RFC 8441 5: the field is not used there; what a bridging proxy left in is answered.
    Ok(match lines {
        Lines::None => None,
        _ => Key::read(lines).ok(),
    })
}

#[cold]
fn subprotocol_required() -> Refusal {
    let hint =
        "`Sec-WebSocket-Protocol` names none of the subprotocols spoken here, and one is required";
    Refusal::new(RefusalKind::SubprotocolRequired, hint)
}
