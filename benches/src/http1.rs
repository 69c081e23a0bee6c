//! An HTTP/1.1 connection in memory: hyper serves one end, bytes are written to and read from the other.

use std::{error::Error, fmt::Debug};

use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    join,
    runtime::{self, Runtime},
};
use tower::Service;

use crate::{report::Work, span::span};

/// Sends each request over a connection of its own and reads until the server has let go of the connection.
///
/// Measured is the server's whole side, from taking the connection to dropping it, the upgraded one included, and that
/// the client reads.
pub fn connections<S, B>(service: S, request: Vec<u8>, status: &'static str) -> Work
where
    S: Handler<B>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    each(request, status, move |runtime, server, client, answer| {
        let service = TowerToHyperService::new(service.clone());
        span(|| runtime.block_on(exchange(service, server, client, answer)));
    })
}

/// Does the same, but measures nothing; for a service that has [spans](crate::span::Spanned) of its own.
pub fn unmeasured<S, B>(service: S, request: Vec<u8>, status: &'static str) -> Work
where
    S: Handler<B>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    each(request, status, move |runtime, server, client, answer| {
        let service = TowerToHyperService::new(service.clone());
        runtime.block_on(exchange(service, server, client, answer));
    })
}

/// A service that a server can serve.
pub trait Handler<B>:
    Service<
        Request<Incoming>,
        Response = Response<B>,
        Error: Debug + Into<Box<dyn Error + Send + Sync>>,
        Future: 'static,
    > + Clone
    + 'static
{
}

impl<S, B> Handler<B> for S where
    S: Service<
            Request<Incoming>,
            Response = Response<B>,
            Error: Debug + Into<Box<dyn Error + Send + Sync>>,
            Future: 'static,
        > + Clone
        + 'static
{
}

fn each(
    request: Vec<u8>,
    status: &'static str,
    serve: impl Fn(&Runtime, DuplexStream, &mut DuplexStream, &mut Vec<u8>) + 'static,
) -> Work {
    let runtime = runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime with no more than a clock");
    let start = format!("HTTP/1.1 {status}");
    Box::new(move |pieces| {
        for _ in 0..pieces {
            let (mut client, server) = duplex(16 << 10);
            let mut answer = Vec::with_capacity(1024);
            runtime
                .block_on(client.write_all(&request))
                .expect("the pipe has room");
            serve(&runtime, server, &mut client, &mut answer);
            assert!(
                answer.starts_with(start.as_bytes()),
                "{}",
                String::from_utf8_lossy(&answer)
            );
        }
    })
}

async fn exchange<S, B>(
    service: TowerToHyperService<S>,
    server: DuplexStream,
    client: &mut DuplexStream,
    answer: &mut Vec<u8>,
) where
    S: Handler<B>,
    B: Body + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .serve_connection(TokioIo::new(server), service)
        .with_upgrades();
    let (served, read) = join!(connection, client.read_to_end(answer));
    served.expect("the server has nothing to complain of");
    read.expect("memory can be read");
}
