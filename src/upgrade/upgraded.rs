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

use super::{hyper::ServerIo, pending::AnyIo};
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

pub(super) enum Io {
    Server(ServerIo),
    Other(Box<dyn AnyIo>),
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
        match io {
            Io::Server(io) => match io.downcast() {
                Ok((io, read_buf)) => Ok(Parts { io, read_buf }),
                Err(io) => Err(Self::new(Io::Server(io), agreed)),
            },
            Io::Other(io) if (*io).as_any().is::<T>() => match io.into_any().downcast() {
                Ok(io) => Ok(Parts {
                    io: *io,
                    read_buf: Bytes::new(),
                }),
                Err(_) => unreachable!("its type was just asked for"),
            },
            Io::Other(io) => Err(Self::new(Io::Other(io), agreed)),
        }
    }

    pub(super) const fn io_mut(&mut self) -> &mut Io {
        &mut self.io
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
        match &mut self.io {
            Io::Server(io) => io.tokio().poll_read(cx, buf),
            Io::Other(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Server(io) => io.tokio().poll_write(cx, buf),
            Io::Other(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Server(io) => io.tokio().poll_flush(cx),
            Io::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Server(io) => io.tokio().poll_shutdown(cx),
            Io::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Server(io) => io.tokio().poll_write_vectored(cx, bufs),
            Io::Other(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Server(io) => io.is_write_vectored(),
            Io::Other(io) => io.is_write_vectored(),
        }
    }
}

impl fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgraded")
            .field("agreed", &self.agreed)
            .finish_non_exhaustive()
    }
}
