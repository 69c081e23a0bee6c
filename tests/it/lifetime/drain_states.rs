//! A drain that finds connections in every state.

use std::{future::pending, io, time::Duration};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex, split},
    sync::oneshot,
    time::{Instant, sleep},
};
use tower_upgrade::{Drain, Limit, Pending, RefusalKind, UpgradeLayer, observe::Cause};

use super::{
    clocks::is_after,
    drain::counts,
    offers::{Deciding, SECOND, connection, due, ends, layer, open, settle, status},
    record::Record,
};

/// A layer with a drain that was not started.
fn drained() -> (UpgradeLayer, Drain, Limit, Record) {
    let (drain, limit, record) = (Drain::new(), Limit::total(10), Record::default());
    let layer = layer()
        .drain(drain.clone())
        .limit(limit.clone())
        .observe(record.clone());
    (layer, drain, limit, record)
}

/// Checks that an I/O error says that a drain's deadline struck.
#[track_caller]
pub(super) fn is_drained<T: std::fmt::Debug>(result: io::Result<T>) {
    let error = result.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionAborted);
    assert_eq!(Cause::of(&error), Some(Cause::Drained));
}

#[tokio::test(start_paused = true)]
async fn while_the_service_decides_it_may_still_accept() {
    // The offer was let through before: it completes, and its handler sees the drain at once.
    let (layer, drain, _, record) = drained();
    let (mut client, handle) = connection();
    let deciding = Deciding::of(&layer, handle);
    let wait = tokio::spawn({
        let drain = drain.clone();
        async move { drain.wait(50 * SECOND).await }
    });
    sleep(SECOND).await;
    assert_eq!(drain.live(), 1);
    let on_upgrade = deciding.accept().await;
    let mut io = due(on_upgrade).await.unwrap();
    io.draining().now_or_never().unwrap();
    io.write_all(b"goodbye").await.unwrap();
    drop(io);
    let mut read = String::new();
    due(client.read_to_string(&mut read)).await.unwrap();
    assert_eq!(read, "goodbye");
    assert_eq!(counts(&due(wait).await.unwrap()), [1, 0, 0, 0]);
    let events = ["offered /", "accepted", "handed over", "closed Dropped"];
    assert_eq!(record.events(), events);
}

#[tokio::test(start_paused = true)]
async fn while_the_service_decides_it_may_still_decline() {
    // The twin: an ordinary answer is what it is, and the drain is done.
    let (layer, drain, ..) = drained();
    let (mut client, handle) = connection();
    let deciding = Deciding::of(&layer, handle);
    drain.start();
    let (on_upgrade, status) = deciding.answer(403).await;
    assert_eq!(status, 403);
    assert!(due(on_upgrade).await.unwrap_err().is_declined());
    ends(&mut client).await;
    let report = drain.wait(50 * SECOND).now_or_never().unwrap();
    assert_eq!(counts(&report), [1, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_decides_too_late_accepts_nothing() {
    // At the deadline before the answer: a 101 becomes 503, and whoever awaits is told.
    for (says, gets, kind) in [(101, 503, Some(RefusalKind::Draining)), (200, 200, None)] {
        let (layer, drain, limit, record) = drained();
        let (mut client, handle) = connection();
        let deciding = Deciding::of(&layer, handle);
        let awaiting = tokio::spawn(deciding.on_upgrade);
        settle().await;
        let report = due(drain.wait(5 * SECOND)).await;
        assert_eq!(counts(&report), [0, 1, 0, 0]);
        assert_eq!(limit.live(), 0);
        let error = due(awaiting).await.unwrap().unwrap_err();
        assert!(error.is_drained() && !error.is_timed_out(), "{error}");
        assert!(deciding.answer.send(Ok(status(says))).is_ok());
        let response = due(deciding.answering).await.unwrap();
        assert_eq!(response.status(), gets);
        let refusal = response.extensions().get::<tower_upgrade::Refusal>();
        assert_eq!(refusal.map(tower_upgrade::Refusal::kind), kind);
        let connection = response.headers().get("connection");
        assert_eq!(connection.is_some_and(|it| it == "close"), says == 101);
        ends(&mut client).await;
        assert_eq!(record.events(), ["offered /", "declined"]);
        assert_eq!(drain.report(), report);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_awaited_after_the_deadline_is_drained_too() {
    // The handler took its `OnUpgrade` and awaits it only then, before or after the answer.
    for answers_first in [true, false] {
        let (layer, drain, ..) = drained();
        let (mut client, handle) = connection();
        let deciding = Deciding::of(&layer, handle);
        due(drain.wait(5 * SECOND)).await;
        let mut on_upgrade = deciding.on_upgrade;
        if answers_first {
            assert!(deciding.answer.send(Ok(status(101))).is_ok());
            assert_eq!(due(deciding.answering).await.unwrap().status(), 503);
        }
        assert!(due(&mut on_upgrade).await.unwrap_err().is_drained());
        drop(on_upgrade);
        if answers_first {
            ends(&mut client).await;
        }
    }
}

/// A promise of a connection that is kept when it is told to be.
fn promise() -> (DuplexStream, Pending, oneshot::Sender<()>) {
    let (client, server) = duplex(64);
    let (comes, come) = oneshot::channel();
    let handle = Pending::new(async move {
        if come.await.is_err() {
            pending::<()>().await;
        }
        io::Result::Ok(server)
    });
    (client, handle, comes)
}

#[tokio::test(start_paused = true)]
async fn accepted_and_not_yet_handed_over_it_is_waited_for() {
    // The head is half sent, so to say: the connection comes while the drain waits.
    let (layer, drain, ..) = drained();
    let (mut client, handle, comes) = promise();
    let on_upgrade = Deciding::of(&layer, handle).accept().await;
    let start = Instant::now();
    let (report, ()) = tokio::join!(drain.wait(50 * SECOND), async {
        sleep(3 * SECOND).await;
        comes.send(()).unwrap();
        let io = due(on_upgrade).await.unwrap();
        io.draining().now_or_never().unwrap();
        sleep(SECOND).await;
    });
    is_after(start, 4 * SECOND);
    assert_eq!(counts(&report), [1, 0, 0, 0]);
    ends(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn accepted_and_not_yet_handed_over_it_is_closed_at_the_deadline() {
    // Whoever awaits it is told then, and what comes later is closed.
    let (layer, drain, limit, record) = drained();
    let (mut client, handle, comes) = promise();
    let on_upgrade = Deciding::of(&layer, handle).accept().await;
    let awaiting = tokio::spawn(on_upgrade);
    let report = due(drain.wait(5 * SECOND)).await;
    assert_eq!(counts(&report), [0, 1, 0, 0]);
    assert!(due(awaiting).await.unwrap().unwrap_err().is_drained());
    assert!(comes.is_closed(), "the promise was dropped");
    ends(&mut client).await;
    assert_eq!((limit.live(), drain.live()), (0, 0));
    assert_eq!(record.events(), ["offered /", "accepted", "closed Drained"]);
}

#[tokio::test(start_paused = true)]
async fn a_live_connection_is_closed_at_the_deadline() {
    // Both ends: reads and writes in different tasks, the permit, and the client.
    let (layer, drain, limit, record) = drained();
    let (mut client, mut io) = open(&layer).await;
    io.write_all(&[b'x'; 64]).await.unwrap();
    client.write_all(b"ping").await.unwrap();
    io.read_exact(&mut [0; 4]).await.unwrap();
    let (mut read, mut write) = split(io);
    let read = tokio::spawn(async move { read.read(&mut [0]).await });
    let write = tokio::spawn(async move { write.write(b"x").await });
    let start = Instant::now();
    sleep(SECOND).await;
    let report = due(drain.wait(5 * SECOND)).await;
    is_after(start, 6 * SECOND);
    assert_eq!(counts(&report), [0, 1, 0, 0]);
    assert!(report.took >= 5 * SECOND);
    is_drained(due(read).await.unwrap());
    is_drained(due(write).await.unwrap());
    assert_eq!((limit.live(), drain.live()), (0, 0));
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest.len(), 64, "what was sent before still arrives");
    let closing = record.closings()[0];
    assert_eq!((closing.received, closing.sent), (4, 64));
    assert_eq!(closing.cause, Cause::Drained);
}

#[tokio::test(start_paused = true)]
async fn a_half_closed_connection_is_live() {
    // Whichever half ended, the drain waits for the rest and closes it at the deadline.
    for by_client in [true, false] {
        for leaves in [true, false] {
            let (layer, drain, _, record) = drained();
            let (mut client, mut io) = open(&layer).await;
            if by_client {
                client.shutdown().await.unwrap();
                assert_eq!(io.read(&mut [0]).await.unwrap(), 0);
            } else {
                io.shutdown().await.unwrap();
                assert_eq!(client.read(&mut [0]).await.unwrap(), 0);
            }
            let waiting = drain.wait(5 * SECOND);
            let (report, ()) = tokio::join!(waiting, async {
                sleep(2 * SECOND).await;
                assert_eq!(drain.live(), 1);
                if leaves {
                    drop(io);
                } else {
                    sleep(4 * SECOND).await;
                    is_drained(io.write(b"x").await);
                }
            });
            assert_eq!(
                counts(&report),
                [usize::from(leaves), usize::from(!leaves), 0, 0]
            );
            let expected = match (leaves, by_client) {
                (false, _) => "Drained",
                (true, true) => "PeerEnded",
                (true, false) => "Dropped",
            };
            assert_eq!(record.only_closing().0, expected);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_may_be_faster_than_the_deadline() {
    // Then the connection ended by itself, as far as the drain is concerned.
    let (layer, drain, _, record) = drained();
    let (_client, _io) = open(&layer.idle_timeout(2 * SECOND)).await;
    let start = Instant::now();
    let report = due(drain.wait(5 * SECOND)).await;
    is_after(start, 2 * SECOND);
    assert_eq!(counts(&report), [1, 0, 0, 0]);
    assert_eq!(record.only_closing().0, "Expired(Idle)");
}

#[tokio::test(start_paused = true)]
async fn a_thousand_are_closed_at_once() {
    // Nobody waits for the one before.
    let drain = Drain::new();
    let layer = layer().drain(drain.clone());
    let mut live = Vec::new();
    for _ in 0..1000 {
        live.push(open(&layer).await);
    }
    let start = Instant::now();
    let report = due(drain.wait(5 * SECOND)).await;
    is_after(start, 5 * SECOND);
    assert_eq!(counts(&report), [0, 1000, 0, 0]);
    assert_eq!(drain.live(), 0);
    for (client, io) in &mut live {
        ends(client).await;
        is_drained(io.read(&mut [0]).await);
    }
    assert!(drain.report().took < 5 * SECOND + Duration::from_millis(10));
}
