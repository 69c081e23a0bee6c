//! A server that ends in good order, on axum's own `serve`.
//!
//! ```text
//! cargo run --example graceful --features axum -- [--addr 127.0.0.1:3003] [--notice SECONDS]
//! ```
//!
//! `/ws` echoes messages over HTTP/1.1 and HTTP/2, `/` is a page. At Ctrl-C or SIGTERM new offers are refused
//! with 503, the WebSockets there are get the close 1001 and five seconds to answer it, and what became of
//! them is printed.
//!
//! One of several behind a balancer is told so by `/health`: 200, and 503 from the signal on. With
//! `--notice` everything else goes on as before for so long, until the balancer has seen it.

use std::{
    error::Error,
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    http::StatusCode,
    response::Response,
    routing::{any, get},
};
use futures_util::{SinkExt, StreamExt};
use tokio::{net::TcpListener, signal, time::sleep};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
};
use tower_upgrade::{Drain, OnUpgrade, Policy, UpgradeLayer, Upgraded, WebSocket};

/// How long a WebSocket may take to answer the close.
const GRACE: Duration = Duration::from_secs(5);
/// How long ordinary requests may take when all WebSockets are gone.
const OVERTIME: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("usage: graceful [--addr HOST:PORT] [--notice SECONDS]");
        std::process::exit(2);
    };
    // Before anybody knows the address: until it is caught, a signal ends the process at once.
    let signal = stop_signal()?;
    let listener = TcpListener::bind(&options.addr).await?;
    let address = listener.local_addr()?;
    println!("listening on http://{address}");

    let (drain, leaving) = (Drain::new(), Leaving::default());
    let page = format!("served by {address}\n");
    let app = app(drain.clone(), leaving.clone()).route("/", get(page));
    let stop = leaving.after(signal, options.notice);
    // The drain comes to its end before axum closes the listener and the connections: who still
    // offers an upgrade is told 503, and not only cut off.
    let server =
        axum::serve(listener, app).with_graceful_shutdown(drain.clone().shutdown(stop, GRACE));
    tokio::select! {
        served = server.into_future() => served?,
        // Left alone, axum would wait for ever for a client that stops in the middle of a request.
        () = overdue(&drain) => {}
    }
    println!("{}", drain.report());
    Ok(())
}

fn app(drain: Drain, leaving: Leaving) -> Router {
    let layer = UpgradeLayer::new(Policy::require(WebSocket::new())).drain(drain);
    Router::new()
        .route("/health", get(async move || leaving.health()))
        .route("/ws", any(ws).layer(layer))
}

/// Whether a balancer should send its clients elsewhere.
#[derive(Clone, Default)]
struct Leaving(Arc<AtomicBool>);

impl Leaving {
    fn health(&self) -> (StatusCode, &'static str) {
        if self.0.load(Ordering::Relaxed) {
            (StatusCode::SERVICE_UNAVAILABLE, "leaving\n")
        } else {
            (StatusCode::OK, "well\n")
        }
    }

    /// Waits for the signal, says so, and waits until the balancer has seen it.
    async fn after(self, signal: impl Future<Output = ()>, notice: Duration) {
        signal.await;
        self.0.store(true, Ordering::Relaxed);
        sleep(notice).await;
    }
}

async fn ws(upgrade: OnUpgrade) -> Response {
    upgrade.accept(talk)
}

type Socket = WebSocketStream<Upgraded>;

/// The conversation with one client: until it leaves, or the server is to end.
async fn talk(io: Upgraded) {
    let draining = io.draining();
    // The engine's own read buffer is 128 KiB a connection.
    let config = WebSocketConfig::default().read_buffer_size(4 << 10);
    let mut socket = Socket::from_raw_socket(io, Role::Server, Some(config)).await;
    // An echo on its way is in the engine's buffer by then, so that no frame is cut in two.
    tokio::select! {
        () = echo(&mut socket) => {}
        () = draining => say_goodbye(&mut socket).await,
    }
}

async fn echo(socket: &mut Socket) {
    while let Some(Ok(message)) = socket.next().await {
        let is_data = message.is_text() || message.is_binary();
        if is_data && socket.send(message).await.is_err() {
            break;
        }
    }
}

/// Closes, and reads on until the client has closed too. It may take for ever: the drain's deadline
/// sees to that.
async fn say_goodbye(socket: &mut Socket) {
    let frame = CloseFrame {
        code: CloseCode::Away,
        reason: "the server is about to end".into(),
    };
    if socket.close(Some(frame)).await.is_ok() {
        while let Some(Ok(_)) = socket.next().await {}
    }
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

async fn overdue(drain: &Drain) {
    drain.ended().await;
    sleep(OVERTIME).await;
}

struct Options {
    addr: String,
    notice: Duration,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            addr: "127.0.0.1:3003".into(),
            notice: Duration::ZERO,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--addr" => options.addr = arguments.next()?,
                "--notice" => {
                    options.notice = Duration::from_secs(arguments.next()?.parse().ok()?);
                }
                _ => return None,
            }
        }
        Some(options)
    }
}
