//! Starting what is tested: the gallery on a socket, or any service in memory.

use std::{error::Error, future::pending, net::SocketAddr};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, DuplexStream, duplex},
    net::{TcpListener, TcpStream},
};
use tower::Service;
use tower_upgrade::{Drain, UpgradeLayer};

use crate::gallery;

/// What a service must be for hyper to serve it, under one name.
pub(crate) trait Served<B>:
    Service<Request<Incoming>, Response = Response<B>, Future: Send, Error: Into<AnyError>>
    + Clone
    + Send
    + 'static
{
}

impl<S, B> Served<B> for S where
    S: Service<Request<Incoming>, Response = Response<B>, Future: Send, Error: Into<AnyError>>
        + Clone
        + Send
        + 'static
{
}

/// Any body hyper can send.
pub(crate) trait Content: Body<Data: Send, Error: Into<AnyError>> + Send + 'static {}

impl<B> Content for B where B: Body<Data: Send, Error: Into<AnyError>> + Send + 'static {}

pub(crate) type AnyError = Box<dyn Error + Send + Sync>;

/// Starts the gallery in this process, one a test, without TLS and for ever.
pub(crate) async fn gallery() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new();
    let app = gallery::app(|policy| UpgradeLayer::new(policy).drain(drain.clone())).unwrap();
    tokio::spawn(gallery::serve_until(pending(), listener, None, app));
    address
}

/// Serves one connection in memory, HTTP/1.1 or 2 with upgrades, and returns the client's end.
pub(crate) fn serve<S, B>(service: S) -> DuplexStream
where
    S: Served<B>,
    B: Content,
{
    let (client, server) = duplex(CAPACITY);
    serve_on(server, service);
    client
}

/// Serves one connection on this I/O, HTTP/1.1 or 2 with upgrades.
pub(crate) fn serve_on<I, S, B>(io: I, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Served<B>,
    B: Content,
{
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().enable_connect_protocol();
    tokio::spawn(async move {
        let service = TowerToHyperService::new(service);
        let served = server.serve_connection_with_upgrades(TokioIo::new(io), service);
        drop(served.await);
    });
}

/// Serves one connection on this I/O by hyper's own HTTP/1.1 server, with upgrades.
pub(crate) fn serve_http1_on<I, S, B>(io: I, service: S)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Served<B>,
    B: Content,
{
    tokio::spawn(async move {
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(io), TowerToHyperService::new(service));
        drop(served.with_upgrades().await);
    });
}

/// Serves one connection in memory by a server that does no upgrades.
pub(crate) fn serve_without_upgrades<S, B>(service: S) -> DuplexStream
where
    S: Served<B>,
    B: Content,
{
    let (client, server) = duplex(CAPACITY);
    tokio::spawn(async move {
        let served = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(server), TowerToHyperService::new(service));
        drop(served.await);
    });
    client
}

/// Returns the two ends of a TCP connection over loopback: the client's and the server's.
pub(crate) async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap());
    let (client, server) = tokio::join!(client, listener.accept());
    (client.unwrap(), server.unwrap().0)
}

/// How many bytes are on the way in memory.
const CAPACITY: usize = 64 << 10;
