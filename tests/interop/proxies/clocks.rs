//! Whose clock closes an idle connection: ours or the proxy's.

use std::io::ErrorKind;
use std::time::Duration;

use tower_upgrade::observe::{Cause, Clock};

use super::backend::{Backend, Seen};
use super::fronts::{APACHE, APACHE_WSTUNNEL, Front, HAPROXY, NGINX, PLAIN, replace};
use crate::it::wire::{Client, Request};

const IDLE: Cause = Cause::Expired(Clock::Idle);

/// Where ours is the shorter, the client sees the end.
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache and Caddy: .ci/install"]
async fn ours_closes_through_the_proxy() {
    for front in PLAIN {
        let cause = closed_by(front, str::to_owned, 1).await;
        assert_eq!(cause, IDLE, "{}", front.name);
    }
}

/// Where the proxy's is, the server sees its client end. HAProxy's end is a reset.
#[tokio::test]
#[ignore = "needs nginx, HAProxy and Apache: .ci/install"]
async fn the_proxys_closes_at_the_server() {
    let apache = |config: &str| replace(config, "=3600", "=1") + "Timeout 1\n";
    let hour = |config: &str| replace(config, "1h", "1s");
    let reset = Cause::Failed(ErrorKind::ConnectionReset);
    for (front, change, expected) in [
        (NGINX, hour as fn(&str) -> String, Cause::PeerEnded),
        (HAPROXY, hour, reset),
        (APACHE, apache, Cause::PeerEnded),
        (APACHE_WSTUNNEL, apache, Cause::PeerEnded),
    ] {
        let cause = closed_by(front, change, 20).await;
        assert_eq!(cause, expected, "{}", front.name);
    }
}

/// Of Apache's two, the longer one counts.
#[tokio::test]
#[ignore = "needs Apache: .ci/install"]
async fn either_of_apaches_alone_does_not_close() {
    let only_one = |config: &str| replace(config, "=3600", "=1");
    let only_other = |config: &str| format!("Timeout 1\n{config}");
    for change in [only_one as fn(&str) -> String, only_other] {
        assert_eq!(closed_by(APACHE, change, 3).await, IDLE);
    }
}

/// Opens a connection, says nothing until the client sees its end, and returns why the server's ended.
async fn closed_by(front: Front, change: impl FnOnce(&str) -> String, seconds: u64) -> Cause {
    let ours = Duration::from_secs(seconds);
    let mut backend = Backend::start(|layer| layer.idle_timeout(ours)).await;
    let proxy = front.before_with(backend.port(), change).await;
    let mut client = Client::connect(proxy.address()).await;
    client.offer(&Request::websocket("/")).await.is(101);
    client.expect_end().await;
    loop {
        if let Seen::Closed(cause) = backend.sees().await {
            return cause;
        }
    }
}
