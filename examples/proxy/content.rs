//! `Content`: a request's content on loan, which comes back unless somebody asked for it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;

type Boxed = UnsyncBoxBody<Bytes, io::Error>;
type Slot = Arc<Mutex<Option<Boxed>>>;

/// What is sent to an upstream.
///
/// A client that finds nobody to send it to drops it untouched, and then it may go to another. What was
/// polled once is gone: who knows what was sent of it.
pub(crate) struct Content {
    /// `None` only while it is dropped.
    body: Option<Boxed>,
    is_polled: bool,
    slot: Slot,
}

/// Where it comes back to.
pub(crate) struct Returned(Slot);

impl Content {
    pub(crate) fn lend(body: Boxed) -> (Self, Returned) {
        let slot = Slot::default();
        let content = Self {
            body: Some(body),
            is_polled: false,
            slot: Arc::clone(&slot),
        };
        (content, Returned(slot))
    }
}

impl Returned {
    /// Takes the whole content back, if it was dropped untouched.
    pub(crate) fn take(self) -> Option<Boxed> {
        let mut slot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slot.take()
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        if !self.is_polled {
            *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = self.body.take();
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.is_polled = true;
        match &mut self.body {
            Some(body) => Pin::new(body).poll_frame(cx),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let body = self.body.as_ref();
        body.map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
