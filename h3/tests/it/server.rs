//! A server with routes for the tests, and what became of their handlers.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{self, Request},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{mpsc, oneshot},
    task::JoinHandle,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use tower::{Layer, ServiceExt};
use tower_upgrade::{
    Drain, Limit, OnUpgrade, PeerAddress, Pending, Policy, Protocol, UpgradeLayer, Upgraded,
    WebSocket,
};
use tower_upgrade_h3::{RequestBody, Server};

/// What a client has to know of a server.
pub(crate) struct Site {
    pub(crate) address: SocketAddr,
    pub(crate) certificate: CertificateDer<'static>,
}

pub(crate) struct Running {
    site: Site,
    chain: PathBuf,
    _files: tempfile::TempDir,
    pub(crate) limit: Limit,
    pub(crate) drain: Drain,
    /// How each handler of `/watch` ended: after so many octets, and why.
    pub(crate) ends: mpsc::UnboundedReceiver<(usize, Option<io::ErrorKind>)>,
    /// How much the handlers of `/flood` have written.
    pub(crate) flooded: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<io::Result<()>>,
}

/// How long connections may take to end when the server does: longer than any test waits.
const GRACE: Duration = Duration::from_secs(600);

pub(crate) fn start() -> Running {
    start_with(GRACE, |server| server)
}

pub(crate) fn start_with(grace: Duration, set: impl FnOnce(Server) -> Server) -> Running {
    let (watch, ends) = mpsc::unbounded_channel();
    let (flooded, limit, drain) = (Arc::default(), Limit::total(1000), Drain::new());
    let layer = |policy| {
        let layer = UpgradeLayer::new(policy).limit(limit.clone());
        layer.drain(drain.clone())
    };
    let app = app(layer, watch, Arc::clone(&flooded));
    let app = tower::service_fn(move |request| proxy(request, app.clone()));
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let files = tempfile::tempdir().unwrap();
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| files.path().join(name));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = set(Server::new(socket, &chain, key));
    let address = server.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let stopped = async { drop(stopped.await) };
    let served = tokio::spawn(async move { server.serve_until(app, stopped, grace).await });
    Running {
        site: Site {
            address,
            certificate: CertificateDer::from(made.cert),
        },
        chain,
        _files: files,
        limit,
        drain,
        ends,
        flooded,
        stop: Some(stop),
        served,
    }
}

impl Running {
    /// The file of its certificate.
    pub(crate) fn chain(&self) -> &Path {
        &self.chain
    }

    /// Gives the signal, after which `ended` can be awaited.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) async fn ended(&mut self) {
        (&mut self.served).await.unwrap().unwrap();
    }
}

impl Deref for Running {
    type Target = Site;

    fn deref(&self) -> &Site {
        &self.site
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.served.abort();
    }
}

fn app(
    layer: impl Fn(Policy) -> UpgradeLayer,
    watch: mpsc::UnboundedSender<(usize, Option<io::ErrorKind>)>,
    flooded: Arc<AtomicUsize>,
) -> Router {
    let echo = || Protocol::new("echo/1.0").unwrap();
    let multi = Policy::require(echo()).or(WebSocket::new());
    let watch = |upgrade: OnUpgrade| async {
        let response: Response = upgrade.accept(move |io| watch_end(io, watch));
        response
    };
    let flood = |upgrade: OnUpgrade| async {
        let response: Response = upgrade.accept(move |io| pour(io, flooded));
        response
    };
    // axum compares the method first, so the layer that translates stands around the router.
    let get_only = layer(Policy::require(echo()).translate_connect());
    let get_only = get_only.layer(Router::new().route("/get-only", get(accept)));
    Router::new()
        .route_service("/get-only", get_only)
        .route("/", get("a page"))
        .route("/peer", get(peer))
        .route(
            "/length",
            post(async |content: Bytes| content.len().to_string()),
        )
        .route(
            "/echo-content",
            post(async |request: Request| request.into_body()),
        )
        .route("/fails", get(async || Body::from_stream(failing())))
        .route(
            "/panics",
            get(async || -> StatusCode { panic!("as a test wants it") }),
        )
        .route("/bare-101", any(async || StatusCode::SWITCHING_PROTOCOLS))
        .route("/bare-200", any("nothing was accepted"))
        .route(
            "/ws",
            any(accept).layer(layer(Policy::require(WebSocket::new()))),
        )
        .route("/multi", any(accept).layer(layer(multi)))
        .route("/unaware", any("200").layer(layer(Policy::require(echo()))))
        .route("/hello", any(hello).layer(layer(Policy::require(echo()))))
        .route("/slow", any(slow).layer(layer(Policy::require(echo()))))
        .route("/watch", any(watch).layer(layer(Policy::require(echo()))))
        .route("/flood", any(flood).layer(layer(Policy::require(echo()))))
        .route(
            "/parting/{size}",
            any(parting).layer(layer(Policy::require(echo()))),
        )
        .route("/deaf", any(deaf).layer(layer(Policy::require(echo()))))
        .route(
            "/h3",
            any(accept).layer(layer(Policy::require(
                Protocol::new("connect-udp").unwrap(),
            ))),
        )
}

/// A forward proxy to one target, which is an echo, in front of the app.
async fn proxy(
    mut request: http::Request<RequestBody>,
    app: Router,
) -> Result<Response, std::convert::Infallible> {
    if request.uri() != "echo.example:7" {
        return app.oneshot(request).await;
    }
    let pending = request.extensions_mut().remove::<Pending>().unwrap();
    tokio::spawn(async move {
        let (mut from, mut to) = tokio::io::split(pending.await.unwrap());
        tokio::io::copy(&mut from, &mut to).await.unwrap();
        to.shutdown().await.unwrap();
    });
    Ok(StatusCode::OK.into_response())
}

async fn peer(request: Request) -> String {
    let peer = request.extensions().get::<PeerAddress>().unwrap();
    let body = http_body::Body::size_hint(request.body()).exact();
    format!("{} {:?} {body:?}", peer.0, request.version())
}

fn failing() -> impl futures_util::Stream<Item = io::Result<&'static str>> {
    futures_util::stream::iter([Ok("some"), Err(io::Error::other("as a test wants it"))])
}

/// Accepts whatever was selected, and speaks it.
async fn accept(upgrade: OnUpgrade) -> Response {
    upgrade.accept(async |io| match io.protocol().as_str() {
        "websocket" => echo_messages(io).await,
        _ => echo_octets(io).await,
    })
}

/// Says a word before it is asked, and ends its half.
async fn hello(upgrade: OnUpgrade) -> Response {
    upgrade.accept(async |mut io| {
        io.write_all(b"hello").await.unwrap();
        io.shutdown().await.unwrap();
        let mut heard = Vec::new();
        io.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, b"goodbye");
    })
}

/// Never answers, until it is dropped.
async fn slow(_upgrade: OnUpgrade) -> Response {
    std::future::pending::<()>().await;
    StatusCode::OK.into_response()
}

/// Holds on to its connection for as long as the client does, and reads nothing before.
async fn deaf(upgrade: OnUpgrade) -> Response {
    upgrade.accept(async |io| {
        let draining = io.draining();
        draining.await;
        drop(io);
    })
}

/// Says so much, and leaves.
async fn parting(extract::Path(size): extract::Path<usize>, upgrade: OnUpgrade) -> Response {
    upgrade.accept(async move |mut io| io.write_all(&vec![9; size]).await.unwrap())
}

async fn watch_end(mut io: Upgraded, watch: mpsc::UnboundedSender<(usize, Option<io::ErrorKind>)>) {
    let (mut buffer, mut read) = (vec![0; 4096], 0);
    let why = loop {
        match io.read(&mut buffer).await {
            Ok(0) => break None,
            Ok(length) => read += length,
            Err(error) => break Some(error.kind()),
        }
    };
    let _ = watch.send((read, why));
}

async fn pour(mut io: Upgraded, flooded: Arc<AtomicUsize>) {
    let piece = vec![7; 8 << 10];
    while let Ok(length) = io.write(&piece).await {
        flooded.fetch_add(length, Ordering::Relaxed);
    }
}

async fn echo_messages(io: Upgraded) {
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        let is_data = message.is_text() || message.is_binary();
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// Does not flush: what was written has to go out all the same.
async fn echo_octets(mut io: Upgraded) {
    let mut buffer = vec![0; 32 << 10];
    while let Ok(length @ 1..) = io.read(&mut buffer).await {
        if io.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    let _ = io.shutdown().await;
}
