//! A connection's I/O itself, for who moves bytes between two of them without a detour.

use std::{
    io,
    task::{Context, Poll},
};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    guarded::Guarded,
    io::{Io, Source},
    upgraded::{Kind, Upgraded},
};
use crate::lifetime::Direction;

impl Upgraded {
    /// Lets `operate` read from or write to the I/O, under the guard where there is one. It yields how
    /// many bytes it moved; `None` where that is no matter.
    pub(crate) fn operate(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        operate: impl FnOnce(&mut Io, &mut Context<'_>) -> Poll<io::Result<Option<usize>>>,
    ) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Bare { io, .. } => operate(io, cx).map_ok(Option::unwrap_or_default),
            Kind::Guarded(io) => io.guard().poll(cx, direction, operate),
        }
    }

    /// Looks at the I/O; false if it was closed.
    pub(crate) fn peek(&self, look: impl FnOnce(&Io) -> bool) -> bool {
        match &self.kind {
            Kind::Bare { io, .. } => look(io),
            Kind::Guarded(io) => io.guard().peek(look).unwrap_or_default(),
        }
    }

    /// Waits until a clock or a drain closes it.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<io::Error> {
        match &self.kind {
            Kind::Bare { .. } => Poll::Pending,
            Kind::Guarded(io) => io.guard().poll_closed(cx).map(|cause| cause.to_error()),
        }
    }

    /// Puts I/O of this type into another that wraps it, with what was read ahead of it; the guard stays.
    pub(crate) fn rewrap<T, U>(self, wrap: impl FnOnce(T, Bytes) -> U) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        U: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self.kind {
            Kind::Bare { io, agreed } => Self::bare(io.rewrap(wrap), agreed),
            Kind::Guarded(io) => {
                io.rewrap(wrap);
                let kind = Kind::Guarded(io);
                Self { kind }
            }
        }
    }
}

impl Guarded {
    fn rewrap<T, U>(&self, wrap: impl FnOnce(T, Bytes) -> U)
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        U: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Some(io) = self.guard().lend() {
            self.guard().give_back(io.rewrap(wrap));
        }
    }
}

impl Io {
    pub(crate) fn rewrap<T, U>(self, wrap: impl FnOnce(T, Bytes) -> U) -> Self
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
        U: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        match self.downcast::<T>() {
            Ok((io, read_buf)) => Self(Source::Other(Box::new(wrap(io, read_buf)))),
            Err(io) => io,
        }
    }

    /// What it is, if it is not the server's own.
    pub(crate) fn inner<T: 'static>(&self) -> Option<&T> {
        match &self.0 {
            Source::Server(_) => None,
            // `**io`, for the box around it has a type of its own.
            Source::Other(io) => (**io).as_any().downcast_ref(),
        }
    }
}
