//! `Upgraded`: the connection after HTTP let go of it.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Version;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{hyper::rt, io::Io};
use crate::{negotiate::Agreed, protocol::Protocol};

/// An upgraded connection: bytes both ways, and what was agreed on.
///
/// It has the I/O traits of tokio and of hyper. Bytes that the client sent behind the head of its
/// request come first; the request's content never does. Dropping it closes the connection.
///
/// Nothing of the request is kept alive by it.
pub struct Upgraded {
    io: Io,
    agreed: Agreed,
}

impl Upgraded {
    pub(super) const fn new(io: Io, agreed: Agreed) -> Self {
        Self { io, agreed }
    }

    /// Returns the protocol that was selected, as the policy writes it.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        self.agreed.protocol()
    }

    /// Returns the subprotocol that was selected, if this is a WebSocket and there is one.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed.subprotocol()
    }

    /// Returns the version of HTTP that the request came in.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.agreed.version()
    }

    /// Gives back the I/O the connection was served on, with the bytes that were read ahead of it.
    ///
    /// `T` is a type with tokio's traits: that inside hyper-util's `TokioIo`, or the one a
    /// [`Pending`](crate::Pending) yielded.
    ///
    /// # Errors
    ///
    /// Gives the connection back if it is of another type: every HTTP/2 stream is.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// # use tower_upgrade::Upgraded;
    /// # fn raw(io: Upgraded) {
    /// match io.downcast::<tokio::net::TcpStream>() {
    ///     Ok(parts) => println!("{:?}, {} bytes read ahead", parts.io, parts.read_buf.len()),
    ///     Err(io) => println!("a stream over {:?}", io.version()),
    /// }
    /// # }
    /// ```
    pub fn downcast<T>(self) -> Result<Parts<T>, Self>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let Self { io, agreed } = self;
        match io.downcast() {
            Ok((io, read_buf)) => Ok(Parts { io, read_buf }),
            Err(io) => Err(Self { io, agreed }),
        }
    }
}

/// The parts of an [`Upgraded`], by [`Upgraded::downcast`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Parts<T> {
    /// The I/O.
    pub io: T,
    /// Bytes that were read from it already, and come before what it yields.
    pub read_buf: Bytes,
}

impl AsyncRead for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Upgraded {
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

impl rt::Read for Upgraded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        self.io.poll_read_hyper(cx, buf)
    }
}

impl rt::Write for Upgraded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self, cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(self, cx)
    }

    fn is_write_vectored(&self) -> bool {
        AsyncWrite::is_write_vectored(self)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write_vectored(self, cx, bufs)
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("agreed", &self.agreed)
            .finish_non_exhaustive()
    }
}
