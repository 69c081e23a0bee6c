//! Offers without a server, step by step: sent, decided on, answered, handed over.

use std::{
    io,
    panic::Location,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use http::{Method, Request, Response, StatusCode, Version};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream, ReadBuf, duplex},
    sync::{mpsc::unbounded_channel, oneshot},
    time::timeout,
};
use tower::{Layer, Service, service_fn};
use tower_upgrade::{
    OnUpgrade, Pending, Policy, Protocol, ResponseBody, UpgradeLayer, Upgraded,
    negotiate::ConnectProtocol,
};

use crate::{echo::Echo, server::AnyError};

pub(super) type Offer = Request<()>;
pub(super) type Answer = Response<ResponseBody<String>>;
type Answering = Pin<Box<dyn Future<Output = Result<Answer, AnyError>> + Send>>;

pub(super) const SECOND: Duration = Duration::from_secs(1);

/// Time is only so exact: a timer fires by whole milliseconds.
pub(super) const TICK: Duration = Duration::from_millis(2);

pub(super) fn protocol() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

pub(super) fn layer() -> UpgradeLayer {
    UpgradeLayer::new(Policy::require(protocol()))
}

/// An offer with this promise of a connection.
pub(super) fn offer(handle: Pending) -> Offer {
    Request::get("/")
        .header("connection", "upgrade")
        .header("upgrade", "echo/1.0")
        .extension(handle)
        .body(())
        .unwrap()
}

/// The same as an extended CONNECT of HTTP/2.
pub(super) fn connect(handle: Pending) -> Offer {
    Request::builder()
        .method(Method::CONNECT)
        .uri("http://here.example/")
        .version(Version::HTTP_2)
        .extension(ConnectProtocol::new("echo/1.0"))
        .extension(handle)
        .body(())
        .unwrap()
}

/// The client's end of a connection, and the promise of the server's.
pub(super) fn connection() -> (DuplexStream, Pending) {
    let (client, server) = duplex(64);
    (client, Pending::ready(server))
}

/// Waits for what comes within a minute, which is no time where time is paused.
pub(super) async fn due<F: Future>(future: F) -> F::Output {
    let minute = 60 * SECOND;
    timeout(minute, future).await.expect("it comes in time")
}

/// Lets all tasks go on until they wait.
pub(super) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

/// Reads the end of a connection, and nothing before it.
pub(super) async fn ends(client: &mut DuplexStream) {
    let mut rest = Vec::new();
    due(client.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&rest), "");
}

/// An answer with this status, which is the service's own.
pub(super) fn status(status: u16) -> Response<String> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// An offer that reached the service, which has not answered.
pub(super) struct Deciding {
    pub(super) on_upgrade: OnUpgrade,
    pub(super) answer: oneshot::Sender<Result<Response<String>, AnyError>>,
    pub(super) answering: Answering,
}

impl Deciding {
    /// Sends an offer to a layer that lets it through.
    #[track_caller]
    pub(super) fn of(layer: &UpgradeLayer, handle: Pending) -> Self {
        let (send, mut reached) = unbounded_channel();
        let mut service = layer.layer(service_fn(move |mut request: Offer| {
            let (answer, answering) = oneshot::channel();
            let _ = send.send((OnUpgrade::take(&mut request).unwrap(), answer));
            async { answering.await? }
        }));
        let answering = Box::pin(service.call(offer(handle)));
        let (on_upgrade, answer) = reached.try_recv().expect("it is let through");
        Self {
            on_upgrade,
            answer,
            answering,
        }
    }

    /// Answers with this status, and returns the one that is sent.
    pub(super) async fn answer(self, with: u16) -> (OnUpgrade, u16) {
        assert!(self.answer.send(Ok(status(with))).is_ok());
        let answer = due(self.answering).await.unwrap();
        (self.on_upgrade, answer.status().as_u16())
    }

    /// Accepts, and returns what yields the connection.
    pub(super) async fn accept(self) -> OnUpgrade {
        let (on_upgrade, status) = self.answer(101).await;
        assert_eq!(status, 101);
        on_upgrade
    }
}

/// Goes all the way: the two ends of a connection that is live.
#[track_caller]
pub(super) fn open(layer: &UpgradeLayer) -> impl Future<Output = (DuplexStream, Upgraded)> {
    let (client, handle) = connection();
    let deciding = Deciding::of(layer, handle);
    async { (client, due(deciding.accept().await).await.unwrap()) }
}

/// The same, where the service gives the connection to this handler.
#[track_caller]
pub(super) fn serve<F, Fut>(layer: &UpgradeLayer, handler: F) -> impl Future<Output = DuplexStream>
where
    F: FnOnce(Upgraded) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let (client, handle) = connection();
    let Deciding {
        on_upgrade,
        answer,
        answering,
    } = Deciding::of(layer, handle);
    async {
        assert!(answer.send(Ok(on_upgrade.accept(handler))).is_ok());
        let answer = due(answering).await.unwrap();
        assert_eq!(answer.status(), 101);
        settle().await;
        client
    }
}

/// Sends an offer that is refused with this status; the service does not see it.
#[track_caller]
pub(super) fn refuses(
    layer: &UpgradeLayer,
    status: u16,
) -> impl Future<Output = Response<ResponseBody<http_body_util::Full<bytes::Bytes>>>> {
    let at = Location::caller();
    let (mut client, handle) = connection();
    let echo = Echo::default();
    let answering = layer.layer(echo.clone()).call(offer(handle));
    async move {
        let response = due(answering).await.unwrap();
        assert_eq!(response.status(), status, "{at}");
        assert_eq!(echo.calls(), 0, "{at}: the service was called");
        ends(&mut client).await;
        response
    }
}

/// A connection's end that does something when it is dropped.
pub(super) struct Dropping {
    io: DuplexStream,
    then: Option<Box<dyn FnOnce() + Send>>,
}

impl Dropping {
    pub(super) fn new(io: DuplexStream, then: impl FnOnce() + Send + 'static) -> Self {
        let then: Option<Box<dyn FnOnce() + Send>> = Some(Box::new(then));
        Self { io, then }
    }
}

impl Drop for Dropping {
    fn drop(&mut self) {
        if let Some(then) = self.then.take() {
            then();
        }
    }
}

impl AsyncRead for Dropping {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Dropping {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
