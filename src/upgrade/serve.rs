//! `Serve`: the task of an accepted connection.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::{error::UpgradeError, io::Io, upgraded::Upgraded};
use crate::lifetime::Guard;

pin_project! {
    /// Awaits a connection and serves it, until it is done or a drain's deadline strikes.
    pub(super) struct Serve<U, F, E, Fut> {
        #[pin]
        stage: Stage<U, F, E, Fut>,
        // After the stage, so that a handler is dropped before its task is reported gone.
        watch: Option<Watch>,
    }
}

pin_project! {
    // An `async` block would do, but keeps room for all of its stages at once, for as long as the
    // connection lives; this has room for the largest.
    #[project = StageProj]
    #[project_replace = StageOwn]
    enum Stage<U, F, E, Fut> {
        Waiting { #[pin] on_upgrade: U, serve: F, failed: E },
        Serving { #[pin] serving: Fut },
        Done,
    }
}

impl<U, F, E, Fut> Serve<U, F, E, Fut> {
    pub(super) const fn new(on_upgrade: U, watch: Option<Watch>, serve: F, failed: E) -> Self {
        let stage = Stage::Waiting {
            on_upgrade,
            serve,
            failed,
        };
        Self { stage, watch }
    }
}

impl<U, F, E, Fut> Future for Serve<U, F, E, Fut>
where
    U: Future<Output = Result<Upgraded, UpgradeError>>,
    F: FnOnce(Upgraded) -> Fut,
    E: FnOnce(UpgradeError),
    Fut: Future<Output = ()>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        // Asked for first, so that a handler sees its connection closed before it is dropped.
        let is_forced = this
            .watch
            .as_ref()
            .is_some_and(|watch| watch.poll_forced(cx));
        match this.stage.poll(cx) {
            Poll::Pending if !is_forced => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }
}

impl<U, F, E, Fut> Stage<U, F, E, Fut> {
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()>
    where
        U: Future<Output = Result<Upgraded, UpgradeError>>,
        F: FnOnce(Upgraded) -> Fut,
        E: FnOnce(UpgradeError),
        Fut: Future<Output = ()>,
    {
        let io = match self.as_mut().project() {
            StageProj::Waiting { on_upgrade, .. } => ready!(on_upgrade.poll(cx)),
            StageProj::Serving { serving } => return serving.poll(cx),
            StageProj::Done => return Poll::Ready(()),
        };
        let before = self.as_mut().project_replace(Self::Done);
        let StageOwn::Waiting { serve, failed, .. } = before else {
            return Poll::Ready(());
        };
        match io {
            Ok(io) => {
                let serving = serve(io);
                self.as_mut().project_replace(Self::Serving { serving });
                self.poll(cx)
            }
            Err(error) => {
                failed(error);
                Poll::Ready(())
            }
        }
    }
}

/// Lets the drain of a connection wait for its task.
pub(super) struct Watch(Arc<Guard<Io>>);

impl Watch {
    pub(super) fn new(guard: Arc<Guard<Io>>) -> Self {
        guard.enter_task();
        Self(guard)
    }

    fn poll_forced(&self, cx: &mut Context<'_>) -> bool {
        self.0.poll_forced(cx)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.leave_task();
    }
}
