//! `Client`: the client's end of an upgraded connection.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

/// The client's end of an upgraded connection, and what the answer says was agreed on.
///
/// Bytes go both ways as over a socket: `shutdown` ends the client's half, and dropping it closes
/// the connection. It can be given to any engine that takes tokio's I/O traits:
///
/// ```
/// use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
/// use tower_upgrade::testing::Client;
///
/// async fn socket(client: Client) -> WebSocketStream<Client> {
///     WebSocketStream::from_raw_socket(client, Role::Client, None).await
/// }
/// # let _ = socket;
/// ```
#[derive(Debug)]
pub struct Client {
    io: DuplexStream,
    terms: Terms,
}

/// What an answer says was agreed on.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) protocol: String,
    pub(super) subprotocol: Option<String>,
}

impl Client {
    pub(super) const fn new(io: DuplexStream, terms: Terms) -> Self {
        Self { io, terms }
    }

    /// Returns the protocol that was selected: `Upgrade` of a 101, `:protocol` of an extended CONNECT.
    #[must_use]
    pub fn protocol(&self) -> &str {
        &self.terms.protocol
    }

    /// Returns the subprotocol that was selected, if this is a WebSocket and there is one.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.terms.subprotocol.as_deref()
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Client {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
