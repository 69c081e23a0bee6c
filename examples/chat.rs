//! A chat over one route: a WebSocket for clients that can have one, Server-Sent Events and POST for
//! the others; HTTP/1.1 and HTTP/2 on one port, in the clear or over TLS.
//!
//! ```text
//! cargo run --example chat --features axum
//! cargo run --example chat --features axum -- --addr 127.0.0.1:0 --tls
//! ```
//!
//! Then open the address it prints in two tabs; with `?transport=sse` behind it a tab uses the
//! fallback. The subprotocol `chat.v1`: a client sends what it says as text, the server sends JSON,
//! first `{"hello":"HTTP/2.0"}`, then `{"said":"hi"}` or `{"missed":3}`.

use std::{convert::Infallible, env, error::Error, future, process::ExitCode, sync::Arc};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    handler::Handler,
    http::{Method, Request, StatusCode, Version, header::ALLOW},
    response::{Html, IntoResponse, Response, Sse, sse},
    routing::{any, get},
};
use futures_util::{SinkExt, StreamExt, TryStreamExt, stream};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use serde_json::json;
use tokio::{
    io::{self, AsyncRead, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{
        Notify,
        broadcast::{self, error::RecvError},
    },
    time::{Duration, Instant, MissedTickBehavior, interval_at, sleep, timeout},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WebSocketError, Message, Utf8Bytes,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tower::ServiceExt;
use tower_http::{csrf::CsrfLayer, timeout::TimeoutLayer};
use tower_upgrade::{OnUpgrade, Policy, UpgradeLayer, Upgraded, WebSocket};

const USAGE: &str = "usage: chat [--addr HOST:PORT] [--tls]";

/// The longest message, in bytes.
const MAX_TEXT: usize = 4 << 10;
/// How many messages a slow client may fall behind before it misses some.
const BACKLOG: usize = 64;
/// How often a client is asked whether it is there.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How long a peer may take over one step: a TLS handshake, a request, taking a message.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let Some(options) = Options::parse(env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let tls = options.tls.then(self_signed).transpose()?;
    let listener = TcpListener::bind(&options.addr).await?;
    let scheme = if options.tls { "https" } else { "http" };
    println!("listening on {scheme}://{}", listener.local_addr()?);
    serve(listener, tls, app()).await;
    Ok(ExitCode::SUCCESS)
}

fn app() -> Router {
    // `offer`: a request without an upgrade passes, and gets the fallback. Pages of other origins
    // are refused, which is what `WebSocket` does unless it is told otherwise.
    let upgrade = UpgradeLayer::new(Policy::offer(WebSocket::new().subprotocols(["chat.v1"])));
    let too_slow = StatusCode::REQUEST_TIMEOUT;
    // The layer guards the WebSocket, not a POST: any page may send one, so that has a guard of its
    // own. A GET needs none, for the browser shows its answer to no other origin.
    let say = say
        .layer(DefaultBodyLimit::max(MAX_TEXT))
        .layer(TimeoutLayer::with_status_code(too_slow, PATIENCE))
        .layer(CsrfLayer::new());
    Router::new()
        // `any`: over HTTP/2 the offer is no GET but a CONNECT.
        .route("/chat", any(join).post(say).layer(upgrade))
        .route("/", get(Html(include_str!("chat.html"))))
        .with_state(Room(broadcast::Sender::new(BACKLOG)))
}

/// Lets a client take part: by WebSocket if it offered one, else by listening to events.
async fn join(
    State(room): State<Room>,
    upgrade: Option<OnUpgrade>,
    method: Method,
    version: Version,
) -> Response {
    match upgrade {
        Some(upgrade) => upgrade.accept(|io| talk(io, room)),
        None if method == Method::GET => listen(&room, version).into_response(),
        None => (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, POST")]).into_response(),
    }
}

/// Takes a message from a client that has no WebSocket.
async fn say(State(room): State<Room>, text: String) -> StatusCode {
    room.say(&text);
    StatusCode::NO_CONTENT
}

/// Tells a client that has no WebSocket what is said. It ends when the client goes: the server
/// drops the stream then.
fn listen(room: &Room, version: Version) -> impl IntoResponse + use<> {
    let news = stream::unfold(room.listen(), async |mut news| {
        Some((news.next().await?, news))
    });
    let events = stream::once(future::ready(hello(version)))
        .chain(news)
        .map(|event| Ok::<_, Infallible>(sse::Event::default().data(event.as_str())));
    Sse::new(events).keep_alive(sse::KeepAlive::new().interval(HEARTBEAT))
}

/// The first thing that a client is told: the version of HTTP that the server saw.
fn hello(version: Version) -> Utf8Bytes {
    event(&json!({ "hello": format!("{version:?}") }))
}

fn event(json: &serde_json::Value) -> Utf8Bytes {
    json.to_string().into()
}

/// What is said, to all who listen.
#[derive(Clone)]
struct Room(broadcast::Sender<Utf8Bytes>);

impl Room {
    fn say(&self, text: &str) {
        let text = text.trim();
        if !text.is_empty() {
            // It fails if nobody listens, which is no fault.
            let _ = self.0.send(event(&json!({ "said": text })));
        }
    }

    fn listen(&self) -> News {
        News(self.0.subscribe())
    }
}

/// What one client has yet to be told.
struct News(broadcast::Receiver<Utf8Bytes>);

impl News {
    /// A client that was too slow is told how much it missed, and goes on with what is left.
    async fn next(&mut self) -> Option<Utf8Bytes> {
        match self.0.recv().await {
            Ok(event) => Some(event),
            Err(RecvError::Lagged(count)) => Some(event(&json!({ "missed": count }))),
            Err(RecvError::Closed) => None,
        }
    }
}

type Socket = WebSocketStream<Upgraded>;

/// The conversation with one WebSocket client. When this returns, the connection closes.
async fn talk(io: Upgraded, room: Room) {
    let mut socket = Socket::from_raw_socket(io, Role::Server, Some(bounds())).await;
    let code = match exchange(&mut socket, &room).await {
        Err(WebSocketError::Capacity(_)) => CloseCode::Size,
        Err(WebSocketError::Utf8(_)) => CloseCode::Invalid,
        Err(WebSocketError::Protocol(_)) => CloseCode::Protocol,
        Ok(()) | Err(_) => return,
    };
    let _ = close(&mut socket, code).await;
    let _ = timeout(PATIENCE, hang_up(socket.get_mut())).await;
}

/// Carries messages both ways until the client leaves, or is found to be gone.
async fn exchange(socket: &mut Socket, room: &Room) -> Result<(), WebSocketError> {
    let mut news = room.listen();
    let hello = hello(socket.get_ref().version());
    send(socket, Message::Text(hello)).await?;
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = true;
    loop {
        tokio::select! {
            message = socket.try_next() => {
                match message? {
                    Some(Message::Text(text)) => room.say(&text),
                    Some(Message::Binary(_)) => close(socket, CloseCode::Unsupported).await?,
                    // Pings are answered by the engine, and so is a close, which then ends this.
                    Some(_) => {}
                    None => return Ok(()),
                }
                heard = true;
            }
            Some(event) = news.next() => send(socket, Message::Text(event)).await?,
            _ = heartbeat.tick() => {
                // Nothing since the last ping, not even its pong: nobody is there.
                if !heard {
                    return Ok(());
                }
                heard = false;
                send(socket, Message::Ping(Bytes::new())).await?;
            }
        }
    }
}

/// Sends a message, unless the client takes so long over it that it is given up.
async fn send(socket: &mut Socket, message: Message) -> Result<(), WebSocketError> {
    timeout(PATIENCE, socket.send(message))
        .await
        .unwrap_or(Err(WebSocketError::ConnectionClosed))
}

async fn close(socket: &mut Socket, code: CloseCode) -> Result<(), WebSocketError> {
    let reason = Utf8Bytes::default();
    send(socket, Message::Close(Some(CloseFrame { code, reason }))).await
}

/// Ends a connection so that the client sees the reason: closed over bytes that nobody read, it
/// would be reset.
async fn hang_up(io: &mut Upgraded) -> io::Result<u64> {
    io.shutdown().await?;
    io::copy(io, &mut io::sink()).await
}

/// What a connection may cost. The default is a read buffer of 128 KiB for each, and messages of
/// 64 MiB.
fn bounds() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(1 << 10)
        .write_buffer_size(0)
        // As JSON a byte of text may take six: `\u0001`.
        .max_write_buffer_size(8 * MAX_TEXT)
        .max_frame_size(Some(MAX_TEXT))
        .max_message_size(Some(MAX_TEXT))
}

/// Accepts connections for ever, each in a task of its own.
async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, app: Router) {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => drop(tokio::spawn(serve_tcp(tcp, tls.clone(), app.clone()))),
            // Out of file descriptors, most likely: some come back as clients leave.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn serve_tcp(tcp: TcpStream, tls: Option<TlsAcceptor>, app: Router) {
    // Messages are small and should not wait for each other.
    let _ = tcp.set_nodelay(true);
    let Some(tls) = tls else {
        return serve_http(tcp, app).await;
    };
    if let Ok(Ok(io)) = timeout(PATIENCE, tls.accept(tcp)).await {
        serve_http(io, app).await;
    }
}

/// Serves HTTP/1.1 or HTTP/2, whichever the client speaks.
async fn serve_http(io: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, app: Router) {
    let first_request = Arc::new(Notify::new());
    let service = app.map_request({
        let first_request = Arc::clone(&first_request);
        move |request: Request<Incoming>| {
            first_request.notify_one();
            request
        }
    });
    let http = http();
    let connection =
        http.serve_connection_with_upgrades(TokioIo::new(io), TowerToHyperService::new(service));
    tokio::pin!(connection);
    // hyper's own clock starts only when it knows which version it is to read.
    tokio::select! {
        _ = &mut connection => {}
        seen = timeout(PATIENCE, first_request.notified()) => if seen.is_ok() {
            let _ = connection.await;
        },
    }
}

fn http() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(16 << 10);
    builder
        .http2()
        // Without it, browsers open no WebSocket over HTTP/2.
        .enable_connect_protocol()
        .timer(TokioTimer::new())
        .keep_alive_interval(HEARTBEAT)
        .keep_alive_timeout(PATIENCE)
        .initial_stream_window_size(16 << 10)
        .initial_connection_window_size(64 << 10)
        .max_send_buf_size(16 << 10);
    builder
}

/// TLS with a certificate made up on the spot: for trying out, browsers will warn of it.
fn self_signed() -> Result<TlsAcceptor, Box<dyn Error>> {
    let names = ["localhost", "127.0.0.1", "::1"].map(String::from);
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    config.alpn_protocols = vec![b"h2".into(), b"http/1.1".into()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

struct Options {
    addr: String,
    tls: bool,
}

impl Options {
    /// `None` if an argument is unknown, or has no value.
    fn parse(mut args: impl Iterator<Item = String>) -> Option<Self> {
        let (addr, tls) = ("127.0.0.1:3000".into(), false);
        let mut options = Self { addr, tls };
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--addr" => options.addr = args.next()?,
                "--tls" => options.tls = true,
                _ => return None,
            }
        }
        Some(options)
    }
}
