//! `WebSocketUpgrade`: what a handler makes a WebSocket of.

use std::{borrow::Cow, fmt};

use ::axum::{Error, body::Body, response::Response};
use http::HeaderValue;

use super::{
    heartbeat::Heartbeat, options::Options, socket::WebSocket, subprotocols::Subprotocols,
};
use crate::{switch::Switch, upgrade::OnUpgrade};

/// An extractor for WebSocket handshakes that were let through.
///
/// See the [module's page](super) for an example. `Option<WebSocketUpgrade>` is `None` for requests
/// that offer no WebSocket.
///
/// Without an [`UpgradeLayer`](crate::UpgradeLayer) on its route it decides by itself, as
/// `Policy::require(WebSocket::new())` does; an `Option` as `Policy::offer(WebSocket::new())`.
///
/// # Errors
///
/// It is rejected with a [`Refusal`](crate::Refusal): what the policy refuses, if there is no layer; with 500 if
/// the layer let an offer through for another protocol, which is a bug of the route.
#[must_use = "dropping it declines the upgrade"]
pub struct WebSocketUpgrade<F = DefaultOnFailedUpgrade> {
    on_upgrade: OnUpgrade,
    /// What settles the answer where there is no layer to do it.
    switch: Option<Switch>,
    subprotocols: Subprotocols,
    options: Options,
    on_failed_upgrade: F,
}

impl WebSocketUpgrade {
    pub(super) fn new(
        on_upgrade: OnUpgrade,
        switch: Option<Switch>,
        subprotocols: Subprotocols,
    ) -> Self {
        Self {
            on_upgrade,
            switch,
            subprotocols,
            options: Options::default(),
            on_failed_upgrade: DefaultOnFailedUpgrade,
        }
    }
}

impl<F> WebSocketUpgrade<F> {
    /// Sets the bytes that are read at once, 4 KiB by default. Every connection has a buffer of this
    /// size, and a larger one for a larger message.
    pub fn read_buffer_size(mut self, bytes: usize) -> Self {
        self.options.config.read_buffer_size = bytes;
        self
    }

    /// Sets how much is collected before it is written, 128 KiB by default. What is collected is
    /// written at the latest by a flush, which [`WebSocket::send`] ends with; with 0 every message is.
    ///
    /// No memory is taken for it beforehand.
    pub fn write_buffer_size(mut self, bytes: usize) -> Self {
        self.options.config.write_buffer_size = bytes;
        self
    }

    /// Sets how much may wait to be written to a peer that does not take it, without limit by
    /// default; more is an error for who sends. It should exceed
    /// [`write_buffer_size`](Self::write_buffer_size) by a message, and exceeds it by a byte at least.
    pub fn max_write_buffer_size(mut self, bytes: usize) -> Self {
        self.options.config.max_write_buffer_size = bytes;
        self
    }

    /// Sets how large a message may be, 64 MiB by default; a larger one is an error for who receives.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.options.config.max_message_size = Some(bytes);
        self
    }

    /// Sets how large a frame of a message may be, 16 MiB by default, and never more than a message may be.
    pub fn max_frame_size(mut self, bytes: usize) -> Self {
        self.options.config.max_frame_size = Some(bytes);
        self
    }

    /// Sets whether frames that are not masked are taken too, against
    /// [RFC 6455 section 5.1](https://www.rfc-editor.org/rfc/rfc6455.html#section-5.1).
    pub fn accept_unmasked_frames(mut self, accept: bool) -> Self {
        self.options.config.accept_unmasked_frames = accept;
        self
    }

    /// Pings a silent peer, and gives it up when nothing arrives from it then; off by default.
    ///
    /// The heartbeat beats while the socket is read. Whatever arrives counts as a sign of life, also
    /// a part of a message; nothing is sent while there are such signs. Pongs to these pings are not
    /// shown to the handler. When the peer is given up, the socket yields [`DeadPeer`](super::DeadPeer),
    /// and the connection is closed.
    pub fn heartbeat(mut self, heartbeat: Heartbeat) -> Self {
        self.options.heartbeat = Some(heartbeat);
        self
    }

    /// Leaves it to the handler to say goodbye when the layer's [`Drain`](crate::Drain) is started, of
    /// which [`WebSocket::draining`] tells.
    ///
    /// By default the peer is then sent a close frame with the code 1001, while the socket is read or the
    /// next message is sent, and the stream ends once the peer has answered it. What the handler sends from then on is
    /// dropped, and fails only when the peer has closed: an error before would end a handler, and with
    /// it the connection, before the peer has read the goodbye.
    pub fn drain_by_handler(mut self) -> Self {
        self.options.is_drained_by_handler = true;
        self
    }

    /// Selects the first of these subprotocols that the client offers too; names compare exactly.
    /// With none in common none is selected.
    ///
    /// If the layer's policy names subprotocols, it has selected already, and this does nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use axum::response::Response;
    /// use tower_upgrade::ws::WebSocketUpgrade;
    ///
    /// async fn chat(upgrade: WebSocketUpgrade) -> Response {
    ///     upgrade.protocols(["chat.v2", "chat.v1"]).on_upgrade(async |socket| {
    ///         match socket.protocol().and_then(|name| name.to_str().ok()) {
    ///             Some("chat.v2") => println!("a new client"),
    ///             _ => println!("an old one"),
    ///         }
    ///     })
    /// }
    /// # let _ = chat;
    /// ```
    pub fn protocols<I>(mut self, protocols: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<Cow<'static, str>>,
    {
        let find = |name: I::Item| self.subprotocols.find(name.into().as_bytes());
        let selected = protocols.into_iter().find_map(find);
        self.subprotocols.select(selected);
        self
    }

    /// Returns the subprotocols the client offers, in its order.
    pub fn requested_protocols(&self) -> impl Iterator<Item = &HeaderValue> {
        self.subprotocols.requested()
    }

    /// Selects a subprotocol, as [`protocols`](Self::protocols) with one name does: one that the client does not
    /// offer is not selected, for the client would have to close the connection
    /// ([RFC 6455 section 4.1](https://www.rfc-editor.org/rfc/rfc6455.html#section-4.1)).
    pub fn set_selected_protocol(&mut self, protocol: HeaderValue) {
        let selected = self.subprotocols.find(protocol.as_bytes());
        self.subprotocols.select(selected);
    }

    /// Returns the subprotocol that is selected, if there is one.
    #[must_use]
    pub fn selected_protocol(&self) -> Option<&HeaderValue> {
        self.subprotocols.selected()
    }

    /// Sets what is called if no connection comes after the response; by default nothing is.
    ///
    /// The source of the error is an [`UpgradeError`](crate::UpgradeError).
    pub fn on_failed_upgrade<C>(self, callback: C) -> WebSocketUpgrade<C>
    where
        C: OnFailedUpgrade,
    {
        WebSocketUpgrade {
            on_upgrade: self.on_upgrade,
            switch: self.switch,
            subprotocols: self.subprotocols,
            options: self.options,
            on_failed_upgrade: callback,
        }
    }

    /// Accepts: gives the response to answer with, and the WebSocket to `callback` in a task of its
    /// own.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    #[must_use = "the request must be answered with it"]
    pub fn on_upgrade<C, Fut>(self, callback: C) -> Response
    where
        C: FnOnce(WebSocket) -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send + 'static,
        F: OnFailedUpgrade,
    {
        let (options, failed) = (self.options, self.on_failed_upgrade);
        let chosen = self.subprotocols.chosen();
        let selected = self.subprotocols.into_selected();
        let mut response: Response = self.on_upgrade.accept_or(
            move |io| callback(options.open(io, selected)),
            move |error| failed.call(Error::new(error)),
        );
        if let Some(chosen) = chosen {
            response.extensions_mut().insert(chosen);
        }
        match self.switch {
            Some(mut switch) => switch.settle(response).map(Body::new),
            None => response,
        }
    }
}

impl<F> fmt::Debug for WebSocketUpgrade<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketUpgrade")
            .field("on_upgrade", &self.on_upgrade)
            .field("subprotocols", &self.subprotocols)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// What is called when no connection comes: any `FnOnce(axum::Error)`.
pub trait OnFailedUpgrade: Send + 'static {
    /// Is told why.
    fn call(self, error: Error);
}

impl<F> OnFailedUpgrade for F
where
    F: FnOnce(Error) + Send + 'static,
{
    fn call(self, error: Error) {
        self(error);
    }
}

/// The default [`OnFailedUpgrade`], which does nothing.
#[derive(Debug)]
#[non_exhaustive]
pub struct DefaultOnFailedUpgrade;

impl OnFailedUpgrade for DefaultOnFailedUpgrade {
    fn call(self, _: Error) {}
}
