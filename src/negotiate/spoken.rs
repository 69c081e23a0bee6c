//! `Spoken`: a protocol that a route speaks, with what it asks of an offer.

use http::{HeaderValue, Method, header::ALLOW};

use super::{
    content::{self, Content},
    offer::Offer,
};
use crate::{
    protocol::Protocol,
    refusal::{Refusal, RefusalKind},
    websocket::{Handshake, WebSocket},
};

/// A protocol that a route speaks, with what it asks of a request that offers it.
///
/// Made from a [`Protocol`] or a [`WebSocket`]; most code passes either to [`Policy`](super::Policy)
/// and never names this type.
///
/// # Examples
///
/// ```
/// use http::Method;
/// use tower_upgrade::{Policy, Protocol};
///
/// let exec = Protocol::new("tcp")?.methods([Method::POST]).content_limit(64 << 10);
/// let policy = Policy::require(exec);
/// # let _ = policy;
/// # Ok::<(), tower_upgrade::InvalidProtocol>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Spoken {
    protocol: Protocol,
    /// It, and what is spoken inside of it, from the lowest layer up.
    layers: Vec<Protocol>,
    listed: HeaderValue,
    methods: Vec<Method>,
    content_limit: Option<u64>,
    websocket: Option<WebSocket>,
}

impl Spoken {
    /// Names a protocol that is spoken inside of this one, or of the one named before: the 101 lists them all,
    /// from the lowest layer up ([RFC 9110 section 7.8]). The client has to offer the lowest.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_upgrade::{Policy, Protocol};
    ///
    /// // RFC 2817: from here on HTTP, inside of TLS
    /// let tls = Protocol::new("TLS/1.2")?.carrying(Protocol::new("HTTP/1.1")?);
    /// let policy = Policy::offer(tls);
    /// # let _ = policy;
    /// # Ok::<(), tower_upgrade::InvalidProtocol>(())
    /// ```
    ///
    /// [RFC 9110 section 7.8]: https://www.rfc-editor.org/rfc/rfc9110.html#section-7.8
    pub fn carrying(mut self, protocol: Protocol) -> Self {
        self.layers.push(protocol);
        let names: Vec<_> = self.layers.iter().map(Protocol::as_str).collect();
        if let Ok(listed) = HeaderValue::try_from(names.join(", ")) {
            // Shared from the first clone on, see `Protocol::new`.
            self.listed = listed.clone();
        }
        self
    }

    /// Refuses an `Upgrade` request with any other method, with 405. Without this, or with none,
    /// every method will do. An extended CONNECT has a method of its own, and is not asked for another.
    pub fn methods(mut self, methods: impl IntoIterator<Item = Method>) -> Self {
        self.methods = methods.into_iter().collect();
        self
    }

    /// Lets an HTTP/1.1 offer have content of up to so many octets; by default it must have none.
    ///
    /// More is refused with 413. The handler must read it to its end before it accepts, see
    /// [`OnUpgrade::content`](crate::OnUpgrade::content).
    pub const fn content_limit(mut self, octets: u64) -> Self {
        self.content_limit = Some(octets);
        self
    }

    /// Returns the protocol.
    pub(super) const fn protocol(&self) -> &Protocol {
        &self.protocol
    }

    /// Returns it with what is spoken inside of it, from the lowest layer up.
    pub(super) fn layers(&self) -> &[Protocol] {
        &self.layers
    }

    /// Returns the names of its layers, as `Upgrade` has them.
    pub(super) const fn listed(&self) -> &HeaderValue {
        &self.listed
    }

    /// Returns what is asked of a WebSocket handshake, if that is what this is.
    pub(super) const fn websocket(&self) -> Option<&WebSocket> {
        self.websocket.as_ref()
    }

    /// Rules 9 to 12, for a request whose offer names this protocol.
    pub(super) fn check(
        &self,
        offer: &Offer<'_>,
    ) -> Result<(Option<Handshake>, Option<Content>), Refusal> {
        if !offer.is_connect() {
            self.check_method(offer.head().method)?;
        }
        let fields = offer.fields();
        let handshake = match &self.websocket {
            Some(options) => Some(Handshake::check(options, fields, offer.head())?),
            None => None,
        };
        let content = content::check(fields, offer.head().version, self.content_limit)?;
        Ok((handshake, content))
    }

    fn check_method(&self, method: &Method) -> Result<(), Refusal> {
        if self.methods.is_empty() || self.methods.contains(method) {
            return Ok(());
        }
        let names: Vec<_> = self.methods.iter().map(Method::as_str).collect();
        let names = names.join(", ");
        let hint = format!("this protocol is begun by {names}");
        let refusal = Refusal::new(RefusalKind::MethodNotAllowed, hint);
        Err(match HeaderValue::try_from(names) {
            Ok(allow) => refusal.with_field(ALLOW, allow),
            Err(_) => refusal,
        })
    }
}

impl From<Protocol> for Spoken {
    /// The name `websocket` brings the whole handshake with it, in whatever way it is given.
    fn from(protocol: Protocol) -> Self {
        let is_websocket = protocol == Protocol::websocket();
        Self {
            layers: vec![protocol.clone()],
            listed: protocol.to_value(),
            protocol,
            methods: Vec::new(),
            content_limit: None,
            websocket: is_websocket.then(WebSocket::new),
        }
    }
}

impl From<WebSocket> for Spoken {
    fn from(options: WebSocket) -> Self {
        Self {
            websocket: Some(options),
            ..Self::from(Protocol::websocket())
        }
    }
}

impl Protocol {
    /// Asks for one of these methods, see [`Spoken::methods`].
    pub fn methods(self, methods: impl IntoIterator<Item = Method>) -> Spoken {
        Spoken::from(self).methods(methods)
    }

    /// Names a protocol that is spoken inside of this one, see [`Spoken::carrying`].
    pub fn carrying(self, protocol: Self) -> Spoken {
        Spoken::from(self).carrying(protocol)
    }

    /// Allows content of up to so many octets, see [`Spoken::content_limit`].
    pub fn content_limit(self, octets: u64) -> Spoken {
        Spoken::from(self).content_limit(octets)
    }
}
