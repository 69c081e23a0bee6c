//! A service that accepts whatever reaches it, echoes bytes, and counts its calls.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncWriteExt, copy, split};
use tower::Service;
use tower_upgrade::{OnUpgrade, Upgraded};

/// What it answers to a request without an offer.
pub(crate) const PLAIN: &str = "plain";

#[derive(Clone, Debug, Default)]
pub(crate) struct Echo {
    calls: Arc<AtomicUsize>,
}

impl Echo {
    /// How often it or a clone of it was called.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

impl<B> Service<Request<B>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        self.calls.fetch_add(1, Ordering::SeqCst);
        ready(Ok(match OnUpgrade::take(&mut request) {
            Some(on_upgrade) => on_upgrade.accept(echo),
            None => Response::new(PLAIN.into()),
        }))
    }
}

/// Echoes until the client ends its half, and then ends the other.
pub(crate) async fn echo(io: Upgraded) {
    let (mut read, mut write) = split(io);
    let _ = copy(&mut read, &mut write).await;
    let _ = write.shutdown().await;
}
