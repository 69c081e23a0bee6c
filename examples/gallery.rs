//! Every policy on one server, over HTTP/1.1 and HTTP/2, for anyone to probe.
//!
//! ```text
//! cargo run --example gallery --features axum -- [--addr 127.0.0.1:3001] [--tls]
//! ```
//!
//! The page at `/` lists the routes with a button each that tries it from the browser. Ctrl-C or SIGTERM
//! ends it in good order, and it prints what became of its connections.

use std::{error::Error, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{ConnectInfo, WebSocketUpgrade, ws},
    http::{HeaderMap, Method, Request, StatusCode, Version, header},
    response::{Html, IntoResponse, Response},
    routing::{any, get},
};
use futures_util::{SinkExt, StreamExt};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    signal,
    time::{sleep, timeout},
};
use tokio_rustls::{TlsAcceptor, rustls};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};
use tower::{Layer, ServiceExt as _};
use tower_upgrade::{
    Drain, Head, Limit, OnUpgrade, Policy, Protocol, UpgradeLayer, Upgraded, WebSocket,
    axum::{Content, client_ip},
};

/// How long a connection may take to end when the server does.
const GRACE: Duration = Duration::from_secs(3);
/// How long a client may take over a TLS handshake or the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("usage: gallery [--addr HOST:PORT] [--tls]");
        std::process::exit(2);
    };
    let tls = options.tls.then(self_signed).transpose()?;
    // Before anybody knows the address: until it is caught, a signal ends the process at once.
    let stop = stop_signal()?;
    let listener = TcpListener::bind(&options.addr).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{}", listener.local_addr()?);

    let drain = Drain::new();
    let app = app(|policy| UpgradeLayer::new(policy).drain(drain.clone()))?;
    let drained = drain.clone().shutdown(stop, GRACE);
    serve_until(drained, listener, tls, app).await;
    println!("{}", drain.report());
    Ok(())
}

/// Left in every request that came over TLS, by the one who knows: the server.
#[derive(Clone)]
struct Tls;

/// The routes. Nearly all have a policy of their own, inside of the router, and a layer made for it.
pub(crate) fn app(layer: impl Fn(Policy) -> UpgradeLayer) -> Result<Router, Box<dyn Error>> {
    let websocket = WebSocket::new;
    let multi = || -> Result<Policy, Box<dyn Error>> {
        Ok(Policy::require(Protocol::new("echo/2.0")?)
            .or(Protocol::new("echo/1.0")?)
            .or(websocket()))
    };
    let echo = |limit| -> Result<Policy, Box<dyn Error>> {
        let echo = Protocol::new("echo/1.0")?.methods([Method::POST]);
        Ok(Policy::require(echo.content_limit(limit)))
    };
    let versions = websocket().subprotocols(["v2", "v1"]);
    let second = Duration::from_secs(1);
    let is_tls = |head: &Head<'_>| head.extensions.get::<Tls>().is_some();

    // axum compares the method before a layer of the route is asked, so for `get(..)` routes over
    // HTTP/2 the layer stands around the router.
    let get_only = Router::new().route("/get-only", get(accept));
    let get_only = layer(Policy::require(websocket()).translate_connect()).layer(get_only);

    Ok(Router::new()
        .route("/", get(Html(include_str!("gallery.html"))))
        .route("/ws", any(accept).layer(layer(Policy::require(versions))))
        .route(
            "/either",
            any(either).layer(layer(Policy::offer(websocket()))),
        )
        .route("/closed", any(closed).layer(layer(Policy::forbid())))
        .route("/multi", any(accept).layer(layer(multi()?)))
        .route(
            "/multi-server",
            any(accept).layer(layer(multi()?.server_order())),
        )
        .route("/exec", any(exec).layer(layer(echo(64 << 10)?)))
        .route("/unread", any(accept).layer(layer(echo(1 << 20)?)))
        .route(
            "/decline",
            any(decline).layer(layer(Policy::offer(websocket()))),
        )
        .route(
            "/unaware",
            any("unaware").layer(layer(Policy::offer(websocket()))),
        )
        .route(
            "/axum",
            any(axum_echo).layer(layer(Policy::require(websocket()).hand_over_raw())),
        )
        .route_service("/get-only", get_only)
        .route(
            "/limited",
            any(accept)
                .layer(layer(Policy::require(websocket())).limit(Limit::per_key(2, client_ip))),
        )
        .route(
            "/limited-total",
            any(accept).layer(layer(Policy::require(websocket())).limit(Limit::total(2))),
        )
        .route(
            "/idle",
            any(accept).layer(layer(Policy::require(websocket())).idle_timeout(second)),
        )
        .route(
            "/deadline",
            any(accept).layer(layer(Policy::require(websocket())).max_lifetime(2 * second)),
        )
        .route(
            "/first-byte",
            any(accept).layer(layer(Policy::require(websocket())).first_byte_timeout(second)),
        )
        .route(
            "/secure",
            any("secure").layer(layer(Policy::forbid().require_tls(is_tls))),
        )
        .route(
            "/http2",
            any("http2").layer(layer(Policy::forbid().require_http(Version::HTTP_2))),
        ))
}

/// Accepts whatever was selected, and speaks it.
async fn accept(upgrade: OnUpgrade) -> Response {
    upgrade.accept(speak)
}

async fn either(upgrade: Option<OnUpgrade>) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.accept(speak),
        None => "plain".into_response(),
    }
}

async fn closed(headers: HeaderMap) -> String {
    match headers.get(header::UPGRADE) {
        Some(value) => format!("upgrade: {}", String::from_utf8_lossy(value.as_bytes())),
        None => "upgrade: absent".into(),
    }
}

/// Reads the content that came with the offer, which is what lets it accept.
async fn exec(upgrade: OnUpgrade, Content(content): Content<Bytes>) -> Response {
    upgrade.accept(async move |mut io| {
        let greeting = format!("body:{}\n", content.len());
        if io.write_all(greeting.as_bytes()).await.is_ok() {
            speak(io).await;
        }
    })
}

/// Declines, and keeps what must then never be handed over.
async fn decline(upgrade: Option<OnUpgrade>) -> StatusCode {
    if let Some(upgrade) = upgrade {
        tokio::spawn(async {
            if let Ok(mut io) = upgrade.await {
                let _ = io.write_all(b"LEAK").await;
            }
        });
    }
    StatusCode::FORBIDDEN
}

async fn axum_echo(upgrade: WebSocketUpgrade) -> Response {
    upgrade
        .read_buffer_size(4 << 10)
        .on_upgrade(async |mut socket| {
            while let Some(Ok(message)) = socket.recv().await {
                let is_data = matches!(message, ws::Message::Text(_) | ws::Message::Binary(_));
                if is_data && socket.send(message).await.is_err() {
                    break;
                }
            }
        })
}

async fn speak(io: Upgraded) {
    match io.protocol().as_str() {
        "websocket" => echo_messages(io).await,
        "echo/2.0" => echo_bytes(io, <[u8]>::make_ascii_uppercase).await,
        _ => echo_bytes(io, |_| {}).await,
    }
}

type Socket = WebSocketStream<Upgraded>;

/// Echoes messages until the client leaves, or the server is to end.
async fn echo_messages(io: Upgraded) {
    let draining = io.draining();
    // The engine's own read buffer is 128 KiB a connection.
    let config = WebSocketConfig::default()
        .read_buffer_size(4 << 10)
        .max_message_size(Some(1 << 20));
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

/// Closes, and reads on until the client has closed too, or the drain's deadline strikes.
async fn say_goodbye(socket: &mut Socket) {
    let (code, reason) = (CloseCode::Away, "the server is about to end".into());
    let frame = CloseFrame { code, reason };
    if socket.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
}

/// Echoes until the client ends its half, and then ends the other.
async fn echo_bytes(mut io: Upgraded, change: impl Fn(&mut [u8])) {
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

/// Serves until its upgraded connections were drained, and then ends those of HTTP.
///
/// As long as it drains it takes new connections, so that their offers are refused with 503, and not
/// only cut off.
pub(crate) async fn serve_until(
    drained: impl Future<Output = ()>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    app: Router,
) {
    let graceful = GracefulShutdown::new();
    let mut drained = pin!(drained);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut drained => break,
        };
        let Ok((tcp, address)) = accepted else {
            // Out of descriptors, or the client is gone already: neither ends the server.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let peer = Peer {
            address,
            watcher: graceful.watcher(),
        };
        tokio::spawn(serve_tcp(tcp, tls.clone(), app.clone(), peer));
    }
    drop(listener);
    // Without a bound, a client that stops in the middle of a request would be waited for.
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

/// Who is served, and from whom the connection learns that HTTP is to end.
struct Peer {
    address: SocketAddr,
    watcher: Watcher,
}

async fn serve_tcp(tcp: TcpStream, tls: Option<TlsAcceptor>, app: Router, peer: Peer) {
    let _ = tcp.set_nodelay(true);
    let Some(tls) = tls else {
        return serve_connection(tcp, app, peer).await;
    };
    if let Ok(Ok(io)) = timeout(PATIENCE, tls.accept(tcp)).await {
        serve_connection(io, app.layer(axum::Extension(Tls)), peer).await;
    }
}

async fn serve_connection<I>(io: I, app: Router, peer: Peer)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let app = app.map_request(move |request: Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        // What `axum::serve` leaves there when it is asked to, and `client_ip` reads.
        request.extensions_mut().insert(ConnectInfo(peer.address));
        request
    });
    let mut server = auto::Builder::new(TokioExecutor::new());
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE);
    // Without this setting no client may send an extended CONNECT (RFC 8441 section 3).
    server
        .http2()
        .timer(TokioTimer::new())
        .enable_connect_protocol();
    let service = TowerToHyperService::new(app);
    let connection = server.serve_connection_with_upgrades(TokioIo::new(io), service);
    let _ = peer.watcher.watch(connection).await;
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

fn self_signed() -> Result<TlsAcceptor, Box<dyn Error>> {
    let names = [
        "localhost".to_owned(),
        "127.0.0.1".to_owned(),
        "::1".to_owned(),
    ];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.into()], key)?;
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

struct Options {
    addr: String,
    tls: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            addr: "127.0.0.1:3001".into(),
            tls: false,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--addr" => options.addr = arguments.next()?,
                "--tls" => options.tls = true,
                _ => return None,
            }
        }
        Some(options)
    }
}
