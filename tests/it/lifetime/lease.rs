//! Leases: what a layer knows of a connection that was taken out of its hands.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpStream,
    sync::oneshot,
    time::{Instant, sleep},
};
use tower::{Layer, service_fn};
use tower_upgrade::{Drain, Limit, OnUpgrade, UpgradeLayer, Upgraded, observe::Clock};

use super::{
    clocks::{is_after, is_of},
    drain::counts,
    offers::{SECOND, due, ends, layer, open, refuses},
    record::Record,
};
use crate::{
    server::{AnyError, serve_on, tcp_pair},
    wire::{Client, Request},
};

/// A layer of one place with everything on, and what keeps count of it.
fn all_on() -> (UpgradeLayer, Limit, Drain, Record) {
    let (limit, drain, record) = (Limit::total(1), Drain::new(), Record::default());
    let layer = layer()
        .limit(limit.clone())
        .drain(drain.clone())
        .observe(record.clone())
        .first_byte_timeout(2 * SECOND)
        .idle_timeout(3 * SECOND)
        .max_lifetime(5 * SECOND);
    (layer, limit, drain, record)
}

#[tokio::test(start_paused = true)]
async fn a_lease_keeps_the_permit_and_the_place_in_the_drain() {
    // "to be kept for as long as the I/O is": that the I/O is dropped before returns nothing.
    let (layer, limit, drain, record) = all_on();
    let (mut client, mut io) = open(&layer).await;
    io.write_all(b"one").await.unwrap();
    let parts = io.downcast::<DuplexStream>().unwrap();
    refuses(&layer, 503).await;
    assert!(parts.lease.draining().now_or_never().is_none());
    assert_eq!((limit.live(), drain.live()), (1, 1));
    client.read_exact(&mut [0; 3]).await.unwrap();
    drop(parts.io);
    ends(&mut client).await;
    assert_eq!((limit.live(), drain.live()), (1, 1));
    assert!(record.closings().is_empty());
    drain.start();
    parts.lease.draining().now_or_never().unwrap();
    drop(parts.lease);
    assert_eq!((limit.live(), drain.live()), (0, 0));
    assert_eq!(record.only_closing().0, "Dropped");
    // Bytes are counted as long as they went through the layer's hands.
    let closing = record.closings()[0];
    assert_eq!((closing.received, closing.sent), (0, 3));
    assert_eq!(counts(&drain.report()), [1, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_clocks_end_with_it() {
    // "Its clocks end here": nobody closes what is in other hands.
    let (layer, limit, _, record) = all_on();
    let (mut client, io) = open(&layer).await;
    let mut parts = io.downcast::<DuplexStream>().unwrap();
    sleep(100 * SECOND).await;
    client.write_all(b"x").await.unwrap();
    assert_eq!(parts.io.read(&mut [0]).await.unwrap(), 1);
    assert_eq!((limit.live(), record.closings().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_drain_waits_for_it_and_cannot_close_it() {
    // "a drain's deadline cannot close what it does not hold", but it does not wait any longer.
    let (layer, limit, drain, record) = all_on();
    let (mut client, io) = open(&layer).await;
    let mut parts = io.downcast::<DuplexStream>().unwrap();
    let start = Instant::now();
    let report = due(drain.wait(5 * SECOND)).await;
    is_after(start, 5 * SECOND);
    assert_eq!(counts(&report), [0, 1, 0, 0]);
    assert_eq!((limit.live(), drain.live()), (0, 0));
    parts.io.write_all(b"still here").await.unwrap();
    client.read_exact(&mut [0; 10]).await.unwrap();
    drop(parts);
    assert_eq!(record.only_closing().0, "Drained");
    assert_eq!(drain.report(), report);

    // The twin: given up in time.
    let (layer, _, drain, _) = all_on();
    let (_client, io) = open(&layer).await;
    let parts = io.downcast::<DuplexStream>().unwrap();
    let start = Instant::now();
    let (report, ()) = tokio::join!(drain.wait(5 * SECOND), async {
        sleep(SECOND).await;
        drop(parts);
    });
    is_after(start, SECOND);
    assert_eq!(counts(&report), [1, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn asked_for_another_type_its_clocks_go_on() {
    // It is given back as it was: each clock runs out when it would have.
    for (clock, layer, after) in [
        (Clock::FirstByte, layer().first_byte_timeout(5 * SECOND), 5),
        (Clock::Idle, layer().idle_timeout(5 * SECOND), 6),
        (Clock::Lifetime, layer().max_lifetime(5 * SECOND), 5),
    ] {
        let (limit, drain) = (Limit::total(1), Drain::new());
        let layer = layer.limit(limit.clone()).drain(drain.clone());
        let (mut client, mut io) = open(&layer).await;
        let start = Instant::now();
        sleep(SECOND).await;
        io.write_all(b"x").await.unwrap();
        client.read_exact(&mut [0]).await.unwrap();
        sleep(SECOND).await;
        for _ in 0..3 {
            io = io.downcast::<TcpStream>().unwrap_err();
        }
        assert_eq!((limit.live(), drain.live()), (1, 1));
        ends(&mut client).await;
        is_after(start, after * SECOND);
        is_of(io.read(&mut [0]).await, clock);
        // What is closed is of no type any more.
        let mut io = io.downcast::<DuplexStream>().unwrap_err();
        is_of(io.write(b"x").await, clock);
        assert_eq!((limit.live(), drain.live()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn given_back_it_moves_bytes_as_before() {
    // And they are counted, and put idleness off.
    let (layer, .., record) = all_on();
    let (mut client, io) = open(&layer).await;
    let mut io = io.downcast::<TcpStream>().unwrap_err();
    for _ in 0..4 {
        sleep(SECOND).await;
        client.write_all(b"ping").await.unwrap();
        io.read_exact(&mut [0; 4]).await.unwrap();
    }
    drop(io);
    assert_eq!(record.only_closing().0, "Dropped");
    assert_eq!(record.closings()[0].received, 16);
}

#[tokio::test(start_paused = true)]
async fn a_panic_that_drops_it_is_the_cause() {
    // The lease stands for the connection.
    let (layer, limit, _, record) = all_on();
    let (_client, io) = open(&layer).await;
    let task = tokio::spawn(async move {
        let _parts = io.downcast::<DuplexStream>().unwrap();
        panic!("on purpose");
    });
    assert!(task.await.unwrap_err().is_panic());
    assert_eq!(
        (limit.live(), record.only_closing().0.as_str()),
        (0, "Panicked")
    );
}

#[tokio::test]
async fn a_bare_connection_has_a_lease_of_nothing() {
    // So that the same code serves both.
    let (_client, io) = open(&layer()).await;
    let parts = io.downcast::<DuplexStream>().unwrap();
    assert!(parts.lease.draining().now_or_never().is_none());
    assert!(parts.read_buf.is_empty());
}

#[tokio::test]
async fn over_tcp_it_comes_with_the_stream_and_what_was_read_ahead() {
    // With limits and all, as without.
    let (away, given) = oneshot::channel::<Upgraded>();
    let mut away = Some(away);
    let limit = Limit::total(1);
    let layer = layer()
        .limit(limit.clone())
        .idle_timeout(Duration::from_secs(600));
    let away = std::sync::Arc::new(std::sync::Mutex::new(away.take()));
    let service = service_fn(move |mut request: http::Request<hyper::body::Incoming>| {
        let away = away.lock().unwrap().take().unwrap();
        async move {
            let on_upgrade = OnUpgrade::take(&mut request).unwrap();
            Ok::<http::Response<String>, AnyError>(on_upgrade.accept(|io| async {
                drop(away.send(io));
            }))
        }
    });
    let (client, server) = tcp_pair().await;
    serve_on(server, layer.layer(service));
    let mut client = Client::over(client);
    let offer = Request::upgrade("/", "echo/1.0").to_bytes();
    client.send([&offer[..], b"ahead"].concat()).await;
    client.head().await.is(101);
    let mut parts = due(given).await.unwrap().downcast::<TcpStream>().unwrap();
    let mut read = parts.read_buf.to_vec();
    while read.len() < 5 {
        parts.io.read_buf(&mut read).await.unwrap();
    }
    assert_eq!(read, b"ahead");
    parts.io.write_all(b"answer").await.unwrap();
    client.expect("answer").await;
    assert_eq!(limit.live(), 1);
    drop(parts);
    client.expect_end().await;
    assert_eq!(limit.live(), 0);
}
