//! Tower's contract: readiness, cancellation, clones, and what the types promise.

use std::{
    convert::Infallible,
    future::Ready,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::oneshot,
};
use tower::{
    BoxError, Layer, Service, ServiceBuilder, ServiceExt, buffer::Buffer, service_fn,
    util::BoxCloneSyncService,
};
use tower_http::timeout::TimeoutLayer;
use tower_upgrade::{
    OnUpgrade, Pending, Policy, Protocol, ResponseBody, UpgradeError, UpgradeLayer,
    testing::{Client, TestOffer},
};

use crate::{echo::Echo, wire::patiently};

type Body = Full<Bytes>;

fn layer() -> UpgradeLayer {
    UpgradeLayer::new(Policy::require(Protocol::new("echo/1.0").unwrap()))
}

fn plain() -> Request<Body> {
    Request::default()
}

fn offer() -> TestOffer {
    TestOffer::new("/", "echo/1.0")
}

async fn echoes(mut client: Client) {
    client.write_all(b"hello").await.unwrap();
    let mut read = [0; 5];
    patiently("the echo", client.read_exact(&mut read))
        .await
        .unwrap();
    assert_eq!(&read, b"hello");
}

type Boxed = BoxCloneSyncService<Request<Body>, Response<ResponseBody<Body>>, BoxError>;

/// Panics when it is called without having said that it is ready, and counts its clones.
#[derive(Debug, Default)]
struct Strict {
    ready: bool,
    blocked: Arc<AtomicBool>,
    clones: Arc<AtomicUsize>,
    echo: Echo,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        self.clones.fetch_add(1, Ordering::SeqCst);
        let (clones, blocked) = (Arc::clone(&self.clones), Arc::clone(&self.blocked));
        let echo = self.echo.clone();
        Self {
            ready: false,
            blocked,
            clones,
            echo,
        }
    }
}

impl Service<Request<Body>> for Strict {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = !self.blocked.load(Ordering::SeqCst);
        if self.ready {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        assert!(self.ready, "called without being ready");
        self.ready = false;
        self.echo.call(request)
    }
}

fn is_ready<S: Service<Request<Body>>>(service: &mut S) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    service.poll_ready(&mut cx).is_ready()
}

#[tokio::test]
async fn it_is_ready_when_the_service_inside_is() {
    // `poll_ready` is that of the service inside.
    let inner = Strict::default();
    let blocked = Arc::clone(&inner.blocked);
    let mut service = layer().layer(inner);
    blocked.store(true, Ordering::SeqCst);
    assert!(!is_ready(&mut service));
    blocked.store(false, Ordering::SeqCst);
    assert!(is_ready(&mut service));
}

#[tokio::test]
async fn a_refused_request_uses_up_no_readiness() {
    // A refusal leaves the service inside as ready as it was.
    let mut service = layer().layer(Strict::default());
    assert!(is_ready(&mut service));
    for _ in 0..3 {
        let answer = service.call(plain()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED);
    }
    assert_eq!(service.get_ref().echo.calls(), 0);
    // The kit would ask whether it is ready before it calls.
    let unasked = service_fn(|request| service.call(request));
    echoes(offer().send(unasked).await.unwrap().into_client()).await;
    assert!(!service.get_ref().ready, "an accepted one does");
}

#[tokio::test]
async fn the_service_inside_is_not_cloned_by_any_call() {
    // Accepted, passed or refused, a call clones nothing.
    let required = layer().layer(Strict::default());
    let offered = Policy::offer(Protocol::new("echo/1.0").unwrap());
    let offered = UpgradeLayer::new(offered).layer(Strict::default());
    for mut service in [required, offered] {
        let _client = offer().send(&mut service).await.unwrap().into_client();
        for other in [TestOffer::from(plain()), TestOffer::new("/", "x")] {
            assert!(other.send(&mut service).await.unwrap().client.is_err());
        }
        assert_eq!(service.get_ref().clones.load(Ordering::SeqCst), 0);
    }
}

#[tokio::test]
async fn its_error_is_that_of_the_service_inside() {
    // The layer has no error of its own.
    let failing = service_fn(async |_: Request<Body>| Err::<Response<Body>, _>("broken"));
    let answered = offer().send(layer().layer(failing)).await;
    assert_eq!(answered.unwrap_err(), "broken");
}

#[tokio::test]
async fn an_upgraded_connection_holds_no_permit_of_a_limit_and_no_place_in_a_buffer() {
    // tower's limits end at the 101.
    let builder = || ServiceBuilder::new().map_err(BoxError::from);
    let buffered = Buffer::new(layer().layer(Echo::default()), 1);
    let services: [Boxed; 3] = [
        BoxCloneSyncService::new(builder().layer(layer()).service(Echo::default())),
        BoxCloneSyncService::new(
            builder()
                .concurrency_limit(1)
                .layer(layer())
                .service(Echo::default()),
        ),
        BoxCloneSyncService::new(buffered),
    ];
    for mut service in services {
        let mut clients = Vec::new();
        for _ in 0..3 {
            let sent = offer().send(&mut service).await.unwrap();
            clients.push(sent.into_client());
        }
        for client in clients {
            echoes(client).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_timeout_on_either_side_ends_with_the_101() {
    // A connection outlives the clock of its request.
    let long = Duration::from_secs(5);
    let timeout = || TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, long);
    let stays = async |client: Client| {
        tokio::time::advance(100 * long).await;
        echoes(client).await;
    };
    let outside = timeout().layer(layer().layer(Echo::default()));
    stays(offer().send(outside).await.unwrap().into_client()).await;
    let inside = layer().layer(timeout().layer(Echo::default()));
    stays(offer().send(inside).await.unwrap().into_client()).await;
}

/// A service that takes the offer, and then never answers.
fn silent() -> (
    impl Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    Outcome,
) {
    let (sender, outcome) = oneshot::channel();
    let sender = Arc::new(std::sync::Mutex::new(Some(sender)));
    let service = service_fn(move |mut request: Request<Body>| {
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        let sender = sender.lock().unwrap().take().unwrap();
        tokio::spawn(async move { sender.send(on_upgrade.await.map(drop)).unwrap() });
        std::future::pending()
    });
    (service, outcome)
}

type Outcome = oneshot::Receiver<Result<(), UpgradeError>>;

/// Why no connection came. Time is paused, so if nobody tells, this fails at once.
async fn why(outcome: Outcome) -> UpgradeError {
    let outcome = tokio::time::timeout(Duration::from_secs(1), outcome).await;
    outcome.expect("it is told").unwrap().unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_strikes_outside_cancels_the_offer() {
    // The layer's future is dropped: nobody will have the connection.
    let (service, outcome) = silent();
    let limit = Duration::from_secs(5);
    let service = TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, limit)
        .layer(layer().layer(service));
    // By hand: the kit gives out no end of a connection that was not switched.
    let (mut client, server) = duplex(64);
    let request = Request::get("/")
        .header("connection", "upgrade")
        .header("upgrade", "echo/1.0")
        .extension(Pending::ready(server))
        .body(Body::default())
        .unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(why(outcome).await.is_canceled());
    let end = patiently("the end", client.read(&mut [0])).await.unwrap();
    assert_eq!(end, 0, "the handle was dropped");
}

#[tokio::test(start_paused = true)]
async fn a_timeout_that_strikes_inside_declines_the_offer() {
    // The timeout's answer is one that is no 101.
    let (service, outcome) = silent();
    let limit = Duration::from_secs(5);
    let service = layer()
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, limit).layer(service));
    let answer = offer().send(service).await.unwrap();
    assert_eq!(answer.response.status(), StatusCode::GATEWAY_TIMEOUT);
    assert!(why(outcome).await.is_declined());
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tower_cancels_on_either_side() {
    // An error is no answer.
    let limit = Duration::from_secs(5);
    for outside in [true, false] {
        let (service, outcome) = silent();
        let builder = ServiceBuilder::new();
        let error = if outside {
            let service = builder.timeout(limit).layer(layer()).service(service);
            offer().send(service).await.unwrap_err()
        } else {
            let service = builder.layer(layer()).timeout(limit).service(service);
            offer().send(service).await.unwrap_err()
        };
        assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
        assert!(why(outcome).await.is_canceled());
    }
}
