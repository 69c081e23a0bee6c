//! `Upgraded`: the connection after HTTP let go of it.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Version;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    guarded::Guarded,
    hyper::{TokioIo, rt},
    io::Io,
};
use crate::{
    lifetime::{Draining, Guard},
    negotiate::Agreed,
    protocol::Protocol,
};

/// An upgraded connection: bytes both ways, and what was agreed on.
///
/// It has the I/O traits of tokio and of hyper. Bytes that the client sent behind the head of its
/// request come first; the request's content never does. Dropping it closes the connection.
///
/// Nothing of the request is kept alive by it.
///
/// # Errors
///
/// Where a clock of the layer ran out, or the deadline of a [`Drain`](crate::Drain) struck, the connection
/// is closed at once, and reading and writing fail: [`Cause::of`](crate::observe::Cause::of) tells why.
pub struct Upgraded {
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// In a layer with no limits, clocks, drain or observer there is nothing to hold on to.
    Bare {
        io: Io,
        agreed: Agreed,
    },
    Guarded(Guarded),
}

impl Upgraded {
    pub(super) const fn bare(io: Io, agreed: Agreed) -> Self {
        let kind = Kind::Bare { io, agreed };
        Self { kind }
    }

    pub(super) const fn guarded(guard: Arc<Guard<Io>>) -> Self {
        let kind = Kind::Guarded(Guarded::new(guard));
        Self { kind }
    }

    fn agreed(&self) -> &Agreed {
        match &self.kind {
            Kind::Bare { agreed, .. } => agreed,
            Kind::Guarded(io) => io.guard().agreed(),
        }
    }

    /// Returns the protocol that was selected, as the policy writes it.
    #[must_use]
    pub fn protocol(&self) -> &Protocol {
        self.agreed().protocol()
    }

    /// Returns the subprotocol that the policy selected, if this is a WebSocket and there is one.
    #[must_use]
    pub fn subprotocol(&self) -> Option<&str> {
        self.agreed().subprotocol()
    }

    /// Returns the version of HTTP that the request came in.
    #[must_use]
    pub fn version(&self) -> Version {
        self.agreed().version()
    }

    /// Returns a future that is ready once the layer's [`Drain`](crate::Drain) was started; without
    /// one it never is.
    ///
    /// # Examples
    ///
    /// ```
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    /// use tower_upgrade::Upgraded;
    ///
    /// async fn serve(mut io: Upgraded) -> std::io::Result<()> {
    ///     let mut draining = std::pin::pin!(io.draining());
    ///     let mut buffer = [0; 1024];
    ///     loop {
    ///         tokio::select! {
    ///             () = &mut draining => return io.write_all(b"goodbye").await,
    ///             length = io.read(&mut buffer) => match length? {
    ///                 0 => return Ok(()),
    ///                 length => println!("{length} bytes"),
    ///             },
    ///         }
    ///     }
    /// }
    /// # let _ = serve;
    /// ```
    pub fn draining(&self) -> Draining {
        match &self.kind {
            Kind::Bare { .. } => Draining::never(),
            Kind::Guarded(io) => io.guard().draining(),
        }
    }

    /// Gives back the I/O the connection was served on, with the bytes that were read ahead of it.
    ///
    /// `T` is a type with tokio's traits: that inside hyper-util's `TokioIo`, or the one a
    /// [`Pending`](crate::Pending) yielded.
    ///
    /// What the layer's limits and drain know of the connection goes with it as a [`Lease`]. Its clocks
    /// end here, and a drain's deadline cannot close what it does not hold.
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
        let parts = |io, read_buf, kept| Parts {
            io,
            read_buf,
            lease: Lease(kept),
        };
        match self.kind {
            Kind::Bare { io, agreed } => match io.downcast() {
                Ok((io, read_buf)) => Ok(parts(io, read_buf, None)),
                Err(io) => Err(Self::bare(io, agreed)),
            },
            Kind::Guarded(io) => match io.downcast() {
                Ok((io, read_buf, guarded)) => Ok(parts(io, read_buf, Some(guarded))),
                Err(io) => {
                    let kind = Kind::Guarded(io);
                    Err(Self { kind })
                }
            },
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
    /// The connection's permits and its place in the drain: to be kept for as long as the I/O is.
    pub lease: Lease,
}

/// A connection's permits and its place in the layer's drain, which it gives up when it is dropped.
#[must_use = "dropping it returns the connection's permits"]
pub struct Lease(Option<Guarded>);

impl Lease {
    /// Returns a future as [`Upgraded::draining`] does.
    pub fn draining(&self) -> Draining {
        match &self.0 {
            Some(io) => io.guard().draining(),
            None => Draining::never(),
        }
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease").finish_non_exhaustive()
    }
}

/// Does the same with whichever it is.
macro_rules! either {
    ($self:expr, $io:ident => $operate:expr) => {
        match &mut $self.get_mut().kind {
            Kind::Bare { io: $io, .. } => $operate,
            Kind::Guarded($io) => $operate,
        }
    };
}

impl AsyncRead for Upgraded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, io => Pin::new(io).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        match &self.kind {
            Kind::Bare { io, .. } => io.is_write_vectored(),
            Kind::Guarded(io) => io.is_write_vectored(),
        }
    }
}

impl rt::Read for Upgraded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().kind {
            Kind::Bare { io, .. } => io.poll_read_hyper(cx, buf),
            Kind::Guarded(io) => rt::Read::poll_read(Pin::new(&mut TokioIo::new(io)), cx, buf),
        }
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
            .field("agreed", self.agreed())
            .finish_non_exhaustive()
    }
}
