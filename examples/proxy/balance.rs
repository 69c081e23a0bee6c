//! `Balance`: a client that sends to several upstreams in turn, and leaves out those that are dead.

use std::{
    error::Error,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use http::{Request, Response, Uri, request::Parts};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy;
use tower::{Service, ServiceExt};
use tower_upgrade::tunnel::RequestBody;

use crate::{content::Content, log};

pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// How long an upstream that could not be reached is left out.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Clone)]
pub(crate) struct Balance<C> {
    client: C,
    upstreams: Arc<Upstreams>,
}

struct Upstreams {
    all: Vec<Upstream>,
    next: AtomicUsize,
}

struct Upstream {
    uri: Uri,
    /// Set until it answers again; when that time is over, it is tried.
    dead_until: Mutex<Option<Instant>>,
}

impl<C> Balance<C> {
    pub(crate) fn new(client: C, upstreams: &[Uri]) -> Self {
        let alive = |uri: &Uri| Upstream {
            uri: uri.clone(),
            dead_until: Mutex::new(None),
        };
        let upstreams = Upstreams {
            all: upstreams.iter().map(alive).collect(),
            next: AtomicUsize::new(0),
        };
        Self {
            client,
            upstreams: Arc::new(upstreams),
        }
    }
}

impl<C> Service<Request<RequestBody<Incoming>>> for Balance<C>
where
    C: Service<Request<Content>, Response = Response<Incoming>, Error: Into<AnyError>>
        + Clone
        + Send
        + 'static,
    C::Future: Send,
{
    type Response = Response<Incoming>;
    type Error = AnyError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Incoming>, AnyError>> + Send>>;

    /// Each client that is sent by is asked in its own turn.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), AnyError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<RequestBody<Incoming>>) -> Self::Future {
        Box::pin(send(
            self.client.clone(),
            Arc::clone(&self.upstreams),
            request,
        ))
    }
}

/// Sends a request to the next upstream, and to those behind it for as long as none can be reached.
async fn send<C>(
    client: C,
    upstreams: Arc<Upstreams>,
    request: Request<RequestBody<Incoming>>,
) -> Result<Response<Incoming>, AnyError>
where
    C: Service<Request<Content>, Response = Response<Incoming>, Error: Into<AnyError>> + Clone,
{
    let (head, body) = request.into_parts();
    let mut body = body.map_err(io::Error::other).boxed_unsync();
    let mut failed = AnyError::from("no upstream was given");
    for upstream in upstreams.in_turn() {
        let (content, returned) = Content::lend(body);
        let request = upstream.address(head.clone(), content)?;
        match client.clone().oneshot(request).await {
            Ok(response) => {
                upstream.take_in();
                return Ok(response);
            }
            Err(error) => failed = error.into(),
        }
        if !was_never_connected(&*failed) {
            upstream.take_in();
            break;
        }
        upstream.leave_out(&*failed);
        let Some(untouched) = returned.take() else {
            break;
        };
        body = untouched;
    }
    Err(failed)
}

impl Upstreams {
    /// All of them from the next on, those that seem dead last.
    fn in_turn(&self) -> Vec<&Upstream> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.all.len();
        let (before, from) = self.all.split_at(first);
        let mut all: Vec<_> = from.iter().chain(before).collect();
        all.sort_by_key(|upstream| upstream.is_dead());
        all
    }
}

impl Upstream {
    fn dead_until(&self) -> MutexGuard<'_, Option<Instant>> {
        let until = self.dead_until.lock();
        until.unwrap_or_else(PoisonError::into_inner)
    }

    fn is_dead(&self) -> bool {
        self.dead_until()
            .is_some_and(|until| until > Instant::now())
    }

    fn leave_out(&self, why: &(dyn Error + 'static)) {
        let before = self.dead_until().replace(Instant::now() + PAUSE);
        if before.is_none() {
            eprintln!("{} is left out: {}", self.uri, log::chain(why));
        }
    }

    fn take_in(&self) {
        if self.dead_until().take().is_some() {
            eprintln!("{} is back", self.uri);
        }
    }

    fn address(&self, mut head: Parts, content: Content) -> Result<Request<Content>, AnyError> {
        let mut uri = head.uri.into_parts();
        uri.authority = self.uri.authority().cloned();
        head.uri = Uri::from_parts(uri)?;
        Ok(Request::from_parts(head, content))
    }
}

/// Whether an error says that nobody was there, so that nobody has seen the request.
fn was_never_connected(error: &(dyn Error + 'static)) -> bool {
    if let Some(error) = error.downcast_ref::<legacy::Error>() {
        return error.is_connect();
    }
    // What `Http2` fails with before it has a connection.
    error.downcast_ref::<io::Error>().is_some()
}
