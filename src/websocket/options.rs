//! `WebSocket`: what a route that speaks it asks of a handshake.

use std::sync::Arc;

use http::HeaderValue;

use super::origin::{Origin, Origins};
use crate::{grammar::is_token, head::Head};

/// The WebSocket protocol with what a route asks of its opening handshake.
///
/// A handshake is checked in this order, and the first thing amiss is told
/// ([RFC 6455 section 4.2.1](https://www.rfc-editor.org/rfc/rfc6455.html#section-4.2.1)):
///
/// 1. the method is `GET` (`CONNECT` on HTTP/2 and 3), else 405;
/// 2. there is one valid `Host` or `:authority`, else 400;
/// 3. there is one `Sec-WebSocket-Version`, and it is `13`, else 426 (400 on HTTP/2 and 3);
/// 4. there is one `Sec-WebSocket-Key` of 16 octets, else 400 (not asked on HTTP/2 and 3);
/// 5. `Origin` is allowed, else 403;
/// 6. the offered subprotocols are unique tokens, and one is in common if
///    [`require_subprotocol`](Self::require_subprotocol) is set, else 400;
/// 7. there is no content, else 400.
///
/// The extensions that are offered are left to the handler: see
/// [`ExtensionOffers`](crate::websocket::ExtensionOffers).
///
/// # Examples
///
/// ```
/// use tower_upgrade::{Policy, WebSocket};
///
/// let policy = Policy::require(
///     WebSocket::new()
///         .subprotocols(["chat.v2", "chat.v1"])
///         .allow_origins(["https://app.example"]),
/// );
/// # let _ = policy;
/// ```
///
/// # Security
///
/// Browsers let any page open a WebSocket anywhere and send the visitor's cookies along. `Origin` is
/// what tells a page of yours from any other, so by default it must name the host and port that the
/// request was sent to. A request without `Origin` passes: it comes from no browser.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct WebSocket {
    pub(super) subprotocols: Vec<HeaderValue>,
    require_subprotocol: bool,
    pub(super) origins: Origins,
}

impl WebSocket {
    /// Returns WebSocket without subprotocols, for pages of the same host and port.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the subprotocols the route speaks, the most wanted first.
    ///
    /// The first that the client offers too is selected; names compare exactly. With none in common
    /// none is sent, unless [`require_subprotocol`](Self::require_subprotocol).
    ///
    /// # Panics
    ///
    /// Panics if a name is not a token or stands there twice.
    #[track_caller]
    pub fn subprotocols<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.subprotocols.clear();
        for name in names {
            let name = name.as_ref();
            assert!(
                is_token(name.as_bytes()),
                "subprotocol {name:?} is not a token"
            );
            assert!(
                self.subprotocols.iter().all(|other| other != name),
                "subprotocol {name:?} stands there twice"
            );
            // A token is a field value. The first clone of one makes it shared, so that later ones
            // are free.
            if let Ok(value) = HeaderValue::from_str(name) {
                self.subprotocols.push(value.clone());
            }
        }
        self
    }

    /// Refuses a client that offers none of the [`subprotocols`](Self::subprotocols) with 400; every
    /// client, if there are none.
    pub fn require_subprotocol(mut self) -> Self {
        self.require_subprotocol = true;
        self
    }

    /// Lets in pages of these origins and no others, the route's own host included.
    ///
    /// An origin is a scheme, a host and perhaps a port: `https://app.example`. Scheme and host
    /// compare without case, and a default port counts as written.
    ///
    /// # Panics
    ///
    /// Panics if a text is not an origin.
    #[track_caller]
    pub fn allow_origins<I>(mut self, origins: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let parse = |text: I::Item| {
            let origin = Origin::parse(text.as_ref());
            assert!(origin.is_some(), "{:?} is not an origin", text.as_ref());
            origin
        };
        self.origins = Origins::List(origins.into_iter().filter_map(parse).collect());
        self
    }

    /// Lets in pages whose origin passes `predicate`, which is shown `Origin` as it was written and
    /// the request's head. It is not asked where there is no `Origin`.
    pub fn allow_origin_if<F>(mut self, predicate: F) -> Self
    where
        F: Fn(&str, &Head<'_>) -> bool + Send + Sync + 'static,
    {
        self.origins = Origins::If(Arc::new(predicate));
        self
    }

    /// Compares `Origin` with the host in the last member of `Forwarded` or, where that names none, of
    /// `X-Forwarded-Host`, and with `Host` only where neither names one.
    ///
    /// # Security
    ///
    /// Only behind a proxy that sets one of these fields on every request; otherwise the client
    /// writes them itself.
    pub fn trust_forwarded_host(mut self) -> Self {
        self.origins = Origins::SameForwardedHost;
        self
    }

    /// Lets in every page of the web.
    ///
    /// # Security
    ///
    /// Any page a visitor opens can then open this WebSocket in the visitor's name, cookies
    /// included ([RFC 6455 section 10.2](https://www.rfc-editor.org/rfc/rfc6455.html#section-10.2)).
    /// Only for routes that give nothing to a cookie or to the network the visitor is in.
    pub fn dangerous_allow_any_origin(mut self) -> Self {
        self.origins = Origins::Any;
        self
    }

    /// Returns the name of the subprotocol with this index.
    pub(crate) fn subprotocol(&self, index: usize) -> Option<&HeaderValue> {
        self.subprotocols.get(index)
    }

    /// Whether there must be one.
    pub(crate) const fn requires_subprotocol(&self) -> bool {
        self.require_subprotocol
    }

    /// Whether the policy has a say in subprotocols at all.
    pub(crate) fn names_subprotocols(&self) -> bool {
        !self.subprotocols.is_empty()
    }
}
