//! `RequestBody`: a request's content on its way to the upstream.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::upgrade::{ContentBody, OnUpgrade};

pin_project! {
    /// The body of a request that a [`Tunnel`](super::Tunnel) forwards: the client's, streamed as it comes.
    pub struct RequestBody<B> {
        #[pin]
        kind: Kind<B>,
        progress: Option<Progress>,
    }
}

pin_project! {
    #[project = KindProj]
    enum Kind<B> {
        Plain { #[pin] body: B },
        // That of an offer, whose end must be seen before the connection is switched (rule 12).
        Content { #[pin] body: ContentBody<B> },
    }
}

impl<B> RequestBody<B> {
    pub(super) fn new(body: B, on_upgrade: Option<&OnUpgrade>) -> (Self, Option<Progress>)
    where
        B: Body,
    {
        let progress = (!body.is_end_stream()).then(Progress::default);
        let with_content = on_upgrade.filter(|on| on.acceptance().content().is_some());
        let kind = match with_content {
            Some(on_upgrade) => Kind::Content {
                body: on_upgrade.content(body),
            },
            None => Kind::Plain { body },
        };
        let body = Self {
            kind,
            progress: progress.clone(),
        };
        (body, progress)
    }
}

/// How far the content of a request has come, for who waits for the answer.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<AtomicU8>);

impl Progress {
    /// Content was passed on since this was last asked.
    const MOVED: u8 = 1;
    /// The upstream would take more than the client has sent.
    const AWAITED: u8 = 2;
    const FAILED: u8 = 4;

    pub(super) fn take_moved(&self) -> bool {
        self.0.fetch_and(!Self::MOVED, Ordering::Relaxed) & Self::MOVED != 0
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::AWAITED != 0
    }

    pub(super) fn has_failed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & Self::FAILED != 0
    }

    fn note<F, E>(&self, polled: &Poll<Option<Result<F, E>>>) {
        match polled {
            Poll::Pending => self.0.fetch_or(Self::AWAITED, Ordering::Relaxed),
            Poll::Ready(Some(Err(_))) => self.0.fetch_or(Self::FAILED, Ordering::Relaxed),
            Poll::Ready(_) => self.0.swap(Self::MOVED, Ordering::Relaxed),
        };
    }
}

impl<B> Body for RequestBody<B>
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
        let this = self.project();
        let polled = match this.kind.project() {
            KindProj::Plain { body } => body
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(Into::into))),
            KindProj::Content { body } => body.poll_frame(cx),
        };
        if let Some(progress) = this.progress {
            progress.note(&polled);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.kind {
            Kind::Plain { body } => body.is_end_stream(),
            Kind::Content { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.kind {
            Kind::Plain { body } => body.size_hint(),
            Kind::Content { body } => body.size_hint(),
        }
    }
}

impl<B> fmt::Debug for RequestBody<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestBody").finish_non_exhaustive()
    }
}
