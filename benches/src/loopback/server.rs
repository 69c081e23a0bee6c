//! The server process: it serves until its input ends, and tells its processor time whenever it reads a line.

use std::{
    error::Error,
    io::{Result, stdin},
    process, thread,
};

use http_body::Body;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::{net::TcpListener, runtime};

use super::processor;
use crate::http1::Handler;

/// Serves HTTP/1.1 on a port of the system's choice, which is the first line of the output.
///
/// # Errors
/// The port cannot be listened on.
pub fn serve<S, B>(service: S) -> Result<()>
where
    S: Handler<B, Future: Send> + Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?);
        thread::spawn(tell);
        let service = TowerToHyperService::new(service);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let connection =
                http1::Builder::new().serve_connection(TokioIo::new(stream), service.clone());
            tokio::spawn(connection.with_upgrades());
        }
    })
}

fn tell() {
    for line in stdin().lines() {
        line.expect("the input can be read");
        println!("{}", processor::time_spent());
    }
    process::exit(0);
}
