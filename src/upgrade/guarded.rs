//! `Guarded`: an upgraded connection in its guard's hands.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::io::Io;
use crate::lifetime::{Direction, Guard};

/// Lets go of the connection when it is dropped.
pub(super) struct Guarded(Arc<Guard<Io>>);

impl Guarded {
    pub(super) const fn new(guard: Arc<Guard<Io>>) -> Self {
        Self(guard)
    }

    pub(super) fn guard(&self) -> &Arc<Guard<Io>> {
        &self.0
    }

    /// The concrete I/O with what was read ahead of it, if it is of this type.
    pub(super) fn downcast<T>(self) -> Result<(T, Bytes, Self), Self>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let Some(io) = self.0.lend() else {
            return Err(self);
        };
        match io.downcast() {
            Ok((io, read_buf)) => Ok((io, read_buf, self)),
            Err(io) => {
                self.0.give_back(io);
                Err(self)
            }
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.0.let_go();
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = self.0.poll(cx, Direction::Read, |io, cx| {
            let (filled, room) = (buf.filled().len(), buf.remaining());
            let polled = Pin::new(io).poll_read(cx, buf);
            // Without room, nothing is read and nothing has ended.
            polled.map_ok(|()| (room > 0).then(|| buf.filled().len() - filled))
        });
        read.map_ok(|_| ())
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.poll(cx, Direction::Write, |io, cx| {
            Pin::new(io).poll_write(cx, buf).map_ok(Some)
        })
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = self.0.poll(cx, Direction::Write, |io, cx| {
            Pin::new(io).poll_flush(cx).map_ok(|()| None)
        });
        flushed.map_ok(|_| ())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = self.0.poll(cx, Direction::Write, |io, cx| {
            Pin::new(io).poll_shutdown(cx).map_ok(|()| None)
        });
        shut.map_ok(|_| ())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll(cx, Direction::Write, |io, cx| {
            Pin::new(io).poll_write_vectored(cx, bufs).map_ok(Some)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.0.peek(Io::is_write_vectored).unwrap_or_default()
    }
}
