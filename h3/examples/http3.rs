//! One app over HTTP/1.1, HTTP/2 and HTTP/3, all on one port number: TCP for two, UDP for the third.
//!
//! ```text
//! cargo run -p tower-upgrade-h3 --example http3 -- [--addr 127.0.0.1:3003] [--cert CHAIN.pem --key KEY.pem]
//! ```
//!
//! | | |
//! |---|---|
//! | `/` | a page that says which version of HTTP it came by |
//! | `/ws` | a WebSocket that echoes messages, subprotocols `v2` and `v1` |
//! | `/multi` | `echo/2.0` in upper case, `echo/1.0` as it is, or a WebSocket |
//!
//! Clients learn of HTTP/3 by `Alt-Svc` (RFC 7838). Without a certificate it makes one of its own, which
//! browsers take for TCP if asked to, and for QUIC not. Ctrl-C or SIGTERM ends it in good order.

use std::{
    error::Error,
    io,
    net::{SocketAddr, UdpSocket},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::{HeaderValue, Version, header::ALT_SVC},
    response::{Html, Response},
    routing::{any, get},
};
use futures_util::{SinkExt, StreamExt};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};
use tower::ServiceExt as _;
use tower_upgrade::{Drain, OnUpgrade, Policy, Protocol, UpgradeLayer, Upgraded, WebSocket};
use tower_upgrade_h3::Server;

/// How long a connection may take to end when the server does.
const GRACE: Duration = Duration::from_secs(3);
/// How long a client may take over a TLS handshake or the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("usage: http3 [--addr HOST:PORT] [--cert CHAIN.pem --key KEY.pem]");
        std::process::exit(2);
    };
    let certificate = options.certificate.map_or_else(Certificate::new, Ok)?;
    let tls = tls(&certificate)?;
    let stop = stop_signal()?;
    let (tcp, udp) = bind(&options.addr).await?;
    let address = tcp.local_addr()?;

    let drain = Drain::new();
    let app = app(|policy| UpgradeLayer::new(policy).drain(drain.clone()))?;
    let http3 = Server::new(udp, &certificate.chain, &certificate.key);
    println!("listening on https://{address}");

    // Both go on until the drain has ended: offers are refused, and not cut off.
    let ended = drain.ended();
    let http3 = http3.serve_until(app.clone(), drain.ended(), GRACE);
    let others = serve_tcp(tcp, tls, app, address.port(), ended);
    let others = async {
        tokio::join!(drain.clone().shutdown(stop, GRACE), others);
        Ok(())
    };
    tokio::try_join!(http3, others)?;
    println!("{}", drain.report());
    Ok(())
}

pub(crate) fn app(layer: impl Fn(Policy) -> UpgradeLayer) -> Result<Router, Box<dyn Error>> {
    let versions = WebSocket::new().subprotocols(["v2", "v1"]);
    let multi = Policy::require(Protocol::new("echo/2.0")?)
        .or(Protocol::new("echo/1.0")?)
        .or(WebSocket::new());
    Ok(Router::new()
        .route("/", get(page))
        .route("/ws", any(accept).layer(layer(Policy::require(versions))))
        .route("/multi", any(accept).layer(layer(multi))))
}

async fn page(version: Version) -> Html<String> {
    Html(format!("<!doctype html><p>This came by {version:?}.\n"))
}

/// Accepts whatever was selected, and speaks it.
async fn accept(upgrade: OnUpgrade) -> Response {
    upgrade.accept(async |io| match io.protocol().as_str() {
        "websocket" => echo_messages(io).await,
        "echo/2.0" => echo_octets(io, <[u8]>::make_ascii_uppercase).await,
        _ => echo_octets(io, |_| {}).await,
    })
}

type Socket = WebSocketStream<Upgraded>;

/// Echoes messages until the client leaves, or the server is to end.
async fn echo_messages(io: Upgraded) {
    let draining = io.draining();
    let config = WebSocketConfig::default().read_buffer_size(4 << 10);
    let mut socket = Socket::from_raw_socket(io, Role::Server, Some(config)).await;
    tokio::select! {
        () = exchange(&mut socket) => {}
        () = draining => say_goodbye(&mut socket).await,
    }
}

async fn exchange(socket: &mut Socket) {
    while let Some(Ok(message)) = socket.next().await {
        let is_data = message.is_text() || message.is_binary();
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn say_goodbye(socket: &mut Socket) {
    let (code, reason) = (CloseCode::Away, "the server is about to end".into());
    if socket
        .close(Some(CloseFrame { code, reason }))
        .await
        .is_ok()
    {
        while let Some(Ok(_)) = socket.next().await {}
    }
}

/// Echoes until the client ends its half, and then ends the other.
async fn echo_octets(mut io: Upgraded, change: impl Fn(&mut [u8])) {
    let mut buffer = vec![0; 4 << 10];
    while let Ok(length @ 1..) = io.read(&mut buffer).await {
        let Some(read) = buffer.get_mut(..length) else {
            break;
        };
        change(read);
        if io.write_all(read).await.is_err() {
            return;
        }
    }
    let _ = io.shutdown().await;
}

/// HTTP/1.1 and HTTP/2, until the drain has ended, and what was begun then.
pub(crate) async fn serve_tcp(
    listener: TcpListener,
    mut tls: rustls::ServerConfig,
    app: Router,
    port: u16,
    ended: impl Future<Output = ()>,
) {
    tls.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    let tls = TlsAcceptor::from(Arc::new(tls));
    let graceful = GracefulShutdown::new();
    let mut ended = std::pin::pin!(ended);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut ended => break,
        };
        let Ok((tcp, _)) = accepted else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let serving = serve_connection(tcp, tls.clone(), app.clone(), port, graceful.watcher());
        tokio::spawn(serving);
    }
    drop(listener);
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

async fn serve_connection(
    tcp: TcpStream,
    tls: TlsAcceptor,
    app: Router,
    port: u16,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let _ = tcp.set_nodelay(true);
    let Ok(Ok(io)) = timeout(PATIENCE, tls.accept(tcp)).await else {
        return;
    };
    let app = app
        .map_request(|request: Request<hyper::body::Incoming>| request.map(Body::new))
        .map_response(move |response| advertise(response, port));
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    server
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol();
    let service = TowerToHyperService::new(app);
    let connection = server.serve_connection_with_upgrades(TokioIo::new(io), service);
    let _ = watcher.watch(connection).await;
}

/// Tells a client where HTTP/3 is, for a day.
fn advertise(mut response: Response, port: u16) -> Response {
    let service = format!("h3=\":{port}\"; ma=86400");
    if let Ok(service) = HeaderValue::try_from(service) {
        response.headers_mut().insert(ALT_SVC, service);
    }
    response
}

/// Binds both, to one port number also where the system may choose it.
pub(crate) async fn bind(address: &str) -> io::Result<(TcpListener, UdpSocket)> {
    let mut attempts = 10;
    loop {
        let tcp = TcpListener::bind(address).await?;
        let chosen: SocketAddr = tcp.local_addr()?;
        match UdpSocket::bind(chosen) {
            Ok(udp) => return Ok((tcp, udp)),
            // Taken by another, where the number is the system's choice: once more.
            Err(error) if attempts == 0 || address != format!("{}:0", chosen.ip()) => {
                return Err(error);
            }
            Err(_) => attempts -= 1,
        }
    }
}

/// Two files of PEM.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Where they are, if they are to go with it.
    _directory: Option<TempDir>,
}

impl Certificate {
    /// One of our own, for as long as this lives.
    pub(crate) fn new() -> Result<Self, Box<dyn Error>> {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names)?;
        let directory = tempfile::tempdir()?;
        let [chain, key] = ["chain.pem", "key.pem"].map(|name| directory.path().join(name));
        std::fs::write(&chain, made.cert.pem())?;
        std::fs::write(&key, made.signing_key.serialize_pem())?;
        Ok(Self {
            chain,
            key,
            _directory: Some(directory),
        })
    }
}

pub(crate) fn tls(certificate: &Certificate) -> Result<rustls::ServerConfig, Box<dyn Error>> {
    let chain = CertificateDer::pem_file_iter(&certificate.chain)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(&certificate.key)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions()?;
    Ok(builder.with_no_client_auth().with_single_cert(chain, key)?)
}

/// Returns a future that is ready at Ctrl-C or SIGTERM. They are caught from now on, polled or not.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal::windows::ctrl_c()?;
    Ok(async move { drop(interrupt.recv().await) })
}

struct Options {
    addr: String,
    certificate: Option<Certificate>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut addr = "127.0.0.1:3003".to_owned();
        let (mut cert, mut key) = (None, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--addr" => addr = arguments.next()?,
                "--cert" => cert = Some(arguments.next()?),
                "--key" => key = Some(arguments.next()?),
                _ => return None,
            }
        }
        let certificate = match (cert, key) {
            (Some(chain), Some(key)) => Some(Certificate {
                chain: chain.into(),
                key: key.into(),
                _directory: None,
            }),
            (None, None) => None,
            _ => return None,
        };
        Some(Self { addr, certificate })
    }
}
