//! No descriptor is left of tunnels that ended, however they did.
//!
//! In a process of its own, for descriptors are counted by the process, and other tests have theirs.
#![cfg(target_os = "linux")]

use std::{env, fs, net::SocketAddr, process::Command};

use http::Version;
use tokio::io::AsyncWriteExt;

use super::{
    edge::{layer, serve, tunnel},
    ends::{Accepted, PAIRS, expect, expect_bulk, expect_end, join_by, reset, send_bulk, sockets},
    upstream::{Upstream, switching},
};
use crate::wire::{Client, PATIENCE, Request};

const CHILD: &str = "TUNNEL_DESCRIPTORS";

/// Runs this very test once more, alone.
#[test]
fn none_is_left() {
    if env::var_os(CHILD).is_some() {
        return count();
    }
    let name = format!(
        "{}::none_is_left",
        module_path!().split_once("::").unwrap().1
    );
    let child = Command::new(env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(
        child.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&child.stderr)
    );
}

#[tokio::main(flavor = "current_thread")]
async fn count() {
    let mut proxies = Vec::new();
    for pair in PAIRS {
        let (upstream, accepted) = super::ends::accepting().await;
        let edge = serve(layer(), tunnel(upstream, pair.1)).await;
        proxies.push((pair.0, edge, accepted));
    }
    // Once before, for what is made once and kept: connections of HTTP/2, too.
    round(4, &mut proxies).await;
    let before = Descriptors::now();
    round(40, &mut proxies).await;
    let mut after = Descriptors::now();
    let _ = tokio::time::timeout(PATIENCE, async {
        while after.sockets > before.sockets {
            tokio::task::yield_now().await;
            after = Descriptors::now();
        }
    })
    .await;
    assert!(after.sockets <= before.sockets, "{before:?}, {after:?}");
    assert!(after.pipes < 40, "{after:?}: a few are kept for the next");
}

/// So many tunnels to each end there is.
async fn round(number: usize, proxies: &mut [(Version, SocketAddr, Accepted)]) {
    for _ in 0..number {
        ended_in_order().await;
        for is_client in [true, false] {
            let (mut client, mut peer) = sockets(layer()).await;
            tokio::join!(
                send_bulk(&mut client, 2 << 20),
                expect_bulk(&mut peer, 2 << 20)
            );
            let (gone, _left) = if is_client {
                (client, peer)
            } else {
                (peer, client)
            };
            reset(gone);
        }
        stuck_and_gone().await;
        not_believed().await;
    }
    for (from, edge, accepted) in proxies {
        for _ in 0..number {
            let mut joined = join_by(*edge, *from, accepted).await;
            joined.client.write_all(b"ping").await.unwrap();
            expect(&mut joined.upstream, "ping").await;
        }
    }
}

async fn ended_in_order() {
    let (mut client, mut peer) = sockets(layer()).await;
    tokio::join!(
        send_bulk(&mut client, 2 << 20),
        expect_bulk(&mut peer, 2 << 20)
    );
    client.shutdown().await.unwrap();
    expect_end(&mut peer).await;
    peer.shutdown().await.unwrap();
    expect_end(&mut client).await;
}

/// Bytes are under way, in a pipe perhaps, when both ends go.
async fn stuck_and_gone() {
    let (mut client, peer) = sockets(layer()).await;
    let bulk = super::ends::try_send_bulk(&mut client, 64 << 20);
    tokio::select! {
        _ = bulk => {}
        () = tokio::time::sleep(std::time::Duration::from_millis(30)) => {}
    }
    reset(peer);
    reset(client);
}

async fn not_believed() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client
        .send(Request::upgrade("/", "echo/1.0").to_bytes())
        .await;
    let (mut peer, _) = upstream.asked().await;
    peer.send(switching("echo/2.0")).await;
    client.response().await.head.is(502);
}

/// What is open, but for what the servers of the tests listen by.
#[derive(Debug)]
struct Descriptors {
    sockets: usize,
    pipes: usize,
}

impl Descriptors {
    fn now() -> Self {
        let links = fs::read_dir("/proc/self/fd").unwrap();
        let links = links.filter_map(|link| fs::read_link(link.unwrap().path()).ok());
        let links: Vec<_> = links
            .map(|link| link.to_string_lossy().into_owned())
            .collect();
        let listening = listening();
        let count = |kind: &str| {
            let open = links.iter().filter(|link| link.starts_with(kind));
            open.filter(|link| !listening.contains(link)).count()
        };
        Self {
            sockets: count("socket:"),
            pipes: count("pipe:"),
        }
    }
}

/// The sockets that listen, as links name them.
fn listening() -> Vec<String> {
    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let rows = table
        .lines()
        .skip(1)
        .map(|row| row.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row[3] == "0A")
        .map(|row| format!("socket:[{}]", row[9]))
        .collect()
}
