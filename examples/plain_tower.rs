//! hyper and Tower, no web framework: a server that speaks a protocol of its own, `echo/1.0`.
//!
//! ```text
//! cargo run --example plain_tower -- [--addr 127.0.0.1:3002]
//! printf 'GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo/1.0\r\n\r\nhello' | nc -N 127.0.0.1 3002
//! ```

use std::{convert::Infallible, error::Error, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, StatusCode, body::Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{self, AsyncWriteExt},
    net::TcpListener,
};
use tower::{ServiceBuilder, service_fn};
use tower_upgrade::{OnUpgrade, Policy, Protocol, UpgradeLayer, Upgraded};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(addr) = addr(std::env::args().skip(1)) else {
        eprintln!("usage: plain_tower [--addr HOST:PORT]");
        std::process::exit(2);
    };
    let listener = TcpListener::bind(addr).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let service = ServiceBuilder::new()
        .layer(UpgradeLayer::new(Policy::offer(Protocol::new("echo/1.0")?)))
        .service(service_fn(answer));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of descriptors, or the client is gone already: neither ends the server.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let mut server = auto::Builder::new(TokioExecutor::new());
            // With a clock, heads have their time: hyper allows them 30 seconds.
            server.http1().timer(TokioTimer::new());
            server
                .http2()
                .timer(TokioTimer::new())
                .enable_connect_protocol();
            let io = TokioIo::new(stream);
            if let Err(error) = server.serve_connection_with_upgrades(io, service).await {
                eprintln!("connection failed: {error}");
            }
        });
    }
}

/// The future is in the request, the answer is a bare 101, and the layer does the rest.
async fn answer(mut request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let Some(on_upgrade) = OnUpgrade::take(&mut request) else {
        return Ok(Response::new(
            "this is HTTP; offer `echo/1.0` for more\n".into(),
        ));
    };
    tokio::spawn(async move {
        match on_upgrade.await {
            Ok(io) => echo(io).await,
            Err(error) => eprintln!("no connection: {error}"),
        }
    });
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    Ok(response)
}

/// Echoes until the client ends its half, and then ends the other.
async fn echo(io: Upgraded) {
    println!("{} over {:?}", io.protocol(), io.version());
    let (mut read, mut write) = io::split(io);
    match io::copy(&mut read, &mut write).await {
        Ok(bytes) => println!("echoed {bytes} bytes"),
        Err(error) => println!("lost: {error}"),
    }
    let _ = write.shutdown().await;
}

fn addr(mut arguments: impl Iterator<Item = String>) -> Option<String> {
    match arguments.next() {
        None => Some("127.0.0.1:3002".into()),
        Some(flag) if flag == "--addr" => arguments.next(),
        Some(_) => None,
    }
}
