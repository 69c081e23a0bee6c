//! `Policy`: what a route speaks, and how strictly.

use std::{fmt, sync::Arc};

use http::{HeaderValue, Version};

use super::spoken::Spoken;
use crate::{head::Head, refusal::Refusal};

/// What a route speaks, and how strictly.
///
/// | | the request offers something acceptable | it does not |
/// |---|---|---|
/// | [`require`](Self::require) | it is shown to the service with an [`OnUpgrade`](crate::OnUpgrade) | it is refused |
/// | [`offer`](Self::offer) | the same | it passes as an ordinary request |
/// | [`forbid`](Self::forbid) | it passes as an ordinary request | it passes |
///
/// Acceptable is an offer that names a protocol of the policy; the first that both name is selected.
/// What is wrong with the offer of that one (a malformed key, a foreign origin) is refused on `require`
/// and `offer` alike, whatever else was offered. An offer that passes
/// is taken out of the request: `Upgrade`, and its member in `Connection`.
///
/// # Examples
///
/// ```
/// use tower_upgrade::{Policy, Protocol, WebSocket};
///
/// let policy = Policy::offer(WebSocket::new().subprotocols(["v2", "v1"]))
///     .or(Protocol::new("echo/1.0")?)
///     .server_order();
/// # let _ = policy;
/// # Ok::<(), tower_upgrade::InvalidProtocol>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Policy {
    mode: Mode,
    pub(super) spoken: Vec<Spoken>,
    /// The protocols in order, as a 426 lists them.
    pub(super) listed: HeaderValue,
    pub(super) server_order: bool,
    pub(super) tls: Option<Arc<IsTls>>,
    pub(super) http: Option<Version>,
    raw: bool,
    translate: bool,
}

/// Whether a request came over TLS, by what its server left in its head.
type IsTls = dyn Fn(&Head<'_>) -> bool + Send + Sync;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Require,
    Offer,
    Forbid,
}

impl Policy {
    /// Refuses every request that does not offer this protocol or one added by [`or`](Self::or).
    ///
    /// Only a plain CONNECT passes, with the server's handle: it asks for a tunnel, not for this
    /// resource (RFC 9110 section 9.3.6). A router should have no route for it.
    pub fn require(spoken: impl Into<Spoken>) -> Self {
        Self::new(Mode::Require).or(spoken)
    }

    /// Switches to this protocol, or one added by [`or`](Self::or), where a request offers it; every
    /// other request passes.
    ///
    /// That includes an extended CONNECT for another protocol, which its service should refuse as a
    /// method it does not know; a 2xx to it is turned into 501.
    ///
    /// # Security
    ///
    /// `Origin` is checked on offers of WebSocket. If other requests of the route change something,
    /// guard them too, by tower-http's `CsrfLayer` for example.
    pub fn offer(spoken: impl Into<Spoken>) -> Self {
        Self::new(Mode::Offer).or(spoken)
    }

    /// Switches nothing: every request passes.
    pub fn forbid() -> Self {
        Self::new(Mode::Forbid)
    }

    const fn new(mode: Mode) -> Self {
        Self {
            mode,
            spoken: Vec::new(),
            listed: HeaderValue::from_static(""),
            server_order: false,
            tls: None,
            http: None,
            raw: false,
            translate: false,
        }
    }

    /// Adds a protocol, less wanted than those before it. To [`forbid`](Self::forbid) it adds none.
    pub fn or(mut self, spoken: impl Into<Spoken>) -> Self {
        if self.mode != Mode::Forbid {
            self.spoken.push(spoken.into());
            let names: Vec<_> = self.spoken.iter().map(|s| s.listed().as_bytes()).collect();
            if let Ok(listed) = HeaderValue::try_from(names.join(&b", "[..])) {
                // Shared from the first clone on, see `Protocol::new`.
                self.listed = listed.clone();
            }
        }
        self
    }

    /// Lets the order of this policy decide among several offered protocols, not the client's.
    pub const fn server_order(mut self) -> Self {
        self.server_order = true;
        self
    }

    /// Refuses requests for which `is_tls` says no with 426 and `Upgrade: TLS/1.2, HTTP/1.1` ([RFC
    /// 2817 section 4.2]). On HTTP/2 and 3, where no 426 can say so, the answer is 403.
    ///
    /// Only the server knows whether a connection is TLS, so let it leave a mark in the extensions.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_upgrade::Policy;
    ///
    /// #[derive(Clone)]
    /// struct Tls; // inserted into each request by the server that accepted the connection
    ///
    /// let policy = Policy::forbid().require_tls(|head| head.extensions.get::<Tls>().is_some());
    /// # let _ = policy;
    /// ```
    ///
    /// [RFC 2817 section 4.2]: https://www.rfc-editor.org/rfc/rfc2817.html#section-4.2
    pub fn require_tls<F>(mut self, is_tls: F) -> Self
    where
        F: Fn(&Head<'_>) -> bool + Send + Sync + 'static,
    {
        self.tls = Some(Arc::new(is_tls));
        self
    }

    /// Refuses requests in an older version of HTTP with 426 and an `Upgrade` that names this one; on
    /// HTTP/2, where no 426 can say so, with 505.
    pub const fn require_http(mut self, version: Version) -> Self {
        self.http = Some(version);
        self
    }

    /// Leaves hyper's own handle in the request, for handlers with an extractor of their own: axum's
    /// `WebSocketUpgrade`, fastwebsockets, hyper-tungstenite.
    ///
    /// The layer decides and refuses as ever, and shows such a handler one clean offer, however the
    /// client wrote it: `Connection: upgrade`, `Upgrade` with the selected protocol alone, and, if the
    /// policy has subprotocols, `Sec-WebSocket-Protocol` with the selected one. The handler accepts
    /// by 101, or by 2xx where it is shown an extended CONNECT.
    ///
    /// # What is lost
    ///
    /// There is no [`OnUpgrade`](crate::OnUpgrade), and what the layer guarantees through it is gone:
    /// hyper's handle can be fulfilled behind an answer that was no 101, and nothing of the life of
    /// the upgraded connection is seen by the layer: its limits and its drain refuse such offers too, but a permit
    /// returns with the answer, no clock runs, no drain waits or closes, and observers are told no more. An extended CONNECT is accepted by any 2xx,
    /// also that of a handler which knows nothing of it, unless
    /// [`translate_connect`](Self::translate_connect) is set too. Content is refused whatever the protocol allows,
    /// because such a handler cannot prove that it read it.
    ///
    /// # Other servers
    ///
    /// hyper's is the only handle that such handlers know. A [`Pending`](crate::Pending) counts as none, for they would
    /// reject what the layer had let through: where the server left nothing else, an offer is refused with 501 on
    /// [`require`](Self::require), and taken out on [`offer`](Self::offer). A handler that could await a `Pending`
    /// needs none of this: without it, its [`OnUpgrade`](crate::OnUpgrade) yields the same connection over every
    /// server, and nothing is lost.
    pub const fn hand_over_raw(mut self) -> Self {
        self.raw = true;
        self
    }

    /// Shows the service an extended CONNECT as the HTTP/1.1 `GET` with `Upgrade` it stands for, so
    /// that `get(..)` routes and handlers that know HTTP/1.1 only work over HTTP/2 and 3.
    ///
    /// Method, version, target, `Host`, `Connection`, `Upgrade` and, for a WebSocket without one,
    /// `Sec-WebSocket-Key` are rewritten, and cookies are joined in one line; the answer is turned back. The method is `GET` whatever
    /// methods the protocol asks of an `Upgrade` request.
    pub const fn translate_connect(mut self) -> Self {
        self.translate = true;
        self
    }

    /// Whether a request without an offer may be refused, so that it has to be looked at.
    pub(crate) fn has_demands(&self) -> bool {
        self.mode == Mode::Require || self.tls.is_some() || self.http.is_some()
    }

    pub(crate) fn is_required(&self) -> bool {
        self.mode == Mode::Require
    }

    pub(crate) const fn is_raw(&self) -> bool {
        self.raw
    }

    pub(crate) const fn translates(&self) -> bool {
        self.translate
    }

    pub(super) const fn is_forbidden(&self) -> bool {
        matches!(self.mode, Mode::Forbid)
    }

    pub(super) fn spoken(&self, index: u16) -> Option<&Spoken> {
        self.spoken.get(usize::from(index))
    }

    /// Gives a 426 the list of what is spoken here (rule 8).
    pub(super) fn complete(&self, refusal: Refusal) -> Refusal {
        refusal.with_upgrade(&self.listed)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy")
            .field("mode", &self.mode)
            .field("spoken", &self.spoken)
            .field("server_order", &self.server_order)
            .field("require_tls", &self.tls.is_some())
            .field("require_http", &self.http)
            .field("hand_over_raw", &self.raw)
            .field("translate_connect", &self.translate)
            .finish_non_exhaustive()
    }
}
