//! `Serve`: the task of an accepted connection.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use pin_project_lite::pin_project;

use super::upgraded::Upgraded;

pin_project! {
    /// Awaits a connection and serves it.
    ///
    /// An `async` block would do, but keeps room for all of its stages at once, for as long as the
    /// connection lives; this has room for the largest.
    #[project = ServeProj]
    #[project_replace = ServeOwn]
    pub(super) enum Serve<U, F, Fut> {
        Waiting { #[pin] on_upgrade: U, serve: F },
        Serving { #[pin] serving: Fut },
        Done,
    }
}

impl<U, F, Fut> Serve<U, F, Fut> {
    pub(super) const fn new(on_upgrade: U, serve: F) -> Self {
        Self::Waiting { on_upgrade, serve }
    }
}

impl<U, E, F, Fut> Future for Serve<U, F, Fut>
where
    U: Future<Output = Result<Upgraded, E>>,
    F: FnOnce(Upgraded) -> Fut,
    Fut: Future<Output = ()>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let io = match self.as_mut().project() {
            ServeProj::Waiting { on_upgrade, .. } => ready!(on_upgrade.poll(cx)),
            ServeProj::Serving { serving } => return serving.poll(cx),
            ServeProj::Done => return Poll::Ready(()),
        };
        let before = self.as_mut().project_replace(Self::Done);
        let (Ok(io), ServeOwn::Waiting { serve, .. }) = (io, before) else {
            return Poll::Ready(());
        };
        let serving = serve(io);
        self.as_mut().project_replace(Self::Serving { serving });
        self.poll(cx)
    }
}
