//! `Inlet`: the client's half of a stream, for whoever reads it.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Instant,
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{io::ReadBuf, task::coop::poll_proceed};
use tokio_quiche::quiche::h3::Header;

use super::{Inbound, Stream, Unwanted, remember};
use crate::{
    code::{self, Code},
    fault::Fault,
};

/// Reads what DATA frames carry. Dropped before the end, what comes is thrown away
/// for a while, and then the client is asked to send no more.
pub(crate) struct Inlet {
    stream: Arc<Stream>,
    unwanted: Code,
}

impl Inlet {
    pub(crate) const fn new(stream: Arc<Stream>) -> Self {
        Self {
            stream,
            // RFC 9114 4.1: what says that the answer did not need the rest.
            unwanted: code::NO_ERROR,
        }
    }

    /// What the client is told if this is dropped before the end.
    pub(crate) const fn unwanted(&mut self, code: Code) {
        self.unwanted = code;
    }

    /// Returns what there is, or `None` at the end.
    pub(crate) fn poll_data(&self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, Fault>> {
        self.poll(cx, |inbound| mem::take(&mut inbound.data).freeze())
    }

    /// Reads into a buffer that has room, nothing at the end.
    pub(crate) fn poll_read(
        &self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<(), Fault>> {
        let read = ready!(self.poll(cx, |inbound| {
            let length = buf.remaining().min(inbound.data.len());
            buf.put_slice(inbound.data.get(..length).unwrap_or_default());
            inbound.data.advance(length);
            if inbound.data.is_empty() {
                // A tunnel that waits holds no memory.
                inbound.data = BytesMut::new();
            }
        }))?;
        let (Some(()) | None) = read;
        Poll::Ready(Ok(()))
    }

    /// Returns the trailers, once there is no more data.
    pub(crate) fn take_trailers(&self) -> Option<Vec<Header>> {
        self.stream.lock().inbound.trailers.take()
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        take: impl FnOnce(&mut Inbound) -> T,
    ) -> Poll<Result<Option<T>, Fault>> {
        // However much the client sends, others have their turn.
        let turn = ready!(poll_proceed(cx));
        let mut state = self.stream.lock();
        let inbound = &mut state.inbound;
        let polled = if !inbound.data.is_empty() {
            Ok(Some(take(inbound)))
        } else if inbound.trailers.is_some() {
            // Nothing but the end comes behind them.
            Ok(None)
        } else if let Some(end) = inbound.end {
            end.map(|()| None)
        } else {
            remember(&mut inbound.reader, cx);
            if !mem::replace(&mut inbound.is_wanted, true) {
                self.stream.ring(&mut state);
            }
            return Poll::Pending;
        };
        turn.made_progress();
        Poll::Ready(polled)
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        let mut state = self.stream.lock();
        state.inbound.data = BytesMut::new();
        state.inbound.reader = None;
        state.inbound.unwanted = Some(Unwanted {
            code: self.unwanted,
            since: Instant::now(),
            octets: 0,
        });
        self.stream.ring(&mut state);
    }
}
