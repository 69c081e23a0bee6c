//! `Draining`: the future that a drain has started, or ended.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

pin_project! {
    /// A future that is ready once a drain was started, by [`Upgraded::draining`](crate::Upgraded::draining)
    /// or [`Drain::started`](super::Drain::started), or has ended, by [`Drain::ended`](super::Drain::ended).
    ///
    /// It borrows nothing, and may be polled, left and polled again. Without a drain it is never ready.
    #[must_use = "futures do nothing unless polled"]
    pub struct Draining {
        #[pin]
        reached: Option<WaitForCancellationFutureOwned>,
    }
}

impl Draining {
    pub(super) fn new(reached: &CancellationToken) -> Self {
        let reached = Some(reached.clone().cancelled_owned());
        Self { reached }
    }

    /// Where there is no drain.
    pub(crate) const fn never() -> Self {
        Self { reached: None }
    }

    /// Whether there is a drain that it waits for.
    pub(crate) const fn has_drain(&self) -> bool {
        self.reached.is_some()
    }
}

impl Future for Draining {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project().reached.as_pin_mut() {
            Some(reached) => reached.poll(cx),
            None => Poll::Pending,
        }
    }
}

impl fmt::Debug for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draining")
            .field("has_drain", &self.has_drain())
            .finish_non_exhaustive()
    }
}
