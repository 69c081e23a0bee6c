//! The client's side: connections of HTTP/1.1 and HTTP/2, until the proxy is to end.

use std::{convert::Infallible, net::SocketAddr, pin::pin, time::Duration};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tower::{Service, ServiceExt};
use tower_upgrade::ResponseBody;

use crate::{GRACE, log};

/// How long a client may take over a TLS handshake or the head of a request.
const PATIENCE: Duration = Duration::from_secs(10);

/// Left in every request: who sent it.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// Any service that forwards, under one name.
pub(crate) trait Forwards:
    Service<
        Request<Incoming>,
        Response = Response<ResponseBody<ResponseBody<Incoming>>>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + 'static
{
}

impl<S> Forwards for S where
    S: Service<
            Request<Incoming>,
            Response = Response<ResponseBody<ResponseBody<Incoming>>>,
            Error = Infallible,
            Future: Send,
        > + Clone
        + Send
        + 'static
{
}

/// Serves until its upgraded connections were drained, and then ends those of HTTP.
pub(crate) async fn until(
    drained: impl Future<Output = ()>,
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: impl Forwards,
) {
    let graceful = GracefulShutdown::new();
    let mut drained = pin!(drained);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut drained => break,
        };
        let Ok((tcp, peer)) = accepted else {
            // Out of descriptors, or the client is gone already: neither ends the proxy.
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let watcher = graceful.watcher();
        tokio::spawn(serve_tcp(
            tcp,
            tls.clone(),
            service.clone(),
            Peer(peer),
            watcher,
        ));
    }
    drop(listener);
    let _ = timeout(GRACE, graceful.shutdown()).await;
}

async fn serve_tcp(
    tcp: TcpStream,
    tls: Option<TlsAcceptor>,
    service: impl Forwards,
    peer: Peer,
    watcher: Watcher,
) {
    let _ = tcp.set_nodelay(true);
    match tls {
        None => serve(tcp, service, peer, watcher).await,
        Some(tls) => {
            if let Ok(Ok(io)) = timeout(PATIENCE, tls.accept(tcp)).await {
                serve(io, service, peer, watcher).await;
            }
        }
    }
}

async fn serve<I>(io: I, service: impl Forwards, peer: Peer, watcher: Watcher)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            request
        })
        .map_response(log::failure);
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
    let service = TowerToHyperService::new(service);
    let connection = server.serve_connection_with_upgrades(TokioIo::new(io), service);
    let _ = watcher.watch(connection).await;
}
