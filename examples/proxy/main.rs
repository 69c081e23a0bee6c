//! A reverse proxy that forwards upgrades too, over HTTP/1.1 and HTTP/2 on either side.
//!
//! ```text
//! cargo run --example proxy --features tunnel -- --upstream http://127.0.0.1:3001 \
//!     [--listen 127.0.0.1:3005] [--upstream URL]... [--upstream-http2] [--tls] [--forward PROTOCOL]...
//! ```
//!
//! Requests go to the upstreams in turn; one that cannot be reached is left out for a while. WebSocket is
//! forwarded, and every `PROTOCOL` besides. Each upgraded connection is a line of log when it closes.
//!
//! At Ctrl-C or SIGTERM the upgraded connections have 10 s to end. In that time new offers are answered 503,
//! and ordinary requests as ever. Then the rest of them is closed, no connection is accepted any more, and
//! requests that were begun have up to 10 s. A second signal ends the process at once.
//!
//! Exit codes: 0 ended by one signal, 1 by two, or it could not begin, 2 wrong usage.

mod balance;
mod content;
mod http2;
mod log;
mod options;
mod serve;
mod stop;
mod tls;

use std::{env, error::Error, net::IpAddr, process::ExitCode, time::Duration};

use http::{Uri, Version};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;
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
/// How long a connection to an upstream may take.
const CONNECT: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<_> = env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{}", Options::USAGE);
        return ExitCode::SUCCESS;
    }
    let options = match Options::parse(arguments.into_iter()) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("proxy: {why}\n\n{}", Options::USAGE);
            return ExitCode::from(2);
        }
    };
    match run(&options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("proxy: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    // Before anybody knows the address: until it is caught, a signal ends the process at once.
    let stop = stop::signal()?;
    let tls = options.tls.then(tls::self_signed).transpose()?;
    let listener = TcpListener::bind(&options.listen).await;
    let listener =
        listener.map_err(|error| format!("{}: {error}", options.listen.escape_debug()))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("listening on {scheme}://{}", listener.local_addr()?);

    let drain = Drain::new();
    let layer = UpgradeLayer::new(policy(options))
        .idle_timeout(IDLE)
        .drain(drain.clone())
        .observe(Log);
    let drained = drain.clone().shutdown(stop, GRACE);
    if options.http2 {
        let client = Balance::new(Http2::new(), &options.upstreams);
        let service = layer.layer(tunnel(client, options));
        serve::until(drained, listener, tls, service).await;
    } else {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT));
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let client = Balance::new(client, &options.upstreams);
        let service = layer.layer(tunnel(client, options));
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
