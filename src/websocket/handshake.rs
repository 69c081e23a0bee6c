//! The opening handshake, checked in the order of RFC 6455 4.2.1.

use http::{
    HeaderValue, Method, StatusCode, Version,
    header::{ALLOW, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION},
    request::Parts,
};

use super::{
    authority::HostPort,
    extension::{ExtensionOffers, MalformedExtensions},
    key::Key,
    options::WebSocket,
    subprotocol,
};
use crate::refusal::{Refusal, RefusalKind};

/// A handshake that was found sound, with what the answer to it depends on.
#[derive(Clone, Debug)]
pub(crate) struct Handshake {
    /// Absent where the request brought none, as over HTTP/2 it may.
    pub(crate) key: Option<Key>,
    /// The index of the selected subprotocol among those of the policy.
    pub(crate) subprotocol: Option<usize>,
    pub(crate) extensions: ExtensionOffers,
}

impl Handshake {
    /// Rules 9 to 11. `head` is that of a request that offers WebSocket.
    pub(crate) fn check(options: &WebSocket, head: &Parts) -> Result<Self, Refusal> {
        let is_http1 = head.version < Version::HTTP_2;
        method(head, is_http1)?;
        let target = HostPort::of_request(head)?;
        version(head, is_http1)?;
        let key = key(head, is_http1)?;
        options.origins.check(head, target)?;
        let subprotocol = subprotocol::select(&options.subprotocols, &head.headers)?;
        if options.require_subprotocol && subprotocol.is_none() {
            return Err(subprotocol_required());
        }
        let extensions = ExtensionOffers::from_headers(&head.headers).map_err(extensions)?;
        Ok(Self {
            key,
            subprotocol,
            extensions,
        })
    }
}

fn method(head: &Parts, is_http1: bool) -> Result<(), Refusal> {
    if !is_http1 || head.method == Method::GET {
        return Ok(());
    }
    let hint = "a WebSocket is opened by GET";
    Err(Refusal::new(RefusalKind::MethodNotAllowed, hint)
        .with_field(ALLOW, HeaderValue::from_static("GET")))
}

fn version(head: &Parts, is_http1: bool) -> Result<(), Refusal> {
    let mut lines = head.headers.get_all(SEC_WEBSOCKET_VERSION).iter();
    let hint = match (lines.next(), lines.next()) {
        (Some(line), None) if line == "13" => return Ok(()),
        (None, _) => "`Sec-WebSocket-Version` is missing, 13 is required",
        (Some(_), None) => "`Sec-WebSocket-Version` is not 13",
        (Some(_), Some(_)) => "`Sec-WebSocket-Version` came more than once",
    };
    let refusal = Refusal::new(RefusalKind::WebSocketVersion, hint)
        .with_field(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    Err(if is_http1 {
        refusal
    } else {
        refusal.with_status(StatusCode::BAD_REQUEST)
    })
}

fn key(head: &Parts, is_http1: bool) -> Result<Option<Key>, Refusal> {
    if is_http1 {
        return Key::from_headers(&head.headers).map(Some);
    }
    // RFC 8441 5: the field is not used there; what a bridging proxy left in is answered.
    let bridged = head.headers.contains_key(SEC_WEBSOCKET_KEY);
    Ok(bridged
        .then(|| Key::from_headers(&head.headers).ok())
        .flatten())
}

#[cold]
fn subprotocol_required() -> Refusal {
    let hint =
        "`Sec-WebSocket-Protocol` names none of the subprotocols spoken here, and one is required";
    Refusal::new(RefusalKind::SubprotocolRequired, hint)
}

#[cold]
fn extensions(error: MalformedExtensions) -> Refusal {
    Refusal::new(RefusalKind::MalformedExtensions, error.to_string())
}
