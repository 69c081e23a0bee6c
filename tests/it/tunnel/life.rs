//! Clocks, limits, drains and observers see a tunnel as they see any connection.
//!
//! In memory and with time paused, wherever sockets are not the point.

mod drains;

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{Instant, sleep},
};
use tower_upgrade::{
    Limit,
    observe::{Cause, Clock},
};

use super::{
    edge::{layer, serve, tunnel},
    ends::{PAIRS, expect, expect_end, join},
    memory::joined,
    record::Record,
    upstream::Upstream,
};
use crate::wire::{Client, Request};

const SECOND: Duration = Duration::from_secs(1);

/// Reads the end of either side, and returns when that was.
async fn both_end(client: &mut DuplexStream, upstream: &mut DuplexStream) -> Duration {
    let start = Instant::now();
    expect_end(client).await;
    expect_end(upstream).await;
    start.elapsed()
}

async fn pass(from: &mut DuplexStream, to: &mut DuplexStream) {
    from.write_all(b"x").await.unwrap();
    expect(to, "x").await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_closes_both_sides() {
    for (layer, clock) in [
        (layer().idle_timeout(5 * SECOND), Clock::Idle),
        (layer().first_byte_timeout(5 * SECOND), Clock::FirstByte),
        (layer().max_lifetime(5 * SECOND), Clock::Lifetime),
    ] {
        let (limit, record) = (Limit::total(1), Record::default());
        let layer = layer.limit(limit.clone()).observe(record.clone());
        let (mut client, mut upstream) = joined(&layer).await;
        assert_eq!(limit.live(), 1);
        assert_eq!(both_end(&mut client, &mut upstream).await, 5 * SECOND);
        assert_eq!(limit.live(), 0);
        let closing = record.closings(1).await[0];
        assert_eq!(closing.cause, Cause::Expired(clock));
        assert!(client.write_all(b"too late").await.is_err());
        assert!(upstream.write_all(b"too late").await.is_err());
    }
}

/// A byte either way counts, and the clock runs from the last one.
#[tokio::test(start_paused = true)]
async fn bytes_in_either_direction_keep_it_alive() {
    for is_up in [true, false] {
        let layer = layer().idle_timeout(5 * SECOND);
        let (mut client, mut upstream) = joined(&layer).await;
        for _ in 0..10 {
            sleep(4 * SECOND).await;
            if is_up {
                pass(&mut client, &mut upstream).await;
            } else {
                pass(&mut upstream, &mut client).await;
            }
        }
        assert_eq!(both_end(&mut client, &mut upstream).await, 5 * SECOND);
    }
}

/// The first byte is the client's: what the upstream says is none.
#[tokio::test(start_paused = true)]
async fn the_first_byte_is_the_clients() {
    let layer = layer().first_byte_timeout(5 * SECOND);
    let (mut client, mut upstream) = joined(&layer).await;
    sleep(3 * SECOND).await;
    pass(&mut upstream, &mut client).await;
    assert_eq!(both_end(&mut client, &mut upstream).await, 2 * SECOND);

    let (mut client, mut upstream) = joined(&layer).await;
    pass(&mut client, &mut upstream).await;
    sleep(60 * SECOND).await;
    pass(&mut upstream, &mut client).await;
}

/// Whatever passes, a lifetime ends.
#[tokio::test(start_paused = true)]
async fn a_lifetime_ends_a_busy_one() {
    let layer = layer().max_lifetime(5 * SECOND);
    let (mut client, mut upstream) = joined(&layer).await;
    for _ in 0..4 {
        sleep(SECOND).await;
        pass(&mut client, &mut upstream).await;
        pass(&mut upstream, &mut client).await;
    }
    assert_eq!(both_end(&mut client, &mut upstream).await, SECOND);
}

/// One that is half closed is still under its clock.
#[tokio::test(start_paused = true)]
async fn a_half_that_has_ended_stops_no_clock() {
    for is_client in [true, false] {
        let layer = layer().idle_timeout(5 * SECOND);
        let (mut client, mut upstream) = joined(&layer).await;
        let (ending, left) = if is_client {
            (&mut client, &mut upstream)
        } else {
            (&mut upstream, &mut client)
        };
        ending.shutdown().await.unwrap();
        expect_end(left).await;
        let start = Instant::now();
        expect_end(ending).await;
        assert_eq!(start.elapsed(), 5 * SECOND);
    }
}

/// So is one that waits for who does not read: the bytes that nobody takes keep nothing alive.
#[tokio::test(start_paused = true)]
async fn one_that_is_stuck_is_idle() {
    for is_client in [true, false] {
        let layer = layer().idle_timeout(5 * SECOND);
        let (mut client, mut upstream) = joined(&layer).await;
        let (writer, reader) = if is_client {
            (&mut client, &mut upstream)
        } else {
            (&mut upstream, &mut client)
        };
        let start = Instant::now();
        while writer.write_all(&[0; 1_000]).await.is_ok() {}
        assert_eq!(start.elapsed(), 5 * SECOND);
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        assert!(rest.len() >= 64 << 10);
    }
}

/// The upstream hears of it though it reads nothing of what is stuck.
#[tokio::test(start_paused = true)]
async fn one_that_is_stuck_is_closed_on_both_sides() {
    let layer = layer().idle_timeout(5 * SECOND);
    let (mut client, mut upstream) = joined(&layer).await;
    while client.write_all(&[0; 1_000]).await.is_ok() {}
    let closed = async { while upstream.write_all(&[0; 1_000]).await.is_ok() {} };
    tokio::time::timeout(60 * SECOND, closed).await.unwrap();
}

/// Over real connections of either version, where an expired clock has sockets to close.
#[tokio::test]
async fn a_clock_closes_connections_of_either_version() {
    for pair in PAIRS {
        let record = Record::default();
        let layer = layer()
            .idle_timeout(Duration::from_millis(50))
            .observe(record.clone());
        let mut joined = join(&layer, pair).await;
        assert_eq!(super::ends::read_until_gone(&mut joined.client).await, 0);
        assert_eq!(super::ends::read_until_gone(&mut joined.upstream).await, 0);
        let closing = record.closings(1).await[0];
        assert_eq!(closing.cause, Cause::Expired(Clock::Idle));
    }
}

/// Bytes are counted from the client's point of view, early ones too, and heads are none.
#[tokio::test]
async fn bytes_are_counted() {
    for pair in PAIRS {
        let record = Record::default();
        let mut joined = join(&layer().observe(record.clone()), pair).await;
        joined.client.write_all(b"12345").await.unwrap();
        expect(&mut joined.upstream, "12345").await;
        joined.upstream.write_all(b"123").await.unwrap();
        joined.upstream.shutdown().await.unwrap();
        expect(&mut joined.client, "123").await;
        expect_end(&mut joined.client).await;
        joined.client.shutdown().await.unwrap();
        expect_end(&mut joined.upstream).await;
        let closing = record.closings(1).await[0];
        assert_eq!((closing.received, closing.sent), (5, 3));
        assert_eq!(closing.cause, Cause::PeerEnded);
    }
}

#[tokio::test]
async fn early_bytes_are_counted() {
    let record = Record::default();
    let upstream = Upstream::new().await;
    let layer = layer().observe(record.clone());
    let edge = serve(layer, tunnel(upstream.address(), http::Version::HTTP_11)).await;
    let mut client = Client::connect(edge).await;
    let mut offer = Request::upgrade("/", "echo/1.0").to_bytes();
    offer.extend_from_slice(&[b'x'; 10_000]);
    client.send(offer).await;
    let (mut peer, _) = upstream.asked().await;
    peer.send(super::upstream::switching("echo/1.0") + &"y".repeat(20_000))
        .await;
    client.head().await.is(101);
    peer.0.expect([b'x'; 10_000]).await;
    client.expect([b'y'; 20_000]).await;
    drop((client, peer));
    let closing = record.closings(1).await[0];
    assert_eq!((closing.received, closing.sent), (10_000, 20_000));
}

/// A permit is held as long as the tunnel is open, and no longer; one that was refused holds none.
#[tokio::test]
async fn a_limit_counts_tunnels() {
    for pair in PAIRS {
        let limit = Limit::total(2);
        let layer = layer().limit(limit.clone());
        let (upstream, mut accepted) = super::ends::accepting().await;
        let edge = serve(layer, tunnel(upstream, pair.1)).await;
        let first = super::ends::join_by(edge, pair.0, &mut accepted).await;
        let _second = super::ends::join_by(edge, pair.0, &mut accepted).await;
        let mut client = Client::connect(edge).await;
        let offer = Request::upgrade("/", "echo/1.0");
        client.ask(&offer).await.head.is(503);
        assert_eq!(limit.live(), 2);
        drop(first);
        crate::wire::patiently("a permit", async {
            while limit.live() > 1 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        client.offer(&offer).await.is(101);
        assert_eq!(limit.live(), 2);
    }
}

/// An offer that the upstream declines gives its permit back, and one that fails does.
#[tokio::test]
async fn what_opens_no_tunnel_holds_no_permit() {
    let limit = Limit::total(1);
    let record = Record::default();
    let upstream = Upstream::new().await;
    let layer = layer().limit(limit.clone()).observe(record.clone());
    let edge = serve(layer, tunnel(upstream.address(), http::Version::HTTP_11)).await;
    let refusals = [
        "HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
        super::upstream::switching("echo/3.0"),
        "garbage\r\n\r\n".to_owned(),
    ];
    for refusal in &refusals {
        let mut client = Client::connect(edge).await;
        client
            .send(Request::upgrade("/", "echo/2.0").to_bytes())
            .await;
        let (mut peer, _) = upstream.asked().await;
        assert_eq!(limit.live(), 1);
        peer.send(refusal).await;
        let head = client.head().await;
        assert!([403, 502].contains(&head.status), "{head:?}");
        assert_eq!(limit.live(), 0);
    }
    assert_eq!(record.events(), ["declined echo/2.0"; 3]);
}
