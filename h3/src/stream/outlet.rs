//! `Outlet`: our half of a stream, for whoever writes it.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::BytesMut;
use tokio::task::coop::poll_proceed;
use tokio_quiche::quiche::h3::Header;

use super::{Outbound, Stream, remember};
use crate::{
    code::{self, Code},
    fault::Fault,
};

/// Writes a head, what DATA frames carry, and trailers. Dropped before its end, it resets the stream.
pub(crate) struct Outlet {
    stream: Arc<Stream>,
}

impl Outlet {
    pub(crate) const fn new(stream: Arc<Stream>) -> Self {
        Self { stream }
    }

    pub(crate) fn head(&self, head: Vec<Header>) -> Result<(), Fault> {
        self.leave(|outbound| outbound.head = Some(head))
    }

    /// A head with nothing behind it.
    pub(crate) fn bare_head(&self, head: Vec<Header>) -> Result<(), Fault> {
        self.leave(|outbound| {
            outbound.head = Some(head);
            outbound.is_finished = true;
        })
    }

    pub(crate) fn trailers(&self, trailers: Vec<Header>) -> Result<(), Fault> {
        self.leave(|outbound| {
            outbound.trailers = Some(trailers);
            outbound.is_finished = true;
        })
    }

    /// Ends our half behind what was written.
    pub(crate) fn finish(&self) -> Result<(), Fault> {
        self.leave(|outbound| outbound.is_finished = true)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.stream.lock().outbound.is_finished
    }

    /// Ends it with an error code, in place of what was not sent.
    pub(crate) fn reset(&self, code: Code) {
        let _ = self.leave(|outbound| {
            outbound.is_finished = true;
            outbound.data = BytesMut::new();
            outbound.reset = Some(code);
        });
    }

    /// Takes as much as there is room for, an octet at least.
    pub(crate) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<Result<usize, Fault>> {
        // However much the client takes, others have their turn.
        let turn = ready!(poll_proceed(cx));
        let mut state = self.stream.lock();
        let outbound = &mut state.outbound;
        let polled = match outbound.writable() {
            Ok(()) => {
                let room = CAPACITY.saturating_sub(outbound.data.len());
                if room == 0 {
                    remember(&mut outbound.writer, cx);
                    return Poll::Pending;
                }
                let (taken, _) = octets.split_at_checked(room).unwrap_or((octets, &[]));
                outbound.data.extend_from_slice(taken);
                self.stream.ring(&mut state);
                Ok(taken.len())
            }
            Err(fault) => Err(fault),
        };
        turn.made_progress();
        Poll::Ready(polled)
    }

    /// Waits until QUIC has taken what was written.
    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        let mut state = self.stream.lock();
        let outbound = &mut state.outbound;
        if let Some(Err(fault)) = outbound.end {
            return Poll::Ready(Err(fault));
        }
        if outbound.is_empty() {
            return Poll::Ready(Ok(()));
        }
        remember(&mut outbound.writer, cx);
        Poll::Pending
    }

    /// Waits until the client wants no more, or cannot be sent any more.
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let stream = Arc::clone(&self.stream);
        poll_fn(move |cx| {
            let outbound = &mut stream.lock().outbound;
            if let Some(Err(_)) = outbound.end {
                return Poll::Ready(());
            }
            remember(&mut outbound.watcher, cx);
            Poll::Pending
        })
    }

    fn leave(&self, what: impl FnOnce(&mut Outbound)) -> Result<(), Fault> {
        let mut state = self.stream.lock();
        let outbound = &mut state.outbound;
        if let Some(Err(fault)) = outbound.end {
            return Err(fault);
        }
        // Once it is said that there is no more, there is no more.
        if !outbound.is_finished {
            what(outbound);
            self.stream.ring(&mut state);
        }
        Ok(())
    }
}

impl Outbound {
    fn writable(&self) -> Result<(), Fault> {
        match self.end {
            Some(Err(fault)) => Err(fault),
            _ if self.is_finished => Err(Fault::Stopped),
            _ => Ok(()),
        }
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        if !self.is_finished() {
            self.reset(code::INTERNAL_ERROR);
        }
    }
}

/// How much may wait for QUIC to take it.
const CAPACITY: usize = 64 << 10;
