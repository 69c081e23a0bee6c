//! A server with our layer in this process, where a test can see how a connection ends.

use std::sync::Arc;

use axum::{Router, response::Response, routing::any};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Notify, mpsc};
use tower_upgrade::observe::{Cause, Closing, Connection, Observer};
use tower_upgrade::{OnUpgrade, Policy, Protocol, UpgradeLayer, Upgraded, WebSocket};

use crate::process::within;

/// Speaks `tcp`, and bytes in the name of `websocket`. It reads all that the client sends; then `/` lets go
/// of it, and `/last-word` says a last word when the test tells it to. It trusts `X-Forwarded-Host`.
#[derive(Debug)]
pub(super) struct Backend {
    port: u16,
    seen: mpsc::UnboundedReceiver<Seen>,
    speak: Arc<Notify>,
}

/// What happens to its connections.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The client's bytes, up to the end of its half.
    Read(String),
    /// The end of the whole.
    Closed(Cause),
}

impl Backend {
    /// Starts it, with what a test sets on its layer.
    pub(super) async fn start(set: impl FnOnce(UpgradeLayer) -> UpgradeLayer) -> Self {
        let (seen, events) = mpsc::unbounded_channel();
        let speak = Arc::new(Notify::new());
        let protocol = Protocol::new("tcp").expect("a token");
        let websocket = WebSocket::new().trust_forwarded_host();
        let policy = Policy::require(protocol).or(websocket);
        let layer = set(UpgradeLayer::new(policy).observe(Closings(seen.clone())));
        let (quiet, spoken) = (seen.clone(), speak.clone());
        let app = Router::new()
            .route("/", any(async |upgrade| accept(upgrade, quiet, None)))
            .route(
                "/last-word",
                any(async |upgrade| accept(upgrade, seen, Some(spoken))),
            )
            .layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("it is bound").port();
        tokio::spawn(axum::serve(listener, app).into_future());
        Self {
            port,
            seen: events,
            speak,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for what happens next.
    pub(super) async fn sees(&mut self) -> Seen {
        let seen = within(30, "something at the server", self.seen.recv()).await;
        seen.expect("the server goes on")
    }

    /// Checks, without waiting, that nothing happened.
    pub(super) fn sees_nothing(&mut self) {
        let seen = self.seen.try_recv();
        assert!(seen.is_err(), "{seen:?}");
    }

    /// Lets it say its last word.
    pub(super) fn speak(&self) {
        self.speak.notify_one();
    }
}

/// What it says last.
pub(super) const LAST_WORD: &str = "a last word";

fn accept(
    upgrade: OnUpgrade,
    seen: mpsc::UnboundedSender<Seen>,
    speak: Option<Arc<Notify>>,
) -> Response {
    upgrade.accept(async move |mut io: Upgraded| {
        let mut read = Vec::new();
        // An error is an end too; the observer tells which.
        let _ = io.read_to_end(&mut read).await;
        let read = String::from_utf8_lossy(&read).into_owned();
        let _ = seen.send(Seen::Read(read));
        if let Some(speak) = speak {
            speak.notified().await;
            let _ = io.write_all(LAST_WORD.as_bytes()).await;
            let _ = io.shutdown().await;
        }
    })
}

#[derive(Debug)]
struct Closings(mpsc::UnboundedSender<Seen>);

impl Observer for Closings {
    fn closed(&self, _: &Connection<'_>, closing: &Closing) {
        let _ = self.0.send(Seen::Closed(closing.cause));
    }
}
