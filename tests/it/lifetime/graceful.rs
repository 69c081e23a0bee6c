//! Drains in a server's graceful shutdown: axum's and hyper-util's, one line each.
//!
//! Connections are in memory, so that time can be paused.

use std::{future::pending, io, time::Duration};

use axum::{Router, response::Response, routing::any, serve::Listener};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncWriteExt, DuplexStream, duplex},
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    task::JoinHandle,
    time::{Instant, sleep, timeout},
};
use tower_upgrade::{Drain, OnUpgrade, Policy, UpgradeLayer};

use super::{
    clocks::is_after,
    drain::counts,
    offers::{SECOND, due, protocol, settle},
};
use crate::{
    http2::{self, connect},
    wire::{Client, Request},
};

/// What a server is shut down with.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Server {
    Axum,
    HyperUtil,
}

const SERVERS: [Server; 2] = [Server::Axum, Server::HyperUtil];

/// A listener whose connections are in memory.
struct Memory(UnboundedReceiver<DuplexStream>);

impl Listener for Memory {
    type Io = DuplexStream;
    type Addr = ();

    async fn accept(&mut self) -> (DuplexStream, ()) {
        match self.0.recv().await {
            Some(io) => (io, ()),
            None => pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// An app whose upgraded connections wait for the drain and say goodbye, or ignore it.
fn app(drain: &Drain) -> Router {
    let layer = UpgradeLayer::new(Policy::offer(protocol())).drain(drain.clone());
    let polite = any(async |upgrade: OnUpgrade| -> Response {
        upgrade.accept(|mut io| async move {
            io.draining().await;
            sleep(3 * SECOND).await;
            let _ = io.write_all(b"goodbye").await;
            let _ = io.shutdown().await;
        })
    });
    let deaf = any(async |upgrade: OnUpgrade| -> Response {
        upgrade.accept(|io| async move {
            let _io = io;
            pending::<()>().await;
        })
    });
    Router::new()
        .route("/polite", polite)
        .route("/deaf", deaf)
        .route("/", any(async || "plain"))
        .layer(layer)
}

/// A server that runs until it was shut down.
struct Running {
    connect: UnboundedSender<DuplexStream>,
    signal: Option<oneshot::Sender<()>>,
    served: JoinHandle<()>,
    drain: Drain,
}

impl Running {
    /// Serves the app, and shuts it down as the drain's documentation says; or without the drain.
    fn start(server: Server, is_drained: bool) -> Self {
        let drain = Drain::new();
        let (connect, connections) = unbounded_channel();
        let (signal, signalled) = oneshot::channel();
        let signalled = async { drop(signalled.await) };
        let app = app(&drain);
        let one = drain.clone();
        let served = match (server, is_drained) {
            (Server::Axum, true) => tokio::spawn(async move {
                let shutdown = one.shutdown(signalled, 5 * SECOND);
                let served = axum::serve(Memory(connections), app);
                served.with_graceful_shutdown(shutdown).await.unwrap();
            }),
            (Server::Axum, false) => tokio::spawn(async move {
                let served = axum::serve(Memory(connections), app);
                served.with_graceful_shutdown(signalled).await.unwrap();
            }),
            (Server::HyperUtil, _) => tokio::spawn(async move {
                let graceful = accept_until(signalled, connections, app).await;
                if is_drained {
                    tokio::join!(one.wait(5 * SECOND), graceful.shutdown());
                } else {
                    graceful.shutdown().await;
                }
            }),
        };
        Self {
            connect,
            signal: Some(signal),
            served,
            drain,
        }
    }

    fn connect(&self) -> DuplexStream {
        let (client, server) = duplex(64 << 10);
        self.connect.send(server).unwrap();
        client
    }

    /// An HTTP/1.1 client that has switched.
    async fn switched(&self, path: &str) -> Client {
        let mut client = Client::over(self.connect());
        client
            .offer(&Request::upgrade(path, "echo/1.0"))
            .await
            .is(101);
        client
    }

    fn signal(&mut self) {
        self.signal.take().unwrap().send(()).unwrap();
    }

    /// Gives the signal, and waits until the server is gone; returns what became of connections.
    async fn shut_down(mut self) -> [usize; 4] {
        self.signal();
        due(self.served).await.unwrap();
        counts(&self.drain.report())
    }
}

/// A server's loop, as it is written with hyper-util.
async fn accept_until(
    signal: impl Future<Output = ()>,
    mut connections: UnboundedReceiver<DuplexStream>,
    app: Router,
) -> GracefulShutdown {
    let graceful = GracefulShutdown::new();
    let mut signal = std::pin::pin!(signal);
    loop {
        let io = tokio::select! {
            io = connections.recv() => io.unwrap(),
            () = &mut signal => return graceful,
        };
        let mut server = auto::Builder::new(TokioExecutor::new());
        server.http2().enable_connect_protocol();
        let service = TowerToHyperService::new(app.clone());
        let served = server.serve_connection_with_upgrades(TokioIo::new(io), service);
        let watched = graceful.watch(served.into_owned());
        tokio::spawn(async move { drop(watched.await) });
    }
}

#[tokio::test(start_paused = true)]
async fn upgraded_connections_end_themselves() {
    // HTTP/1.1 and 2 together: all of them hear of it, and nobody waits longer than the last.
    for server in SERVERS {
        let running = Running::start(server, true);
        let mut one = running.switched("/polite").await;
        let client = http2::Client::over(running.connect()).await;
        let (_, mut two) = client.open(connect("echo/1.0", "/polite")).await;
        sleep(SECOND).await;
        let start = Instant::now();
        assert_eq!(running.shut_down().await, [2, 0, 0, 0], "{server:?}");
        is_after(start, 3 * SECOND);
        one.expect("goodbye").await;
        one.expect_end().await;
        assert_eq!(two.rest().await, "goodbye");
    }
}

#[tokio::test(start_paused = true)]
async fn those_that_do_not_are_closed_at_the_deadline() {
    // "for HTTP/1.1 (which hyper forgets) and HTTP/2 (which hyper waits for without limit)".
    for server in SERVERS {
        let running = Running::start(server, true);
        let mut one = running.switched("/deaf").await;
        let client = http2::Client::over(running.connect()).await;
        let (_, _two) = client.open(connect("echo/1.0", "/deaf")).await;
        let start = Instant::now();
        assert_eq!(running.shut_down().await, [0, 2, 0, 0], "{server:?}");
        is_after(start, 5 * SECOND);
        one.expect_end().await;
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_drain_one_is_forgotten_and_the_other_never_ends() {
    // Measured on hyper: "returns at once with upgraded HTTP/1.1 connections alive; HTTP/2 streams are
    // waited for without any limit". If this fails, hyper has changed.
    for server in SERVERS {
        let running = Running::start(server, false);
        let _one = running.switched("/deaf").await;
        let (start, drain) = (Instant::now(), running.drain.clone());
        running.shut_down().await;
        is_after(start, Duration::ZERO);
        assert_eq!(drain.live(), 1, "{server:?}");

        let mut running = Running::start(server, false);
        let client = http2::Client::over(running.connect()).await;
        let (_, _two) = client.open(connect("echo/1.0", "/deaf")).await;
        running.signal();
        assert!(timeout(3600 * SECOND, running.served).await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_there_nothing_to_wait_for() {
    // Neither connections at all, nor idle ones that never offered anything.
    for server in SERVERS {
        for connects in [false, true] {
            let running = Running::start(server, true);
            let mut client = connects.then(|| Client::over(running.connect()));
            if let Some(client) = &mut client {
                client.ask(&Request::get("/")).await.head.is(200);
            }
            let start = Instant::now();
            assert_eq!(running.shut_down().await, [0; 4]);
            is_after(start, Duration::ZERO);
            if let Some(mut client) = client {
                client.expect_end().await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn with_axum_offers_are_refused_meanwhile() {
    // The listener stays open: a new connection is told, and not only cut off; a page is served.
    let mut running = Running::start(Server::Axum, true);
    let mut live = running.switched("/polite").await;
    running.signal();
    settle().await;
    let mut refused = Client::over(running.connect());
    let response = refused.ask(&Request::upgrade("/polite", "echo/1.0")).await;
    response.head.is(503).has("connection", "close");
    refused.expect_end().await;
    let mut page = Client::over(running.connect());
    page.ask(&Request::get("/")).await.head.is(200);
    due(running.served).await.unwrap();
    assert_eq!(counts(&running.drain.report()), [1, 0, 0, 1]);
    live.expect("goodbye").await;
}

#[tokio::test(start_paused = true)]
async fn a_head_that_is_half_sent_is_an_offer_that_comes_too_late() {
    // It was no offer when the drain began; when it is one, it is refused.
    for server in SERVERS {
        let running = Running::start(server, true);
        let _live = running.switched("/polite").await;
        let offer = Request::upgrade("/polite", "echo/1.0").to_bytes();
        let (first, rest) = offer.split_at(offer.len() / 2);
        let mut late = Client::over(running.connect());
        late.send(first).await;
        settle().await;
        let (drain, start) = (running.drain.clone(), Instant::now());
        let (counted, ()) = tokio::join!(running.shut_down(), async {
            drain.started().await;
            settle().await;
            late.send(rest).await;
            let response = late.response().await;
            response.head.is(503).has("connection", "close");
            late.expect_end().await;
        });
        assert_eq!(counted, [1, 0, 0, 1], "{server:?}");
        is_after(start, 3 * SECOND);
    }
}
