//! `Io`: a connection's bytes, from hyper or from any other server.

use std::{
    any::Any,
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::hyper::{ServerIo, TokioIo, rt};

/// A connection's bytes both ways, as awaiting a [`Pending`](crate::Pending) yields them.
///
/// Dropping it closes the connection.
pub struct Io(pub(super) Source);

pub(super) enum Source {
    Server(ServerIo),
    Other(Box<dyn AnyIo>),
}

impl Io {
    /// The concrete I/O with what was read ahead of it, if it is of this type.
    pub(super) fn downcast<T>(self) -> Result<(T, Bytes), Self>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        match self.0 {
            Source::Server(io) => io.downcast().map_err(|io| Self(Source::Server(io))),
            // `*io`, for the box around it has a type of its own.
            Source::Other(io) if !(*io).as_any().is::<T>() => Err(Self(Source::Other(io))),
            Source::Other(io) => {
                #[expect(clippy::expect_used, reason = "its type was just asked for")]
                let io = io.into_any().downcast::<T>().expect("of this type");
                Ok((*io, Bytes::new()))
            }
        }
    }

    pub(super) fn poll_read_hyper(
        &mut self,
        cx: &mut Context<'_>,
        buf: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Source::Server(io) => io.poll_read_hyper(cx, buf),
            Source::Other(io) => rt::Read::poll_read(Pin::new(&mut TokioIo::new(io)), cx, buf),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Source::Server(io) => io.tokio().poll_read(cx, buf),
            Source::Other(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Source::Server(io) => io.tokio().poll_write(cx, buf),
            Source::Other(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Source::Server(io) => io.tokio().poll_flush(cx),
            Source::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Source::Server(io) => io.tokio().poll_shutdown(cx),
            Source::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Source::Server(io) => io.tokio().poll_write_vectored(cx, bufs),
            Source::Other(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Source::Server(io) => io.is_write_vectored(),
            Source::Other(io) => io.is_write_vectored(),
        }
    }
}

impl fmt::Debug for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Io").finish_non_exhaustive()
    }
}

/// Any I/O, which can be asked for its type.
pub(crate) trait AnyIo: AsyncRead + AsyncWrite + Unpin + Send + Any {
    fn as_any(&self) -> &dyn Any;
    fn into_any(self: Box<Self>) -> Box<dyn Any>;
}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> AnyIo for T {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}
