//! The proxies of this process: hyper's server and the layer in front, hyper's client behind.

use std::{
    convert::Infallible,
    error::Error,
    future::Future,
    io::{Error as IoError, Result as IoResult, stdin},
    net::SocketAddr,
    os::fd::AsFd,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::Body;
use http_body_util::Empty;
use hyper::{body::Incoming, client::conn::http1, server::conn::http1 as server, upgrade};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, copy_bidirectional, copy_bidirectional_with_sizes},
    net::{TcpListener, TcpStream, unix::pipe::Receiver},
    runtime::Builder,
};
use tower::{Layer, service_fn};
use tower_upgrade::{
    OnUpgrade, Policy, Protocol, UpgradeLayer, Upgraded,
    tunnel::{RequestBody, Tunnel},
};

use crate::http1::Handler;

/// Serves by the tunnel, which does all of it.
///
/// # Errors
/// The port cannot be listened on.
pub fn tunnel(backend: SocketAddr) -> IoResult<()> {
    listen(layer()?.layer(Tunnel::new(client(), uri(backend)?)))
}

/// Serves by the tunnel, which leaves busy connections to the system.
///
/// # Errors
/// The port cannot be listened on.
pub fn spliced(backend: SocketAddr) -> IoResult<()> {
    listen(layer()?.layer(Tunnel::new(client(), uri(backend)?).splice()))
}

fn client() -> Client<HttpConnector, RequestBody<Incoming>> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn uri(backend: SocketAddr) -> IoResult<Uri> {
    Uri::try_from(format!("http://{backend}")).map_err(IoError::other)
}

/// Serves by `copy_bidirectional`, whose buffers are 8 KiB.
///
/// # Errors
/// The port cannot be listened on.
pub fn copy(backend: SocketAddr) -> IoResult<()> {
    serve(backend, |mut client, backend| async move {
        let _ = copy_bidirectional(&mut client, &mut TokioIo::new(backend)).await;
    })
}

/// Serves by `copy_bidirectional` with buffers of that size.
///
/// # Errors
/// The port cannot be listened on.
pub fn copy_with(backend: SocketAddr, size: usize) -> IoResult<()> {
    serve(backend, move |mut client, backend| async move {
        let mut backend = TokioIo::new(backend);
        let _ = copy_bidirectional_with_sizes(&mut client, &mut backend, size, size).await;
    })
}

/// Serves by a function that gets both ends.
///
/// # Errors
/// The port cannot be listened on.
pub fn serve<R, F>(backend: SocketAddr, relay: R) -> IoResult<()>
where
    R: Fn(Upgraded, upgrade::Upgraded) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    listen(layer()?.layer(service_fn(move |request| {
        let relay = relay.clone();
        async move {
            Ok::<_, Infallible>(forward(request, backend, relay).await.unwrap_or_else(|_| {
                let mut response = Response::new(Empty::new());
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }))
        }
    })))
}

fn layer() -> IoResult<UpgradeLayer> {
    let protocol = Protocol::new("echo/1.0").map_err(IoError::other)?;
    Ok(UpgradeLayer::new(Policy::require(protocol)))
}

/// Serves on a port of the system's choice, which is the first line of the output, until the input ends.
///
/// It does so in one thread, as its peers do: a second one makes every call to the system dearer.
fn listen<S, B>(service: S) -> IoResult<()>
where
    S: Handler<B, Future: Send> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let runtime = Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        let mut input = Receiver::from_owned_fd(stdin().as_fd().try_clone_to_owned()?)?;
        let service = TowerToHyperService::new(service);
        let serving = async {
            loop {
                let (stream, _) = listener.accept().await?;
                stream.set_nodelay(true)?;
                let connection =
                    server::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
                tokio::spawn(connection.with_upgrades());
            }
        };
        let mut nothing = [0];
        tokio::select! {
            failed = serving => failed,
            _ = input.read(&mut nothing) => Ok(()),
        }
    })
}

async fn forward<R, F>(
    mut request: Request<Incoming>,
    backend: SocketAddr,
    relay: R,
) -> Result<Response<Empty<Bytes>>, Box<dyn Error + Send + Sync>>
where
    R: FnOnce(Upgraded, upgrade::Upgraded) -> F + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let client = OnUpgrade::take(&mut request).ok_or("no offer")?;
    let stream = TcpStream::connect(backend).await?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection.with_upgrades());
    let (head, _) = request.into_parts();
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = head.uri;
    *request.headers_mut() = head.headers;
    let answer = sender.send_request(request).await?;
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err("no upgrade".into());
    }
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    *response.headers_mut() = answer.headers().clone();
    let backend = upgrade::on(answer);
    tokio::spawn(async move {
        if let (Ok(client), Ok(backend)) = (client.await, backend.await) {
            relay(client, backend).await;
        }
    });
    Ok(response)
}
