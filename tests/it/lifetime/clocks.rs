//! Clocks: when they run out, and what either end sees then.

use std::{
    io::{self, ErrorKind, IoSlice},
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, split},
    time::{Instant, sleep},
};
use tower_upgrade::{
    Limit, Pending, UpgradeLayer, Upgraded,
    observe::{Cause, Clock},
};

use super::{
    offers::{Deciding, SECOND, TICK, connection, due, ends, layer, open, refuses, settle},
    record::Record,
};

/// Checks that an I/O error says which clock ran out.
#[track_caller]
pub(super) fn is_of<T: std::fmt::Debug>(result: io::Result<T>, clock: Clock) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    assert_eq!(Cause::of(&error), Some(Cause::Expired(clock)));
}

/// Checks that it is now so long after a time, and hardly longer.
#[track_caller]
pub(super) fn is_after(since: Instant, expected: Duration) {
    let elapsed = since.elapsed();
    assert!(
        elapsed >= expected && elapsed <= expected + TICK,
        "{elapsed:?}, not {expected:?}"
    );
}

/// A layer for each clock of an open connection that runs out after five seconds if nothing is done.
fn each() -> [(Clock, UpgradeLayer); 3] {
    [
        (Clock::FirstByte, layer().first_byte_timeout(5 * SECOND)),
        (Clock::Idle, layer().idle_timeout(5 * SECOND)),
        (Clock::Lifetime, layer().max_lifetime(5 * SECOND)),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_polls_loses_its_connection_at_the_deadline() {
    // The socket closes, and the permit returns, though nobody reads or writes.
    for (clock, layer) in each() {
        let (limit, record) = (Limit::total(1), Record::default());
        let layer = layer.limit(limit.clone()).observe(record.clone());
        let start = Instant::now();
        let (mut client, mut io) = open(&layer).await;
        refuses(&layer, 503).await;
        ends(&mut client).await;
        is_after(start, 5 * SECOND);
        assert_eq!(limit.live(), 0, "{clock:?}");
        assert_eq!(
            client.write(b"x").await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        let (cause, duration) = record.only_closing();
        assert_eq!(cause, format!("Expired({clock:?})"));
        assert!(
            duration >= 5 * SECOND && duration <= 5 * SECOND + TICK,
            "{duration:?}"
        );
        // The next gets in while the last still holds what is left of his.
        let _next = open(&layer).await;
        is_of(io.read(&mut [0]).await, clock);
        is_of(io.write(b"x").await, clock);
    }
}

#[tokio::test(start_paused = true)]
async fn every_way_to_read_or_write_says_which_clock() {
    // "ends with an error that says which clock, on read and on write", as often as it is asked.
    for (clock, layer) in each() {
        let (mut client, mut io) = open(&layer).await;
        ends(&mut client).await;
        for _ in 0..2 {
            is_of(io.read(&mut [0]).await, clock);
            is_of(io.read(&mut []).await, clock);
            is_of(io.write(b"x").await, clock);
            is_of(io.write_vectored(&[IoSlice::new(b"x")]).await, clock);
            is_of(io.flush().await, clock);
            is_of(io.shutdown().await, clock);
            let mut hypers = hyper_util::rt::TokioIo::new(&mut io);
            is_of(hypers.read(&mut [0]).await, clock);
            is_of(hypers.write(b"x").await, clock);
        }
        let error = io.read(&mut [0]).await.unwrap_err();
        let said = error.to_string();
        assert!(
            said.starts_with("the ") && !said.contains("closed"),
            "{said}"
        );
    }
}

/// Fills what is on the way, so that the next write waits.
async fn fill(io: &mut Upgraded) {
    while io.write(&[0; 64]).now_or_never().is_some() {}
}

#[tokio::test(start_paused = true)]
async fn both_halves_are_woken_with_the_error() {
    // One task waits to read and another to write; both are told.
    for (clock, layer) in each() {
        let (_client, mut io) = open(&layer).await;
        let start = Instant::now();
        fill(&mut io).await;
        let (mut read, mut write) = split(io);
        let read = tokio::spawn(async move { read.read(&mut [0]).await });
        let write = tokio::spawn(async move { write.write(b"x").await });
        is_of(due(read).await.unwrap(), clock);
        is_of(due(write).await.unwrap(), clock);
        is_after(start, 5 * SECOND);
    }
}

/// Moves one byte to the server's end, or from there.
async fn moves(io: &mut Upgraded, client: &mut DuplexStream, to_server: bool) {
    if to_server {
        client.write_all(b"x").await.unwrap();
        assert_eq!(due(io.read(&mut [0; 8])).await.unwrap(), 1);
    } else {
        io.write_all(b"x").await.unwrap();
        assert_eq!(due(client.read(&mut [0; 8])).await.unwrap(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_byte_either_way_puts_idleness_off() {
    // "idle timeout in either direction": it closes so long after the last byte, not before and not later.
    for to_server in [true, false] {
        let (mut client, mut io) = open(&layer().idle_timeout(5 * SECOND)).await;
        // Shortly before the deadline, at odd moments, and several in one period.
        for pause in [4_999, 1, 2_500, 3_777, 4_998] {
            sleep(Duration::from_millis(pause)).await;
            moves(&mut io, &mut client, to_server).await;
        }
        let last = Instant::now();
        ends(&mut client).await;
        is_after(last, 5 * SECOND);
        is_of(io.read(&mut [0]).await, Clock::Idle);
    }
}

#[tokio::test(start_paused = true)]
async fn what_moves_no_byte_puts_nothing_off() {
    // Polling, flushing, empty writes and ends are no sign of life.
    let (mut client, mut io) = open(&layer().idle_timeout(5 * SECOND)).await;
    let start = Instant::now();
    sleep(3 * SECOND).await;
    assert!(io.read(&mut [0]).now_or_never().is_none());
    assert_eq!(io.write(&[]).await.unwrap(), 0);
    io.flush().await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(io.read(&mut [0]).await.unwrap(), 0);
    ends(&mut client).await;
    is_after(start, 5 * SECOND);
    is_of(io.write(b"x").await, Clock::Idle);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_nobody_reads_are_no_activity() {
    // "Bytes count when the handler reads or writes them."
    let (mut client, mut io) = open(&layer().idle_timeout(5 * SECOND)).await;
    let start = Instant::now();
    sleep(3 * SECOND).await;
    client.write_all(b"x").await.unwrap();
    ends(&mut client).await;
    is_after(start, 5 * SECOND);
    is_of(io.read(&mut [0]).await, Clock::Idle);
}

#[tokio::test(start_paused = true)]
async fn the_first_byte_stops_its_clock() {
    // The twin of the clock that runs out; bytes that the server sends are none of the client's.
    let layer = layer().first_byte_timeout(5 * SECOND);
    let (mut client, mut io) = open(&layer).await;
    sleep(Duration::from_millis(4_999)).await;
    moves(&mut io, &mut client, true).await;
    sleep(3600 * SECOND).await;
    moves(&mut io, &mut client, false).await;

    let (mut client, mut io) = open(&layer).await;
    let start = Instant::now();
    for _ in 0..4 {
        sleep(SECOND).await;
        moves(&mut io, &mut client, false).await;
    }
    ends(&mut client).await;
    is_after(start, 5 * SECOND);
    is_of(io.read(&mut [0]).await, Clock::FirstByte);
}

#[tokio::test(start_paused = true)]
async fn a_lifetime_ends_whatever_it_does() {
    // Activity does not count.
    let (mut client, mut io) = open(&layer().max_lifetime(5 * SECOND)).await;
    let start = Instant::now();
    let echo = tokio::spawn(async move {
        let mut buffer = [0; 8];
        loop {
            let length = io.read(&mut buffer).await?;
            io.write_all(&buffer[..length]).await?;
        }
        #[expect(unreachable_code, reason = "it names the type")]
        io::Result::Ok(())
    });
    for _ in 0..100 {
        if client.write_all(b"x").await.is_err() || client.read(&mut [0]).await.unwrap() == 0 {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    assert!(start.elapsed() >= 5 * SECOND);
    assert!(start.elapsed() <= 5 * SECOND + Duration::from_millis(100));
    is_of(due(echo).await.unwrap(), Clock::Lifetime);
}

#[tokio::test(start_paused = true)]
async fn of_several_clocks_the_first_to_run_out_counts() {
    // First the first byte, then idleness, and a lifetime at last.
    let layer = layer()
        .first_byte_timeout(2 * SECOND)
        .idle_timeout(5 * SECOND)
        .max_lifetime(9 * SECOND);
    for (bytes, clock, after) in [
        (vec![], Clock::FirstByte, 2),
        (vec![1], Clock::Idle, 6),
        (vec![1, 2, 3], Clock::Lifetime, 9),
    ] {
        let (mut client, mut io) = open(&layer).await;
        let start = Instant::now();
        for pause in bytes {
            sleep(pause * SECOND).await;
            moves(&mut io, &mut client, true).await;
        }
        ends(&mut client).await;
        is_after(start, after * SECOND);
        is_of(io.read(&mut [0]).await, clock);
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_never_runs_out_is_none() {
    // `Duration::MAX` is as good as no clock.
    let layer = layer()
        .hand_over_timeout(Duration::MAX)
        .first_byte_timeout(Duration::MAX)
        .idle_timeout(Duration::MAX)
        .max_lifetime(Duration::MAX);
    let (mut client, mut io) = open(&layer).await;
    sleep(100_000 * SECOND).await;
    moves(&mut io, &mut client, true).await;
    moves(&mut io, &mut client, false).await;
}

#[tokio::test(start_paused = true)]
async fn a_clock_of_no_time_has_run_out_at_once() {
    // `Duration::ZERO` closes what it can close first.
    for (clock, layer) in [
        (Clock::FirstByte, layer().first_byte_timeout(Duration::ZERO)),
        (Clock::Idle, layer().idle_timeout(Duration::ZERO)),
        (Clock::Lifetime, layer().max_lifetime(Duration::ZERO)),
    ] {
        let limit = Limit::total(1);
        let (mut client, mut io) = open(&layer.limit(limit.clone())).await;
        ends(&mut client).await;
        is_of(io.read(&mut [0]).await, clock);
        assert_eq!(limit.live(), 0);
    }
    let (mut client, handle) = connection();
    let layer = layer().hand_over_timeout(Duration::ZERO);
    let on_upgrade = Deciding::of(&layer, handle).accept().await;
    assert!(due(on_upgrade).await.unwrap_err().is_timed_out());
    ends(&mut client).await;
}

/// A promise that is never kept, which holds on to its end of a connection.
fn never() -> (DuplexStream, Pending) {
    let (client, server) = tokio::io::duplex(64);
    let handle = Pending::new(async move {
        std::future::pending::<()>().await;
        io::Result::Ok(server)
    });
    (client, handle)
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_comes_is_given_up() {
    // The 101 was sent and the server does not hand over; "which is 30 s unless this is set".
    for (timeout, layer) in [(5, layer().hand_over_timeout(5 * SECOND)), (30, layer())] {
        let (limit, record) = (Limit::total(1), Record::default());
        let layer = layer.limit(limit.clone()).observe(record.clone());
        let (mut client, handle) = never();
        let start = Instant::now();
        let on_upgrade = Deciding::of(&layer, handle).accept().await;
        refuses(&layer, 503).await;
        let error = due(on_upgrade).await.unwrap_err();
        assert!(error.is_timed_out() && !error.is_canceled(), "{error}");
        is_after(start, timeout * SECOND);
        assert_eq!(limit.live(), 0);
        let (cause, duration) = record.only_closing();
        assert_eq!(cause, "Expired(HandOver)");
        assert!(duration >= timeout * SECOND && duration <= timeout * SECOND + TICK);
        ends(&mut client).await;
        open(&layer).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_awaits_is_given_up() {
    // The handler took its `OnUpgrade`, accepted, and does something else for ever.
    let limit = Limit::total(1);
    let layer = layer().limit(limit.clone()).hand_over_timeout(5 * SECOND);
    for polls in [0, 1] {
        let (mut client, handle) = never();
        let mut on_upgrade = Deciding::of(&layer, handle).accept().await;
        for _ in 0..polls {
            assert!((&mut on_upgrade).now_or_never().is_none());
        }
        sleep(4 * SECOND).await;
        assert_eq!(limit.live(), 1);
        sleep(SECOND + TICK).await;
        assert_eq!(limit.live(), 0);
        assert!(due(&mut on_upgrade).await.unwrap_err().is_timed_out());
        assert!(due(on_upgrade).await.unwrap_err().is_taken());
        ends(&mut client).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_in_time_is_handed_over() {
    // The twin: its other clocks begin when it comes.
    let (mut client, server) = tokio::io::duplex(64);
    let handle = Pending::new(async {
        sleep(Duration::from_millis(4_990)).await;
        io::Result::Ok(server)
    });
    let layer = layer()
        .hand_over_timeout(5 * SECOND)
        .max_lifetime(7 * SECOND);
    let on_upgrade = Deciding::of(&layer, handle).accept().await;
    let mut io = due(on_upgrade).await.unwrap();
    let start = Instant::now();
    ends(&mut client).await;
    is_after(start, 7 * SECOND);
    is_of(io.read(&mut [0]).await, Clock::Lifetime);
}

#[tokio::test(start_paused = true)]
async fn while_the_service_decides_no_clock_runs() {
    // How long a handler may think is for a timeout around the layer to say.
    let layer = layer()
        .hand_over_timeout(SECOND)
        .first_byte_timeout(SECOND)
        .idle_timeout(SECOND)
        .max_lifetime(SECOND);
    let (_client, handle) = connection();
    let deciding = Deciding::of(&layer, handle);
    sleep(3600 * SECOND).await;
    let on_upgrade = deciding.accept().await;
    let mut io = due(on_upgrade).await.unwrap();
    assert!(io.read(&mut [0]).now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_dropped_leaves_no_clock() {
    // Whoever is first says why: a clock that would have run out later tells nobody.
    let record = Record::default();
    let layer = layer().idle_timeout(5 * SECOND).observe(record.clone());
    let (_client, io) = open(&layer).await;
    drop(io);
    sleep(3600 * SECOND).await;
    settle().await;
    assert_eq!(record.only_closing(), ("Dropped".into(), Duration::ZERO));
}
