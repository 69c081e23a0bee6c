//! Two replicas behind a balancer: restarted in turn under steady traffic, or full.
//!
//! Not one handshake and not one request may fail, and each WebSocket of a replica that ends is closed by 1001.

mod traffic;

use self::traffic::Traffic;
use crate::it::wire::{Client, Request};
use crate::process::{Server, within};
use crate::proxy::{Kind, Proxy, Reserved};

const ROLLING: &str = include_str!("configs/haproxy-rolling.cfg");

/// As a server should be run: the balancer sees that the replica leaves before it turns anybody away,
/// and would take elsewhere who is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HAProxy: .ci/install"]
async fn nothing_is_lost() {
    restart_each(ROLLING, &["--notice", "3"]).await;
}

/// A balancer that cannot send a request twice needs the notice, and the notice is enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HAProxy: .ci/install"]
async fn nothing_is_lost_by_a_balancer_that_tries_once() {
    let retries = |line: &&str| {
        ["retr", "redispatch", "twice"]
            .iter()
            .any(|word| line.contains(word))
    };
    let (dropped, kept): (Vec<_>, Vec<_>) = ROLLING.lines().partition(retries);
    assert_eq!(
        dropped.len(),
        5,
        "three lines, a rule and a comment: {dropped:?}"
    );
    restart_each(&(kept.join("\n") + "\n"), &["--notice", "3"]).await;
}

/// Without notice, who is turned away by the one is let in by the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs HAProxy: .ci/install"]
async fn nothing_is_lost_by_a_balancer_that_was_not_told() {
    let turned_away = restart_each(ROLLING, &[]).await;
    assert_ne!(turned_away, 0, "else it shows nothing");
}

/// A replica at its limit turns an offer away, and the balancer takes it to the other until that is full too.
#[tokio::test]
#[ignore = "needs HAProxy: .ci/install"]
async fn who_is_over_a_limit_is_taken_elsewhere() {
    let replicas = [Server::gallery(&[]).await, Server::gallery(&[]).await];
    let backends = replicas.each_ref().map(Server::port);
    // The gallery has no page that tells of its health.
    let config = ROLLING.replace("GET /health", "GET /");
    let proxy = Proxy::start(Kind::HaProxy, &config, &backends).await;
    let offer = Request::websocket("/limited-total");
    let mut open = Vec::new();
    // The first is full, unknown to the balancer, which has no connection to it.
    let direct = (std::net::Ipv4Addr::LOCALHOST, backends[0]).into();
    for address in [direct, direct, proxy.address(), proxy.address()] {
        let mut client = Client::connect(address).await;
        client.offer(&offer).await.is(101);
        open.push(client);
    }
    let mut client = Client::connect(proxy.address()).await;
    let refused = client.ask(&offer).await;
    assert_eq!(refused.head.is(503).lines("retry-after").len(), 1);
}

/// Restarts each replica under traffic, and returns how many offers they turned away.
async fn restart_each(config: &str, args: &[&str]) -> usize {
    let ports = [Reserved::free(), Reserved::free()];
    let backends = ports.each_ref().map(Reserved::port);
    let mut replicas = Vec::new();
    for port in backends {
        replicas.push(Server::graceful_on(port, args).await);
    }
    let proxy = Proxy::start(Kind::HaProxy, config, &backends).await;
    let traffic = Traffic::start(proxy.address());

    let (mut told, mut turned_away) = (0, 0);
    traffic.reaches(backends[0]).await;
    traffic.reaches(backends[1]).await;
    for port in backends {
        let replica = replicas.remove(0);
        replica.signal("TERM").await;
        let report = Report::of(replica).await;
        told += report.told;
        turned_away += report.turned_away;
        replicas.push(Server::graceful_on(port, args).await);
        traffic.reaches(port).await;
    }
    let seen = within(60, "the end of the traffic", traffic.end()).await;
    // Some were about to leave by themselves.
    assert!((1..=told).contains(&seen.told), "{seen:?} of {told}");
    assert_ne!(seen.live, 0, "{seen:?}");
    turned_away
}

/// What a replica says when it ends.
#[derive(Debug)]
struct Report {
    /// WebSockets that were there and were told.
    told: usize,
    turned_away: usize,
}

impl Report {
    /// Waits until a replica ended.
    async fn of(replica: Server) -> Self {
        let (code, line) = replica.end().await;
        assert_eq!(code, Some(0), "{line}");
        // "drained in 5.0s: 7 ended, 1 closed at the deadline, 0 panicked, 2 turned away"
        let counts = line.split_once(": ").map_or("", |(_, counts)| counts);
        let counts: Vec<usize> = counts
            .split(", ")
            .filter_map(|count| count.split(' ').next()?.parse().ok())
            .collect();
        let [ended, closed, panicked, turned_away] = counts[..] else {
            panic!("no report: {line:?}");
        };
        assert_eq!(panicked, 0, "{line}");
        assert_ne!(ended + closed, 0, "nobody was there: {line}");
        let told = ended + closed;
        Self { told, turned_away }
    }
}
