//! A reverse proxy that forwards upgrades too, over HTTP/1.1 and HTTP/2 on either side.
//!
//! ```text
//! cargo run --example proxy --features tunnel -- --upstream http://127.0.0.1:3001 \
//!     [--listen 127.0.0.1:3005] [--upstream URL]... [--upstream-http2] [--tls] [--forward PROTOCOL]...
//! ```
//!
//! Requests go to the upstreams in turn; one that cannot be reached is left out for a while. WebSocket is
//! forwarded, and every `PROTOCOL` besides. Each upgraded connection is a line of log when it closes. At
//! Ctrl-C or SIGTERM no more is begun, and what is there has a while to end.

mod balance;
mod http2;
mod log;
mod options;
mod serve;
mod tls;

use std::{error::Error, io, net::IpAddr, time::Duration};

use http::{Uri, Version};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::{net::TcpListener, signal};
use tower::Layer;
use tower_upgrade::{
    Drain, Head, Policy, UpgradeLayer, WebSocket,
    tunnel::{Forwarded, Tunnel},
};

use self::{balance::Balance, http2::Http2, log::Log, options::Options, serve::Peer};

/// How long what is there may take to end when the proxy does.
const GRACE: Duration = Duration::from_secs(10);
/// How long an upgraded connection may be silent.
const IDLE: Duration = Duration::from_secs(3600);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("{}", Options::USAGE);
        std::process::exit(2);
    };
    // Before anybody knows the address: until it is caught, a signal ends the process at once.
    let stop = stop_signal()?;
    let tls = options.tls.then(tls::self_signed).transpose()?;
    let listener = TcpListener::bind(&options.listen).await?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{}", listener.local_addr()?);

    let drain = Drain::new();
    let layer = UpgradeLayer::new(policy(&options))
        .idle_timeout(IDLE)
        .drain(drain.clone())
        .observe(Log);
    let drained = drain.clone().shutdown(stop, GRACE);
    if options.http2 {
        let client = Balance::new(Http2::new(), &options.upstreams);
        let service = layer.layer(tunnel(client, &options));
        serve::until(drained, listener, tls, service).await;
    } else {
        let client = Client::builder(TokioExecutor::new()).build_http();
        let client = Balance::new(client, &options.upstreams);
        let service = layer.layer(tunnel(client, &options));
        serve::until(drained, listener, tls, service).await;
    }
    println!("{}", drain.report());
    Ok(())
}

/// What is forwarded: each protocol by its own name, and nothing that was not asked for. The rest of what
/// a client offers is taken out, and its request goes on as an ordinary one.
fn policy(options: &Options) -> Policy {
    let forwarded = options.forward.iter().cloned();
    forwarded.fold(Policy::offer(WebSocket::new()), |policy, protocol| {
        policy.or(protocol.content_limit(1 << 20))
    })
}

fn tunnel<C>(client: Balance<C>, options: &Options) -> Tunnel<Balance<C>, Uri> {
    let is_tls = options.tls;
    // The balance puts an upstream in the place of this name.
    let upstream = Uri::from_static("http://upstream");
    let version = if options.http2 {
        Version::HTTP_2
    } else {
        Version::HTTP_11
    };
    Tunnel::new(client, upstream)
        .upstream_version(version)
        .forwarded(Forwarded::x_forwarded(address).is_tls(move |_| is_tls))
        .via("proxy")
}

fn address(head: &Head<'_>) -> Option<IpAddr> {
    head.extensions.get::<Peer>().map(|peer| peer.0.ip())
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
