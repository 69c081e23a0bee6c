//! `Acceptance`: an offer that was let through, and the head that answers it (rules 15 and 16).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use http::{
    HeaderMap, HeaderValue, StatusCode, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL,
        TRANSFER_ENCODING, UPGRADE,
    },
};

use super::{content::Content, policy::Policy, spoken::Spoken};
use crate::{
    grammar::List,
    protocol::Protocol,
    refusal::{Refusal, RefusalKind},
    websocket::{Handshake, Key, Subprotocol, WebSocket},
};

/// An offer that was let through: what was agreed, and what the answer depends on.
#[derive(Clone, Debug)]
pub struct Acceptance {
    agreed: Agreed,
    is_connect: bool,
    key: Option<Key>,
    content: Option<Content>,
}

impl Acceptance {
    pub(super) const fn new(
        agreed: Agreed,
        is_connect: bool,
        key: Option<Key>,
        content: Option<Content>,
    ) -> Self {
        Self {
            agreed,
            is_connect,
            key,
            content,
        }
    }

    /// Returns the selected protocol.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        self.agreed.protocol()
    }

    /// Returns the selected subprotocol of a WebSocket, if there is one.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed.subprotocol()
    }

    /// Returns the version of HTTP the request came in.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.agreed.version()
    }

    /// Returns whether the request is an extended CONNECT.
    #[must_use]
    pub const fn is_connect(&self) -> bool {
        self.is_connect
    }

    /// Returns how many octets of content may be read; `None` if the request has no content.
    #[must_use]
    pub fn content_limit(&self) -> Option<u64> {
        self.content.map(|content| content.limit)
    }

    pub(crate) const fn content(&self) -> Option<Content> {
        self.content
    }

    /// The key that the request brought, and that the answer must answer.
    pub(crate) const fn key(&self) -> Option<Key> {
        self.key
    }

    pub(crate) const fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    /// Whether the handler has an extractor of its own and writes the answer by itself.
    pub(crate) fn is_raw(&self) -> bool {
        self.agreed.policy.is_raw()
    }

    /// Whether the service is shown an HTTP/1.1 request.
    pub(crate) fn is_shown_as_http1(&self) -> bool {
        !self.is_connect || self.agreed.policy.translates()
    }

    /// Whether an answer with this status accepts: a 101, or the 2xx of a handler with an extractor
    /// of its own that was shown an extended CONNECT.
    pub(crate) fn is_accepted_by(&self, status: StatusCode) -> bool {
        status == StatusCode::SWITCHING_PROTOCOLS
            || (self.is_raw() && !self.is_shown_as_http1() && status.is_success())
    }

    /// Rule 16: a 101 that names a protocol must name the selected one.
    pub(crate) fn check_answer(&self, headers: &HeaderMap) -> Result<(), Refusal> {
        if headers.is_empty() {
            return Ok(());
        }
        let named = List::new(headers.get_all(UPGRADE));
        if self.agreed.are_layers(named.iter()) {
            return Ok(());
        }
        let hint = "the service answered 101 for another protocol than the one selected";
        Err(Refusal::new(RefusalKind::OtherProtocol, hint))
    }

    /// Rule 15: writes the head that accepts, over what the service put there.
    ///
    /// `chosen` counts where the policy names no subprotocols.
    pub(crate) fn write_answer(
        &self,
        headers: &mut HeaderMap,
        chosen: Option<Subprotocol>,
    ) -> StatusCode {
        if !headers.is_empty() {
            self.clear_answer(headers);
        }
        let selected = self.agreed.subprotocol_value().cloned().map(Subprotocol);
        let chosen = chosen.filter(|_| !self.agreed.names_subprotocols());
        if let Some(Subprotocol(name)) = selected.or(chosen) {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, name);
        }
        if let Some(key) = &self.key {
            key.answer(headers);
        }
        if self.is_connect {
            return StatusCode::OK;
        }
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, self.agreed.listed());
        StatusCode::SWITCHING_PROTOCOLS
    }

    /// Takes off what has no place in the answer, or is about to be written.
    fn clear_answer(&self, headers: &mut HeaderMap) {
        for name in [
            CONNECTION,
            CONTENT_LENGTH,
            SEC_WEBSOCKET_ACCEPT,
            TRANSFER_ENCODING,
            UPGRADE,
        ] {
            headers.remove(name);
        }
        // The selected subprotocol has the last word, save where a handler with an extractor of its
        // own chose by itself because the policy names none.
        if !self.is_raw() || self.agreed.names_subprotocols() {
            headers.remove(SEC_WEBSOCKET_PROTOCOL);
        }
    }
}

/// What was agreed on, and all that an upgraded connection keeps of its request: two words and the
/// version, nothing of the peer's.
///
/// A service may settle on another choice than the layer's until the connection is handed over.
pub(crate) struct Agreed {
    pub(super) policy: Arc<Policy>,
    pub(super) choice: AtomicU32,
    version: Version,
}

/// The indices of a protocol and of one of its subprotocols, in one word.
#[derive(Clone, Copy)]
pub(super) struct Choice {
    pub(super) protocol: u16,
    pub(super) subprotocol: Option<u16>,
}

impl Agreed {
    pub(super) fn new(
        policy: &Arc<Policy>,
        protocol: u16,
        handshake: Option<&Handshake>,
        version: Version,
    ) -> Self {
        let choice = Choice {
            protocol,
            subprotocol: handshake.and_then(|handshake| handshake.subprotocol),
        };
        Self {
            policy: Arc::clone(policy),
            choice: AtomicU32::new(choice.pack()),
            version,
        }
    }

    pub(super) fn choice(&self) -> Choice {
        Choice::unpack(self.choice.load(Ordering::Relaxed))
    }

    pub(crate) fn protocol(&self) -> &Protocol {
        #[expect(
            clippy::expect_used,
            reason = "the policy that an index was found in keeps it"
        )]
        self.spoken().expect("an index of this policy").protocol()
    }

    /// The names of its layers, as `Upgrade` has them.
    fn listed(&self) -> HeaderValue {
        match self.spoken() {
            Some(spoken) => spoken.listed().clone(),
            None => self.protocol().to_value(),
        }
    }

    /// Whether all of these are names of its layers.
    fn are_layers<'a>(&self, mut names: impl Iterator<Item = &'a [u8]>) -> bool {
        let layers = self.layers();
        names.all(|name| layers.iter().any(|layer| layer.matches(name)))
    }

    pub(super) fn layers(&self) -> &[Protocol] {
        self.spoken().map_or(&[], Spoken::layers)
    }

    fn spoken(&self) -> Option<&Spoken> {
        self.policy.spoken(self.choice().protocol)
    }

    pub(super) fn websocket(&self) -> Option<&WebSocket> {
        self.spoken()?.websocket()
    }

    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.subprotocol_value()?.to_str().ok()
    }

    pub(crate) const fn version(&self) -> Version {
        self.version
    }

    pub(crate) fn subprotocol_value(&self) -> Option<&HeaderValue> {
        let index = self.choice().subprotocol?;
        self.websocket()?.subprotocol(usize::from(index))
    }

    pub(crate) fn names_subprotocols(&self) -> bool {
        self.websocket().is_some_and(WebSocket::names_subprotocols)
    }
}

impl Choice {
    /// A subprotocol with that index is as good as not spoken.
    const NONE: u16 = u16::MAX;

    pub(super) fn pack(self) -> u32 {
        let subprotocol = self.subprotocol.unwrap_or(Self::NONE);
        u32::from(self.protocol) << 16 | u32::from(subprotocol)
    }

    const fn unpack(packed: u32) -> Self {
        let [a, b, c, d] = packed.to_be_bytes();
        let subprotocol = u16::from_be_bytes([c, d]);
        Self {
            protocol: u16::from_be_bytes([a, b]),
            subprotocol: if subprotocol == Self::NONE {
                None
            } else {
                Some(subprotocol)
            },
        }
    }
}

impl Clone for Agreed {
    fn clone(&self) -> Self {
        Self {
            policy: Arc::clone(&self.policy),
            choice: AtomicU32::new(self.choice.load(Ordering::Relaxed)),
            version: self.version,
        }
    }
}

impl fmt::Debug for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agreed")
            .field("protocol", self.protocol())
            .field("subprotocol", &self.subprotocol())
            .field("version", &self.version)
            .finish()
    }
}
