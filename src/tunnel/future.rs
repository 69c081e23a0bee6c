//! `TunnelFuture`: from the request sent to the answer given.

use std::{
    convert::Infallible,
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Response, response::Parts};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    answer,
    body::Progress,
    error::{TunnelError, TunnelErrorKind},
    exchange::Exchange,
    relay::Relay,
    verify::{Switched, verify},
};
use crate::{
    body::ResponseBody,
    upgrade::{Handle, Io},
};

pin_project! {
    /// The future of a response, made by [`Tunnel`](super::Tunnel).
    ///
    /// Dropping it gives the request up, and closes what was not answered.
    ///
    /// # Panics
    ///
    /// May panic if it is polled after it was ready, as futures may.
    pub struct TunnelFuture<F> {
        #[pin]
        stage: Stage<F>,
        timeout: Duration,
        #[pin]
        late: Option<Sleep>,
        exchange: Option<Exchange>,
    }
}

pin_project! {
    #[project = StageProj]
    enum Stage<F> {
        Failed { response: Option<Response<Bytes>> },
        Asking { #[pin] answer: F },
        // The upstream accepted, and its connection is awaited.
        Opening { opening: Option<Box<Opening>> },
    }
}

struct Opening {
    head: Parts,
    switched: Switched,
    handle: Handle,
}

impl<F> TunnelFuture<F> {
    pub(super) fn new(answer: F, exchange: Exchange, timeout: Duration) -> Self {
        let deadline = Instant::now().checked_add(timeout);
        Self {
            stage: Stage::Asking { answer },
            timeout,
            late: deadline.map(sleep_until),
            exchange: Some(exchange),
        }
    }

    pub(super) fn failed(error: &TunnelError, in_details: bool) -> Self {
        let response = Some(error.to_response(in_details));
        Self {
            stage: Stage::Failed { response },
            timeout: Duration::MAX,
            late: None,
            exchange: None,
        }
    }
}

impl<F, R, E> Future for TunnelFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = Result<Response<ResponseBody<R>>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answered = match self.as_mut().poll_answer(cx) {
            Poll::Ready(answered) => answered,
            Poll::Pending => Err(ready!(self.as_mut().poll_late(cx))),
        };
        Poll::Ready(Ok(answered.unwrap_or_else(|error| self.fail(&error))))
    }
}

impl<F, R, E> TunnelFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    fn poll_answer(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Response<ResponseBody<R>>, TunnelError>> {
        loop {
            let mut this = self.as_mut().project();
            let (answered, exchange) = match this.stage.as_mut().project() {
                StageProj::Failed { response } => {
                    let response = response.take().unwrap_or_default();
                    return Poll::Ready(Ok(response.map(ResponseBody::own)));
                }
                StageProj::Asking { answer } => (ready!(answer.poll(cx)), this.exchange),
                StageProj::Opening { opening } => {
                    let Some(waiting) = opening else {
                        return Poll::Ready(Err(not_handed_over()));
                    };
                    let io = ready!(waiting.handle.poll(cx));
                    let opening = opening.take();
                    return Poll::Ready(match io {
                        Ok(upstream) => join(opening.zip(this.exchange.take()), upstream),
                        // The exchange stays: it knows how its client is to be told.
                        Err(error) => Err(not_handed_over().with_source(error)),
                    });
                }
            };
            #[expect(
                clippy::expect_used,
                reason = "it is taken with the answer, which comes once"
            )]
            let waiting = exchange.as_ref().expect("polled after it was ready");
            let answer = match answered {
                Ok(answer) => answer,
                Err(error) => {
                    let progress = waiting.progress.as_ref();
                    let is_content = progress.is_some_and(Progress::has_failed);
                    let error = TunnelError::of_client(error.into(), is_content);
                    return Poll::Ready(Err(error));
                }
            };
            let (mut head, body) = answer.into_parts();
            // Whatever the answer: the client service's handle goes no further (rule 18).
            let handle = Handle::take(&mut head.extensions);
            let checked = answer::check(&head);
            let verified = checked.and_then(|()| verify(waiting.asked.as_ref(), &head));
            match (verified, handle) {
                (Ok(None), _) => return Poll::Ready(Ok(answer::pass(waiting, head, body))),
                (Ok(Some(switched)), Some(handle)) => {
                    let opening = Some(Box::new(Opening {
                        head,
                        switched,
                        handle,
                    }));
                    this.stage.set(Stage::Opening { opening });
                }
                (Ok(Some(_)), None) => return Poll::Ready(Err(not_handed_over())),
                (Err(error), _) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Waits until for as long as an answer may take neither it came nor content moved.
    fn poll_late(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<TunnelError> {
        let this = self.project();
        let Some(mut late) = this.late.as_pin_mut() else {
            return Poll::Pending;
        };
        let exchange = this.exchange.as_ref();
        let progress = exchange.and_then(|exchange| exchange.progress.as_ref());
        loop {
            ready!(late.as_mut().poll(cx));
            match Instant::now().checked_add(*this.timeout) {
                Some(later) if progress.is_some_and(Progress::take_moved) => {
                    late.as_mut().reset(later)
                }
                _ => break,
            }
        }
        let (kind, hint) = if progress.is_some_and(Progress::is_awaited) {
            let hint = "the client sent no more of its content in time";
            (TunnelErrorKind::SlowContent, hint)
        } else {
            let hint = "the upstream did not answer in time";
            (TunnelErrorKind::TimedOut, hint)
        };
        Poll::Ready(TunnelError::new(kind, hint))
    }

    fn fail(self: Pin<&mut Self>, error: &TunnelError) -> Response<ResponseBody<R>> {
        let exchange = self.project().exchange.take();
        let in_details = exchange.is_some_and(|exchange| exchange.in_details);
        error.to_response(in_details).map(ResponseBody::own)
    }
}

/// The upstream's connection is there: the client's is accepted, and the two are joined.
fn join<R>(
    opened: Option<(Box<Opening>, Exchange)>,
    upstream: Io,
) -> Result<Response<ResponseBody<R>>, TunnelError> {
    let (opening, mut exchange) = opened.ok_or_else(not_handed_over)?;
    let Opening { head, switched, .. } = *opening;
    let top = exchange.top;
    let asked = exchange.asked.take().ok_or_else(not_handed_over)?;
    asked.on_upgrade.settle(switched.acceptance.clone());
    let response = answer::accept(&exchange, head, switched);
    let _: Response<()> = asked
        .on_upgrade
        .accept(move |client| Relay::new(client, upstream, top));
    Ok(response)
}

#[cold]
fn not_handed_over() -> TunnelError {
    let hint = "the upstream accepted, and its connection was lost before it could be joined";
    TunnelError::new(TunnelErrorKind::NotHandedOver, hint)
}

impl<F> fmt::Debug for TunnelFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TunnelFuture").finish_non_exhaustive()
    }
}
