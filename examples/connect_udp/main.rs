//! UDP in HTTP (RFC 9298), over HTTP/1.1 and HTTP/2.
//!
//! ```text
//! cargo run --example connect_udp --features axum -- --allow 127.0.0.1:PORT [--allow ..] [--addr 127.0.0.1:3009]
//! ```
//!
//! A client that offers `connect-udp` for `/.well-known/masque/udp/{host}/{port}/` sends and receives datagrams
//! there, each in a capsule (RFC 9297). Only targets that were allowed are relayed to.

mod capsule;
mod relay;

use std::{
    error::Error,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, Method, StatusCode},
    response::{IntoResponse, Response},
    routing::any,
};
use tokio::net::{TcpListener, UdpSocket};
use tower_upgrade::{Limit, OnUpgrade, Policy, Protocol, UpgradeLayer, axum::client_ip};

/// RFC 9298 3.1: a mapping that is not used goes, and no sooner than this.
const IDLE: Duration = Duration::from_secs(120);
/// How many a client may have at a time.
const EACH: u32 = 16;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("usage: connect_udp --allow IP:PORT [--allow IP:PORT].. [--addr HOST:PORT]");
        std::process::exit(2);
    };
    let listener = TcpListener::bind(options.addr).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let app = app(options.allowed)?.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, app).await?)
}

type Allowed = Arc<[SocketAddr]>;

fn app(allowed: Allowed) -> Result<Router, Box<dyn Error>> {
    let udp = Protocol::new("connect-udp")?.methods([Method::GET]);
    let layer = UpgradeLayer::new(Policy::require(udp))
        .limit(Limit::per_key(EACH, client_ip))
        .idle_timeout(IDLE);
    Ok(Router::new()
        .route(
            "/.well-known/masque/udp/{host}/{port}/",
            any(connect).layer(layer),
        )
        .with_state(allowed))
}

async fn connect(
    State(allowed): State<Allowed>,
    Path((host, port)): Path<(String, String)>,
    upgrade: OnUpgrade,
) -> Response {
    let socket = match target(&host, &port, &allowed) {
        Ok(target) => relay::connect(target).await,
        Err(refused) => return refused.into_response(),
    };
    match socket {
        Ok(socket) => accept(upgrade, socket),
        Err(_) => (StatusCode::BAD_GATEWAY, "there is no way to this target\n").into_response(),
    }
}

fn accept(upgrade: OnUpgrade, socket: UdpSocket) -> Response {
    let mut response: Response = upgrade.accept(async move |io| {
        if let Err(error) = relay::relay(io, socket).await {
            eprintln!("{error}");
        }
    });
    // RFC 9297 3.4: what follows is capsules.
    let headers = response.headers_mut();
    headers.insert(CAPSULE_PROTOCOL, HeaderValue::from_static("?1"));
    response
}

const CAPSULE_PROTOCOL: HeaderName = HeaderName::from_static("capsule-protocol");

/// Names are not looked up here, so that nothing but what was allowed is ever sent to.
fn target(
    host: &str,
    port: &str,
    allowed: &[SocketAddr],
) -> Result<SocketAddr, (StatusCode, &'static str)> {
    let port = port.parse().ok().filter(|port| *port != 0);
    let (Ok(host), Some(port)) = (host.parse::<IpAddr>(), port) else {
        return Err((StatusCode::BAD_REQUEST, "no address and port\n"));
    };
    let target = SocketAddr::new(host, port);
    if allowed.contains(&target) {
        Ok(target)
    } else {
        Err((StatusCode::FORBIDDEN, "this target is not relayed to\n"))
    }
}

struct Options {
    addr: String,
    allowed: Allowed,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut addr = "127.0.0.1:3009".to_owned();
        let mut allowed = Vec::new();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--addr" => addr = arguments.next()?,
                "--allow" => allowed.push(arguments.next()?.parse().ok()?),
                _ => return None,
            }
        }
        let allowed: Allowed = allowed.into();
        (!allowed.is_empty()).then_some(Self { addr, allowed })
    }
}
