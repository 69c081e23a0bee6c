//! `Tunnel`: a request stream as the connection that an extended CONNECT asked for (RFC 9220).

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    code,
    stream::{Inlet, Outlet},
};

/// The payload of the stream's DATA frames, both ways.
///
/// The client's FIN is the end of file, and `poll_shutdown` sends ours; either half may end before
/// the other. A reset and the loss of the connection are errors. Dropped, it sends what was written and
/// our FIN, as a connection of HTTP/1.1 and hyper's of HTTP/2 do: a reset would overtake the last that a
/// handler wrote.
pub(crate) struct Tunnel {
    inlet: Inlet,
    outlet: Outlet,
}

impl Tunnel {
    pub(crate) const fn new(mut inlet: Inlet, outlet: Outlet) -> Self {
        inlet.unwanted(code::REQUEST_CANCELLED);
        Self { inlet, outlet }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        // Where it fails there is nobody any more to tell.
        let _ = self.outlet.finish();
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        self.inlet.poll_read(cx, buf).map_err(io::Error::from)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = ready!(self.outlet.poll_write(cx, buf))?;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outlet.poll_flush(cx).map_err(io::Error::from)
    }

    /// What was written need not be QUIC's: it goes out, and our FIN behind it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.outlet.finish().map_err(io::Error::from))
    }
}
