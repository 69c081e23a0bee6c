//! `Handle`: what a server gives for a connection to come.

use std::{
    error::Error,
    sync::{Mutex, PoisonError},
    task::{Context, Poll},
};

use http::Extensions;

use super::{
    hyper::ServerHandle,
    io::{Io, Source},
    pending::{Fulfilment, Pending},
};

/// A connection to come, as the server promised it: hyper's handle or that of a [`Pending`].
pub(crate) enum Handle {
    Server(ServerHandle),
    /// The lock is for `Sync` alone: only `get_mut` is used.
    Pending(Mutex<Fulfilment>),
}

impl Handle {
    /// Takes the handle out of a request, so that no service ever sees it (rule 18).
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        let pending = extensions.remove::<Pending>();
        if let Some(handle) = ServerHandle::take(extensions) {
            return Some(Self::Server(handle));
        }
        Some(Self::Pending(Mutex::new(pending?.take()?)))
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Io, Box<dyn Error + Send + Sync>>> {
        match self {
            Self::Server(handle) => {
                let io = handle.poll(cx).map_err(Into::into);
                io.map_ok(|io| Io(Source::Server(io)))
            }
            Self::Pending(handle) => {
                let handle = handle.get_mut().unwrap_or_else(PoisonError::into_inner);
                handle.as_mut().poll(cx).map_ok(|io| Io(Source::Other(io)))
            }
        }
    }
}
