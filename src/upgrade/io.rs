//! `Io`: a connection's bytes, from hyper or from any other server.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    hyper::{ServerIo, TokioIo, rt},
    pending::AnyIo,
};

pub(crate) enum Io {
    Server(ServerIo),
    Other(Box<dyn AnyIo>),
}

impl Io {
    /// The concrete I/O with what was read ahead of it, if it is of this type.
    pub(super) fn downcast<T>(self) -> Result<(T, Bytes), Self>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        match self {
            Self::Server(io) => io.downcast().map_err(Self::Server),
            // `*io`, for the box around it has a type of its own.
            Self::Other(io) if !(*io).as_any().is::<T>() => Err(Self::Other(io)),
            Self::Other(io) => {
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
        match self {
            Self::Server(io) => io.poll_read_hyper(cx, buf),
            Self::Other(io) => rt::Read::poll_read(Pin::new(&mut TokioIo::new(io)), cx, buf),
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Server(io) => io.tokio().poll_read(cx, buf),
            Self::Other(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Server(io) => io.tokio().poll_write(cx, buf),
            Self::Other(io) => Pin::new(io).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Server(io) => io.tokio().poll_flush(cx),
            Self::Other(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Server(io) => io.tokio().poll_shutdown(cx),
            Self::Other(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Server(io) => io.tokio().poll_write_vectored(cx, bufs),
            Self::Other(io) => Pin::new(io).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Server(io) => io.is_write_vectored(),
            Self::Other(io) => io.is_write_vectored(),
        }
    }
}
