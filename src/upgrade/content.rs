//! `ContentBody`: a request's content, read with proof (rule 12).

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use http::Extensions;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Limited;
use pin_project_lite::pin_project;

use super::slot::Slot;

pin_project! {
    /// A request's content, by [`OnUpgrade::content`](crate::OnUpgrade::content).
    ///
    /// When its end was reached, the service may accept. Content that is larger than the policy
    /// allows fails with [`LengthLimitError`](http_body_util::LengthLimitError), as it does behind
    /// the limits of tower-http and axum; 413 is the answer to give.
    pub struct ContentBody<B> {
        #[pin]
        body: Limited<B>,
        slot: Slot,
        read: u64,
        failed: bool,
    }
}

impl<B> ContentBody<B> {
    pub(super) fn new(body: B, slot: Slot) -> Self {
        let limit = slot.acceptance().content_limit();
        let limit = limit.and_then(|limit| limit.try_into().ok());
        Self {
            body: Limited::new(body, limit.unwrap_or(usize::MAX)),
            slot,
            read: 0,
            failed: false,
        }
    }

    /// Wraps the content of a request whose [`OnUpgrade`](crate::OnUpgrade) was or will be taken by
    /// somebody else, an extractor for example.
    ///
    /// # Errors
    ///
    /// Gives the body back if no proof is asked for: no offer was let through, it has no content, or
    /// its content was claimed before.
    pub fn claim(extensions: &mut Extensions, body: B) -> Result<Self, B> {
        match extensions.remove() {
            Some(Unread(slot)) => Ok(Self::new(body, slot)),
            None => Err(body),
        }
    }
}

impl<B> Body for ContentBody<B>
where
    B: Body,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    type Data = B::Data;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, Self::Error>>> {
        let mut this = self.project();
        let frame = ready!(this.body.as_mut().poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => *this.read += frame.data_ref().map_or(0, |d| d.remaining() as u64),
            Some(Err(_)) => *this.failed = true,
            None => {}
        }
        let is_end = frame.is_none() || this.body.is_end_stream();
        let content = this.slot.acceptance().content();
        let length = content.and_then(|content| content.length);
        // A body that is not the request's own, or not all of it, proves nothing; where the length is
        // not known, as of chunks, only the caller can see to that.
        let is_whole = length.is_none_or(|length| length == *this.read);
        if is_end && is_whole && !*this.failed {
            this.slot.set_content_read();
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        // A reader that trusts this may never poll, so it is not told before the proof is made.
        self.body.is_end_stream() && self.slot.is_content_read()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> fmt::Debug for ContentBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentBody").finish_non_exhaustive()
    }
}

/// In a request's extensions until its content is claimed.
#[derive(Clone)]
pub(crate) struct Unread(Slot);

impl Unread {
    pub(crate) fn insert(slot: &Slot, extensions: &mut Extensions) {
        if slot.acceptance().content().is_some() {
            extensions.insert(Self(slot.clone()));
        }
    }
}
