//! hyper's part in an upgrade: its handle, its `:protocol`, its I/O and, for others to use, its
//! traits.
//!
//! The one file that names it, but for the tunnel, whose client is hyper's; all else is written for any server.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Extensions;
use hyper::{ext::Protocol, upgrade};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};

pub(super) use hyper::rt;
pub(super) use hyper_util::rt::TokioIo;

use crate::negotiate::{Acceptance, ConnectProtocol};

/// Returns the `:protocol` of an extended CONNECT, whichever server it came through.
pub(crate) fn connect_protocol(extensions: &Extensions) -> Option<&str> {
    let own = extensions.get().map(ConnectProtocol::as_str);
    own.or_else(|| extensions.get().map(Protocol::as_str))
}

/// Shows a handler with an extractor of its own the protocol as we write it, not as the client did.
pub(crate) fn normalise_connect(extensions: &mut Extensions, acceptance: &Acceptance) {
    if let Some(protocol) = extensions.get_mut::<Protocol>() {
        *protocol = Protocol::from(acceptance.protocol().as_str());
    }
}

/// Takes `:protocol` out of a request that is shown as one of HTTP/1.1.
pub(crate) fn forget_connect(extensions: &mut Extensions) {
    extensions.remove::<Protocol>();
}

/// hyper's handle.
pub(crate) struct ServerHandle(upgrade::OnUpgrade);

impl ServerHandle {
    pub(super) fn take(extensions: &mut Extensions) -> Option<Self> {
        extensions.remove().map(Self)
    }

    /// Whether hyper left one, for handlers with an extractor of their own.
    pub(crate) fn is_in(extensions: &Extensions) -> bool {
        extensions.get::<upgrade::OnUpgrade>().is_some()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<hyper::Result<ServerIo>> {
        let handle = Pin::new(&mut self.0);
        handle.poll(cx).map_ok(|io| ServerIo(TokioIo::new(io)))
    }
}

/// hyper's upgraded I/O, with tokio's traits.
pub(crate) struct ServerIo(TokioIo<upgrade::Upgraded>);

impl ServerIo {
    pub(super) fn tokio(&mut self) -> Pin<&mut TokioIo<upgrade::Upgraded>> {
        Pin::new(&mut self.0)
    }

    /// By hyper's own traits, which saves a detour.
    pub(super) fn poll_read_hyper(
        &mut self,
        cx: &mut Context<'_>,
        buf: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        rt::Read::poll_read(Pin::new(self.0.inner_mut()), cx, buf)
    }

    pub(super) fn is_write_vectored(&self) -> bool {
        rt::Write::is_write_vectored(self.0.inner())
    }

    /// The I/O the connection was served on and the bytes hyper read ahead. hyper-util's `auto`
    /// server wraps it in a type of its own, so both are tried.
    pub(super) fn downcast<T>(self) -> Result<(T, Bytes), Self>
    where
        T: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let io = match self.0.into_inner().downcast::<TokioIo<T>>() {
            Ok(parts) => return Ok((parts.io.into_inner(), released(parts.read_buf))),
            Err(io) => io,
        };
        match auto::upgrade::downcast::<TokioIo<T>>(io) {
            Ok(parts) => Ok((parts.io.into_inner(), released(parts.read_buf))),
            Err(io) => Err(Self(TokioIo::new(io))),
        }
    }
}

/// Even when nothing is in it, it keeps the server's whole read buffer alive.
fn released(read_buf: Bytes) -> Bytes {
    if read_buf.is_empty() {
        Bytes::new()
    } else {
        read_buf
    }
}
