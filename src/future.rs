//! `ResponseFuture`: the service's answer, and what it means for the connection.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{Response, StatusCode};
use pin_project_lite::pin_project;

use crate::{
    body::ResponseBody,
    switch::{Fault, Switch},
};

pin_project! {
    /// The future of a response, made by [`Upgrade`](crate::Upgrade).
    ///
    /// # Panics
    ///
    /// May panic if it is polled after it was ready, as futures may.
    pub struct ResponseFuture<F> {
        #[pin]
        way: Way<F>,
    }
}

pin_project! {
    #[project = WayProj]
    enum Way<F> {
        // No offer, one that was taken out, or a plain CONNECT: a 101 has no place in the answer.
        Passed { #[pin] answer: F },
        // The same, for an extended CONNECT, which a 2xx would switch.
        PassedConnect { #[pin] answer: F },
        Accepted { #[pin] answer: F, switch: Switch },
        Refused { response: Option<Box<Response<Bytes>>> },
    }
}

impl<F> ResponseFuture<F> {
    #[inline]
    pub(crate) const fn passed(answer: F) -> Self {
        let way = Way::Passed { answer };
        Self { way }
    }

    pub(crate) const fn passed_connect(answer: F) -> Self {
        let way = Way::PassedConnect { answer };
        Self { way }
    }

    pub(crate) const fn accepted(answer: F, switch: Switch) -> Self {
        let way = Way::Accepted { answer, switch };
        Self { way }
    }

    #[cold]
    pub(crate) fn refused(response: Response<Bytes>) -> Self {
        let response = Some(Box::new(response));
        let way = Way::Refused { response };
        Self { way }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<ResponseBody<R>>, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(Ok(match self.project().way.project() {
            WayProj::Passed { answer } => {
                let response = ready!(answer.poll(cx))?;
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    Fault::UnexpectedSwitch.answer()
                } else {
                    response.map(ResponseBody::service)
                }
            }
            WayProj::PassedConnect { answer } => {
                let response = ready!(answer.poll(cx))?;
                match response.status() {
                    StatusCode::SWITCHING_PROTOCOLS => Fault::UnexpectedSwitch.answer(),
                    status if status.is_success() => Fault::TunnelNotAccepted.answer(),
                    _ => response.map(ResponseBody::service),
                }
            }
            WayProj::Accepted { answer, switch } => switch.settle(ready!(answer.poll(cx))?),
            #[expect(
                clippy::expect_used,
                reason = "a future is not polled after it was ready"
            )]
            WayProj::Refused { response } => {
                let response = response.take().expect("polled after it was ready");
                response.map(ResponseBody::own)
            }
        }))
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
