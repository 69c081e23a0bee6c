//! `Server`: HTTP/3 for any Tower service.

use std::{
    fs::File,
    future::pending,
    io,
    net::{SocketAddr, UdpSocket},
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use tokio::{
    sync::{mpsc, watch},
    time::timeout,
};
use tokio_quiche::{
    ConnectionParams, InitialQuicConnection,
    metrics::DefaultMetrics,
    settings::{CertificateKind, Hooks, TlsCertificatePaths},
};
use tower_service::Service;

use crate::{
    body::RequestBody,
    connection::{Connection, Order, Refused},
    live::Live,
    settings::Settings,
};

/// A server of HTTP/3 on a UDP socket.
///
/// The service gets each request with [`PeerAddress`](tower_upgrade::PeerAddress) in its extensions, and an
/// extended CONNECT with [`ConnectProtocol`](tower_upgrade::negotiate::ConnectProtocol) and
/// [`Pending`](tower_upgrade::Pending) too, which is all that
/// [`UpgradeLayer`](tower_upgrade::UpgradeLayer) needs. Where it is not ready, the request waits; where it
/// fails or panics, the request's stream is reset with `H3_INTERNAL_ERROR`.
///
/// # Examples
///
/// ```no_run
/// use std::{net::UdpSocket, time::Duration};
/// use axum::{Router, response::Response, routing::any};
/// use tower_upgrade::{Drain, OnUpgrade, Policy, UpgradeLayer, WebSocket};
/// use tower_upgrade_h3::Server;
///
/// async fn chat(upgrade: OnUpgrade) -> Response {
///     upgrade.accept(|io| async move { drop(io) })
/// }
///
/// async fn run() -> std::io::Result<()> {
///     let drain = Drain::new();
///     let layer = UpgradeLayer::new(Policy::require(WebSocket::new())).drain(drain.clone());
///     let app = Router::new().route("/chat", any(chat).layer(layer));
///     let within = Duration::from_secs(5);
///     let signal = async { let _ = tokio::signal::ctrl_c().await; };
///     Server::new(UdpSocket::bind("[::]:443")?, "chain.pem", "key.pem")
///         .serve_until(app, drain.shutdown(signal, within), within)
///         .await
/// }
/// ```
#[derive(Debug)]
#[must_use = "it serves nobody until `serve` or `serve_until` is awaited"]
pub struct Server {
    socket: UdpSocket,
    certificate: PathBuf,
    key: PathBuf,
    settings: Settings,
}

impl Server {
    /// Makes a server on a socket, with a certificate, behind which its chain, and its key, both files
    /// of PEM.
    ///
    /// TLS is 1.3, its protocol (ALPN) `h3`. Early data (0-RTT) is off, for it can be played back. A
    /// client has to prove its address before anything is kept of it.
    pub fn new(socket: UdpSocket, certificate: impl AsRef<Path>, key: impl AsRef<Path>) -> Self {
        Self {
            socket,
            certificate: certificate.as_ref().to_owned(),
            key: key.as_ref().to_owned(),
            settings: Settings::default(),
        }
    }

    /// How large the head of a request may be, and its trailers, counted as RFC 9114 4.2.2 says: 16 KiB
    /// if not set. Larger ones are answered 431, and those of more than four times that end the connection
    /// (`H3_EXCESSIVE_LOAD`).
    pub const fn max_header_size(mut self, octets: usize) -> Self {
        self.settings.max_header_size = octets;
        self
    }

    /// How many requests and tunnels a connection may have at a time: 100 if not set. More wait with
    /// the client.
    pub const fn max_requests(mut self, requests: u32) -> Self {
        // None at all would be none ever.
        self.settings.max_requests = if requests == 0 { 1 } else { requests };
        self
    }

    /// How many requests and tunnels a connection may have in all: 10,000 if not set.
    ///
    /// With the last of them the client is told to open another connection for more (GOAWAY), and when
    /// they have ended this one is closed.
    pub const fn max_requests_in_all(mut self, requests: u64) -> Self {
        self.settings.max_requests_in_all = requests;
        self
    }

    /// How many connections there may be: 10,000 if not set. More are refused.
    pub const fn max_connections(mut self, connections: usize) -> Self {
        self.settings.max_connections = connections;
        self
    }

    /// How much a client may send on a stream ahead of what is read from it: 128 KiB if not set.
    ///
    /// A connection takes up to so much for each of its [requests](Self::max_requests) in memory.
    pub const fn stream_window(mut self, octets: u32) -> Self {
        self.settings.stream_window = octets;
        self
    }

    /// How long a connection without a request or a tunnel is kept: 60 s if not set, and up to a third
    /// of [`lost_after`](Self::lost_after) more.
    pub const fn idle_timeout(mut self, after: Duration) -> Self {
        self.settings.idle_timeout = after;
        self
    }

    /// After how long a silence a connection is taken for lost, with all that is open on it: 30 s if not set.
    ///
    /// A client that is there is not silent: it is asked three times in that time.
    pub const fn lost_after(mut self, silence: Duration) -> Self {
        self.settings.lost_after = silence;
        self
    }

    /// The address of the socket.
    ///
    /// # Errors
    ///
    /// Fails where the socket does.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until the future is dropped, which closes all connections.
    ///
    /// # Errors
    ///
    /// Fails as [`serve_until`](Self::serve_until) does.
    pub async fn serve<S, B>(self, service: S) -> io::Result<()>
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data: Send> + Send + 'static,
    {
        self.serve_until(service, pending(), Duration::ZERO).await
    }

    /// Serves until a signal comes, and then ends in good order, within so long a time.
    ///
    /// From the signal on, new connections get no answer, and clients are told that no new requests are
    /// taken (GOAWAY): those that are on their way are rejected, so that they can be sent elsewhere.
    /// Requests and tunnels that were begun go on. What is left at the end of the time is closed.
    ///
    /// With [`Drain::shutdown`](tower_upgrade::Drain::shutdown) as the signal, offers are refused and
    /// tunnels said goodbye to before that, as over HTTP/1.1 and 2.
    ///
    /// # Errors
    ///
    /// Fails, before anybody is served, where the files are not what they should be or do not belong
    /// together, and where the socket does.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime, and in one that has its I/O or its clock not enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it closes all connections.
    pub async fn serve_until<S, B, F>(
        self,
        service: S,
        signal: F,
        within: Duration,
    ) -> io::Result<()>
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data: Send> + Send + 'static,
        F: Future<Output = ()>,
    {
        let settings = self.settings;
        let mut incoming = self.listen()?;
        // Dropped with this future, it closes all connections.
        let orders = watch::Sender::new(Order::Serve);
        let live = Arc::new(Live::default());
        let mut signal = pin!(signal);
        loop {
            let incoming = tokio::select! {
                biased;
                () = &mut signal => break,
                incoming = incoming.recv() => incoming,
            };
            match incoming {
                Some(Ok(incoming)) if live.count() < settings.max_connections => {
                    let (peer, orders) = (incoming.peer_addr(), orders.subscribe());
                    let service = service.clone();
                    let token = live.enter();
                    incoming.start(Connection::new(service, settings, peer, orders, token));
                }
                Some(Ok(incoming)) => drop(incoming.start(Refused)),
                // One that did not come about is the client's to try again.
                Some(Err(_)) => {}
                None => return Err(io::Error::other("nobody listens any more")),
            }
        }
        drop(incoming);
        orders.send_replace(Order::Leave);
        let _ = timeout(within, live.none()).await;
        orders.send_replace(Order::Close);
        // So that clients hear of it.
        let _ = timeout(LAST_WORDS, live.none()).await;
        Ok(())
    }

    fn listen(self) -> io::Result<Incoming> {
        for path in [&self.certificate, &self.key] {
            // TLS tells no more than that it failed.
            File::open(path).map_err(|error| {
                io::Error::new(error.kind(), format!("{}: {error}", path.display()))
            })?;
        }
        let no_text = || io::Error::new(io::ErrorKind::InvalidInput, "a path that is not UTF-8");
        let certificate = TlsCertificatePaths {
            cert: self.certificate.to_str().ok_or_else(no_text)?,
            private_key: self.key.to_str().ok_or_else(no_text)?,
            kind: CertificateKind::X509,
        };
        let hooks = Hooks::default();
        let params = ConnectionParams::new_server(self.settings.quic(), certificate, hooks);
        let listeners = tokio_quiche::listen([self.socket], params, DefaultMetrics);
        let listeners = listeners.map_err(|error| {
            let (certificate, key) = (self.certificate.display(), self.key.display());
            let why = format!(
                "cannot listen: {error}; {certificate} and {key} must be a certificate of PEM and its key"
            );
            io::Error::new(error.kind(), why)
        })?;
        let first = listeners.into_iter().next();
        let first = first.ok_or_else(|| io::Error::other("there is nothing to listen on"))?;
        Ok(first.into_inner())
    }
}

type Incoming =
    mpsc::Receiver<io::Result<InitialQuicConnection<tokio::net::UdpSocket, DefaultMetrics>>>;

/// How long clients are told that their connection is closed.
const LAST_WORDS: Duration = Duration::from_secs(1);
