//! `Handle`: what a server gives for a connection to come.

use std::{
    error::Error,
    task::{Context, Poll},
};

use http::Extensions;

use super::{
    hyper::ServerHandle,
    io::Io,
    pending::{Fulfilment, Pending},
};

/// A connection to come, as the server promised it: hyper's handle or that of a [`Pending`].
pub(crate) enum Handle {
    Server(ServerHandle),
    Pending(Fulfilment),
}

impl Handle {
    /// Takes the handle out of a request, so that no service ever sees it (rule 18).
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        let server = ServerHandle::take(extensions).map(Self::Server);
        let pending = extensions
            .remove::<Pending>()
            .and_then(|pending| pending.take());
        pending.map(Self::Pending).or(server)
    }

    /// Whether there is one to take.
    pub(crate) fn is_in(extensions: &Extensions) -> bool {
        ServerHandle::is_in(extensions) || extensions.get::<Pending>().is_some()
    }

    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Io, Box<dyn Error + Send + Sync>>> {
        match self {
            Self::Server(handle) => handle.poll(cx).map_ok(Io::Server).map_err(Into::into),
            Self::Pending(handle) => handle.as_mut().poll(cx).map_ok(Io::Other),
        }
    }
}
