//! `Wire`: the I/O below the frames.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Instant,
};

use crate::upgrade::Upgraded;

/// An upgraded connection that can be let go of before its WebSocket is, and that remembers when it
/// was last heard if somebody asked for that.
pub(super) struct Wire {
    io: Option<Upgraded>,
    heard: Option<Instant>,
    is_paused: bool,
}

impl Wire {
    pub(super) const fn new(io: Upgraded, heard: Option<Instant>) -> Self {
        let io = Some(io);
        Self {
            io,
            heard,
            is_paused: false,
        }
    }

    pub(super) const fn io(&self) -> Option<&Upgraded> {
        self.io.as_ref()
    }

    /// When the last byte arrived.
    pub(super) const fn heard(&self) -> Option<Instant> {
        self.heard
    }

    /// Sets whether nothing is read. Whoever pauses it has something to write, and is woken by that.
    pub(super) const fn pause(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Closes the connection.
    pub(super) fn close(&mut self) {
        self.io = None;
    }

    fn open(&mut self) -> io::Result<Pin<&mut Upgraded>> {
        let io = self.io.as_mut().map(Pin::new);
        io.ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_paused {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        ready!(AsyncRead::poll_read(this.open()?, cx, buf))?;
        if buf.filled().len() > before {
            if let Some(heard) = &mut this.heard {
                *heard = Instant::now();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(self.get_mut().open()?, cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(self.get_mut().open()?, cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_shutdown(self.get_mut().open()?, cx)
    }
}
