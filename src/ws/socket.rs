//! `WebSocket`: messages both ways.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll},
};

use ::axum::Error;
use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use http::HeaderValue;

use super::{connection::Connection, message::Message};
use crate::lifetime::Draining;

/// A stream and a sink of messages, by [`WebSocketUpgrade::on_upgrade`](super::WebSocketUpgrade::on_upgrade).
///
/// Pings are answered and closings are acknowledged by themselves, while it is read; so are the
/// heartbeat and the goodbye of a drain. Dropping it closes the connection without a goodbye.
///
/// As a `Stream` and a `Sink` it can be split to be read and written by two tasks.
///
/// # Examples
///
/// ```
/// use tower_upgrade::ws::{Message, WebSocket};
///
/// async fn echo(mut socket: WebSocket) {
///     while let Some(Ok(message)) = socket.recv().await {
///         let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
///         if is_data && socket.send(message).await.is_err() {
///             return;
///         }
///     }
/// }
/// # let _ = echo;
/// ```
pub struct WebSocket(pub(super) Box<Connection>);

impl WebSocket {
    /// Boxed, for handlers move it: a future that does has room for it in both places.
    pub(super) fn new(connection: Connection) -> Self {
        Self(Box::new(connection))
    }

    /// Receives the next message; `None` at the end.
    ///
    /// # Errors
    ///
    /// The peer broke the protocol, sent more than is allowed, vanished without a closing, or did not
    /// answer a [`Heartbeat`](super::Heartbeat), see [`DeadPeer`](super::DeadPeer). The source is
    /// otherwise an `Error` of the crate tungstenite. It is the last item.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    pub async fn recv(&mut self) -> Option<Result<Message, Error>> {
        poll_fn(|cx| self.0.poll_message(cx)).await
    }

    /// Sends a message, and waits until it was written.
    ///
    /// # Errors
    ///
    /// The connection was lost or closed, or the buffer for writing is full.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, the message may or may not have been sent, or wait for the next.
    pub async fn send(&mut self, message: Message) -> Result<(), Error> {
        let mut this = Pin::new(self);
        poll_fn(|cx| this.as_mut().poll_ready(cx)).await?;
        this.as_mut().start_send(message)?;
        poll_fn(|cx| this.as_mut().poll_flush(cx)).await
    }

    /// Returns the subprotocol that was selected, if there is one.
    #[must_use]
    pub fn protocol(&self) -> Option<&HeaderValue> {
        self.0.protocol()
    }

    /// Returns a future that is ready once the layer's [`Drain`](crate::Drain) was started; without
    /// one, or without a layer, it never is.
    ///
    /// It is for handlers that do not read all the time, or that say goodbye by themselves, see
    /// [`WebSocketUpgrade::drain_by_handler`](super::WebSocketUpgrade::drain_by_handler).
    pub fn draining(&self) -> Draining {
        match self.0.io() {
            Some(io) => io.draining(),
            None => Draining::never(),
        }
    }
}

impl Stream for WebSocket {
    type Item = Result<Message, Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_message(cx)
    }
}

impl FusedStream for WebSocket {
    fn is_terminated(&self) -> bool {
        self.0.has_ended()
    }
}

impl Sink<Message> for WebSocket {
    type Error = Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.notice_drain(cx)?;
        let ready = self.0.poll_sink(cx, |sink, cx| sink.poll_ready(cx));
        ready.map_err(Error::new)
    }

    fn start_send(mut self: Pin<&mut Self>, message: Message) -> Result<(), Error> {
        self.0.start_send(message)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let flushed = self.0.poll_sink(cx, |sink, cx| sink.poll_flush(cx));
        flushed.map_err(Error::new)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        let closed = self.0.poll_sink(cx, |sink, cx| sink.poll_close(cx));
        closed.map_err(Error::new)
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("protocol", &self.protocol())
            .field("io", &self.0.io())
            .finish_non_exhaustive()
    }
}
