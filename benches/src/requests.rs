//! A service called directly, without a server: readiness, call, and the future to its end.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use http::{Request, Response, header::UPGRADE};
use http_body_util::{Empty, Full};
use tower::{Layer, Service};

use crate::{report::Work, span::span};

/// A request whose content does not matter.
pub type Get = Request<Empty<Bytes>>;

/// What the innermost service answers.
pub type Page = Response<Full<Bytes>>;

/// Sends the service as many requests as it is asked to; making them is not measured, dropping them is.
pub fn through<S>(mut service: S, request: impl Fn() -> Get + 'static) -> Work
where
    S: Service<Get> + 'static,
{
    Box::new(move |pieces| {
        let requests: Vec<_> = (0..pieces).map(|_| request()).collect();
        span(|| {
            requests
                .into_iter()
                .for_each(|request| answer(&mut service, request))
        });
    })
}

/// Answers a page, at once and without an allocation.
pub fn page(request: Get) -> Ready<Result<Page, Infallible>> {
    drop(request);
    ready(Ok(Response::new(Full::new(Bytes::from_static(b"hello")))))
}

fn answer<S: Service<Get>>(service: &mut S, request: Get) {
    let mut cx = Context::from_waker(Waker::noop());
    assert!(
        service.poll_ready(&mut cx).is_ready(),
        "the service is never busy"
    );
    let answer = pin!(service.call(request)).poll(&mut cx);
    assert!(
        matches!(answer, Poll::Ready(Ok(_))),
        "the service answers at once"
    );
}

/// Upgrades as they are often written: a clone of the service and a boxed future for every request.
#[derive(Clone, Copy, Debug)]
pub struct CloneAndBox;

/// The service of [`CloneAndBox`].
#[derive(Clone, Debug)]
pub struct CloningAndBoxing<S>(S);

impl<S> Layer<S> for CloneAndBox {
    type Service = CloningAndBoxing<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CloningAndBoxing(inner)
    }
}

impl<S, B> Service<Request<B>> for CloningAndBoxing<S>
where
    S: Service<Request<B>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let clone = self.0.clone();
        let mut ready = std::mem::replace(&mut self.0, clone);
        let offered = request.headers().contains_key(UPGRADE);
        Box::pin(async move {
            assert!(!offered, "the ordinary request offers nothing");
            ready.call(request).await
        })
    }
}
