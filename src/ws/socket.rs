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

use super::{
    connection::Connection,
    failing,
    message::{CloseFrame, Message},
};
use crate::lifetime::Draining;

/// A stream and a sink of messages, by [`WebSocketUpgrade::on_upgrade`](super::WebSocketUpgrade::on_upgrade).
///
/// Pings are answered and closings are acknowledged by themselves, while it is read; so are the
/// heartbeat and the goodbye of a drain. Who breaks the protocol is told so by a close frame. Dropping it
/// closes the connection without a goodbye; [`close_with`](Self::close_with) says one first, and lets the
/// peer read it.
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
    /// Where it is the peer's error, a close frame with the code that [`fail`](Self::fail) tells of was sent
    /// by then, as far as there was room for it, and nothing can be sent after it.
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

    /// Closes the connection of a peer that made an error, so that it gets to read why
    /// ([RFC 6455 section 7.1.7](https://www.rfc-editor.org/rfc/rfc6455.html#section-7.1.7)).
    ///
    /// It is for the errors of [`recv`](Self::recv) and of [`Message::to_text`], and sends the code of the
    /// first that fits, if no close frame was sent before:
    ///
    /// 1. none where the connection was lost, or the peer given up: it returns at once;
    /// 2. [`SIZE`](super::close_code::SIZE), 1009, if a message or a frame is too large;
    /// 3. [`INVALID`](super::close_code::INVALID), 1007, if a text, or the reason of a close, is not UTF-8;
    /// 4. [`PROTOCOL`](super::close_code::PROTOCOL), 1002, for all else that breaks the protocol;
    /// 5. [`ERROR`](super::close_code::ERROR), 1011, for an error of another source.
    ///
    /// It then goes on as [`close_with`](Self::close_with), which is also for codes of your own. The
    /// errors of `recv` have sent theirs already, as far as there was room, so that a handler may also
    /// just return. This is for a peer that is still sending: closed then, the connection would be reset, and the
    /// close frame perhaps lost.
    ///
    /// A socket that was split is put together again by `reunite`.
    ///
    /// # Cancel safety
    ///
    /// As of [`close_with`](Self::close_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_upgrade::ws::{Message, WebSocket};
    ///
    /// async fn listen(mut socket: WebSocket) {
    ///     while let Some(message) = socket.recv().await {
    ///         match message {
    ///             Ok(message) => println!("{message:?}"),
    ///             Err(error) => return socket.fail(&error).await,
    ///         }
    ///     }
    /// }
    /// # let _ = listen;
    /// ```
    pub async fn fail(&mut self, error: &Error) {
        if let Some(frame) = failing::told_of(error) {
            self.close_with(frame).await;
        }
    }

    /// Closes the connection, so that the peer gets to read all that was sent, and this.
    ///
    /// 1. The close frame is sent, unless one was sent before, by the handler, by a drain, or in answer to the
    ///    peer's. A reason of more than 123 bytes is cut.
    /// 2. Our half of the connection is ended.
    /// 3. What the peer still sends is read and thrown away, until it has ended its half too.
    ///
    /// All of that may take ten seconds. It ends sooner where the connection is lost, and where a clock
    /// of the layer or the deadline of its [`Drain`](crate::Drain) closes it. Nothing is kept of what
    /// is thrown away, however much that is.
    ///
    /// Nothing can be received or sent afterwards; the connection itself is closed when the socket is
    /// dropped. Who wants what the peer sends until it answers sends a [`Message::Close`], and
    /// receives on.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped, another call goes on from there, with ten seconds more, and
    /// dropping the socket closes the connection as always.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_upgrade::ws::{CloseFrame, Message, WebSocket, close_code};
    ///
    /// async fn numbers(mut socket: WebSocket) {
    ///     while let Some(Ok(message)) = socket.recv().await {
    ///         if message.to_text().is_ok_and(|text| text.parse::<u64>().is_err()) {
    ///             let (code, reason) = (close_code::POLICY, "not a number".into());
    ///             return socket.close_with(CloseFrame { code, reason }).await;
    ///         }
    ///     }
    /// }
    /// # let _ = numbers;
    /// ```
    pub async fn close_with(&mut self, frame: CloseFrame) {
        // Boxed, for a handler's task has room for it for as long as it lives.
        Box::pin(failing::linger(&mut self.0, frame)).await;
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
