//! What a WebSocket handshake costs a server's processor, over TCP on loopback, the system's part included.

use std::io::{Error, Result};

use tower::{Layer, service_fn};
use tower_upgrade_bench::{
    fixtures::handshake,
    handshake::{axum, drop_in, fastwebsockets, hand_written, lifetime, ours},
    loopback::{
        child::{self, Server},
        processor,
        server::serve,
    },
};

/// The servers, as the table calls them; the first is what the others are compared with.
const SERVERS: [&str; 7] = [
    "hand-written",
    "tower-upgrade",
    "everything on",
    "fastwebsockets",
    "fastwebsockets on a route",
    "`WebSocketUpgrade` on a route",
    "axum's extractor on a route",
];

/// How often the servers take turns.
const TURNS: usize = 51;

/// How many connections a server gets in a turn, one after another.
const CONNECTIONS: u32 = 100;

fn main() -> Result<()> {
    match child::name().as_deref() {
        None => compare(),
        Some("hand-written") => serve(service_fn(hand_written::http1)),
        Some("tower-upgrade") => serve(ours::layer().layer(service_fn(ours::accept))),
        Some("everything on") => serve(lifetime::everything().layer(service_fn(ours::accept))),
        Some("fastwebsockets") => serve(service_fn(fastwebsockets::handler)),
        Some("fastwebsockets on a route") => serve(fastwebsockets::router()),
        Some("`WebSocketUpgrade` on a route") => serve(drop_in::router()),
        Some("axum's extractor on a route") => serve(axum::router()),
        Some(name) => Err(Error::other(format!("there is no server {name:?}"))),
    }
}

fn compare() -> Result<()> {
    processor::stay();
    let request = handshake();
    let mut servers = SERVERS
        .into_iter()
        .map(Server::start)
        .collect::<Result<Vec<_>>>()?;
    for server in &mut servers {
        server.handshakes(CONNECTIONS, &request)?;
    }
    let mut spent = vec![Vec::new(); servers.len()];
    for _ in 0..TURNS {
        for (server, spent) in servers.iter_mut().zip(&mut spent) {
            spent.push(server.handshakes(CONNECTIONS, &request)?);
        }
    }
    println!("\n### A WebSocket handshake over TCP, processor time of the server\n");
    println!("| | µs | × | least µs | goal |\n|---|--:|--:|--:|---|");
    let mut base = None;
    for (name, mut spent) in SERVERS.into_iter().zip(spent) {
        spent.sort_unstable();
        let micros = |rank: usize| spent[rank] as f64 / f64::from(CONNECTIONS);
        let median = micros(TURNS / 2);
        let times = median / *base.get_or_insert(median);
        let goal = if name.starts_with("tower-upgrade") {
            "at most 1.05 ×"
        } else {
            ""
        };
        println!(
            "| {name} | {median:.1} | {times:.2} | {:.1} | {goal} |",
            micros(0)
        );
    }
    Ok(())
}
