//! Drains: what they refuse, whom they tell, how long they wait, and what they report.

use std::{
    pin::pin,
    time::{Duration, SystemTime},
};

use futures_util::FutureExt;
use http::Request;
use tokio::{
    io::AsyncReadExt,
    time::{Instant, sleep},
};
use tower::{Layer, Service};
use tower_upgrade::{Drain, DrainReport, Limit, Policy, Refusal, RefusalKind, UpgradeLayer};

use super::{
    clocks::is_after,
    offers::{
        SECOND, TICK, connect, connection, due, ends, layer, offer, open, protocol, refuses, serve,
    },
    record::Record,
};
use crate::echo::{Echo, PLAIN};

/// What a report counts: ended, closed, panicked and refused.
pub(super) fn counts(report: &DrainReport) -> [usize; 4] {
    [report.ended, report.closed, report.panicked, report.refused]
}

#[tokio::test(start_paused = true)]
async fn once_it_was_started_offers_are_refused() {
    // Rule 14: "Draining → 503 with `Connection: close` before any 101".
    let (drain, limit) = (Drain::new(), Limit::total(0));
    let layer = layer().drain(drain.clone()).limit(limit);
    // The twin: until then it is the limit that refuses.
    let response = refuses(&layer, 503).await;
    assert_eq!(response.headers()["retry-after"], "10");
    assert!(!drain.is_started());
    drain.start();
    assert!(drain.is_started());
    for _ in 0..3 {
        let response = refuses(&layer, 503).await;
        assert_eq!(response.headers()["connection"], "close");
        assert!(!response.headers().contains_key("retry-after"));
        let refusal = response.extensions().get::<Refusal>().unwrap();
        assert_eq!(refusal.kind(), RefusalKind::Draining);
    }
    assert_eq!(counts(&drain.report()), [0, 0, 0, 3]);
}

#[tokio::test(start_paused = true)]
async fn over_http2_a_refusal_has_no_connection_field() {
    // It does not exist there (RFC 9113 8.2.2); hyper would take it off, with a warning each.
    let drain = Drain::new();
    drain.start();
    let service = layer().drain(drain).layer(Echo::default());
    for (request, expected) in [
        (connect(connection().1), None),
        // The twin.
        (offer(connection().1), Some("close")),
    ] {
        let response = service.clone().call(request).await.unwrap();
        assert_eq!(response.status(), 503);
        let connection = response.headers().get("connection");
        assert_eq!(connection.map(|it| it.to_str().unwrap()), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_accepted_offer_passes_as_before() {
    // "Requests without an offer pass as before", and a bad offer is told what is wrong with it.
    let drain = Drain::new();
    drain.start();
    for (policy, request, status) in [
        (Policy::offer(protocol()), Request::default(), 200),
        (Policy::forbid(), offer(connection().1), 200),
        (Policy::require(protocol()), Request::default(), 426),
        (Policy::offer(protocol()), offer(connection().1), 503),
    ] {
        let echo = Echo::default();
        let layer = UpgradeLayer::new(policy).drain(drain.clone());
        let response = layer.layer(echo.clone()).call(request).await.unwrap();
        assert_eq!(response.status(), status);
        assert_eq!(echo.calls(), usize::from(status == 200));
        if status == 200 {
            let content = http_body_util::BodyExt::collect(response.into_body());
            assert_eq!(content.await.unwrap().to_bytes(), PLAIN);
        }
    }
    assert_eq!(drain.report().refused, 1);
}

#[tokio::test(start_paused = true)]
async fn every_live_connection_is_told() {
    // "`Upgraded::draining()` resolves in every live connection", as often as it is asked for.
    let drain = Drain::new();
    let layer = layer().drain(drain.clone());
    let (_client, io) = open(&layer).await;
    let (_client, other) = open(&layer).await;
    let mut polled = pin!(io.draining());
    assert!(polled.as_mut().now_or_never().is_none());
    let waits = tokio::spawn(other.draining());
    let started = tokio::spawn(drain.started());
    sleep(100 * SECOND).await;
    assert!(!waits.is_finished() && !started.is_finished());
    drain.start();
    due(waits).await.unwrap();
    due(started).await.unwrap();
    polled.now_or_never().unwrap();
    io.draining().now_or_never().unwrap();
    drain.started().now_or_never().unwrap();
    // They are told and no more: bytes go on.
    drop((io, other));
}

#[tokio::test(start_paused = true)]
async fn without_a_drain_nothing_is_ever_told() {
    // Neither in a bare connection nor in one with limits.
    for layer in [layer(), layer().limit(Limit::total(1))] {
        let (_client, io) = open(&layer).await;
        let told = tokio::time::timeout(100 * SECOND, io.draining());
        assert!(told.await.is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_is_over_as_soon_as_the_last_is_gone() {
    // "returns when all are gone", not at the deadline.
    let drain = Drain::new();
    let layer = layer().drain(drain.clone());
    let start = Instant::now();
    for seconds in 1..=5 {
        let (client, io) = open(&layer).await;
        tokio::spawn(async move {
            sleep(seconds * SECOND).await;
            drop((client, io));
        });
    }
    assert_eq!(drain.live(), 5);
    let report = due(drain.wait(50 * SECOND)).await;
    is_after(start, 5 * SECOND);
    assert_eq!(counts(&report), [5, 0, 0, 0]);
    assert!(report.took >= 5 * SECOND && report.took <= 5 * SECOND + TICK);
    assert_eq!(drain.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn with_nobody_there_it_waits_for_nobody() {
    // Whether there never was a connection, or the last is gone.
    for had_one in [false, true] {
        let drain = Drain::new();
        if had_one {
            open(&layer().drain(drain.clone())).await;
        }
        sleep(SECOND).await;
        let report = drain.wait(50 * SECOND).now_or_never().unwrap();
        assert_eq!((counts(&report), report.took), ([0; 4], Duration::ZERO));
        assert!(report.since.unwrap() <= SystemTime::now());
        // It took no longer for being asked later.
        sleep(100 * SECOND).await;
        assert_eq!(drain.report(), report);
    }
}

#[tokio::test(start_paused = true)]
async fn until_it_is_started_there_is_nothing_to_report() {
    // "all zero before", whatever came and went.
    let drain = Drain::new();
    let layer = layer().drain(drain.clone());
    let (_client, _live) = open(&layer).await;
    open(&layer).await;
    serve(&layer, |_| async { panic!("on purpose") }).await;
    assert_eq!(drain.report(), DrainReport::default());
    assert_eq!(drain.report().since, None);
    drain.start();
    assert_eq!(counts(&drain.report()), [0; 4]);
    assert!(drain.report().since.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_report_tells_how_long_it_has_taken() {
    // From the first start on; more starts do nothing.
    let drain = Drain::new();
    let (_client, io) = open(&layer().drain(drain.clone())).await;
    drain.start();
    let since = drain.report().since;
    sleep(2 * SECOND).await;
    drain.start();
    assert_eq!(drain.report().since, since);
    assert!(drain.report().took >= 2 * SECOND && drain.report().took <= 2 * SECOND + TICK);
    sleep(SECOND).await;
    drop(io);
    let report = drain.report();
    assert!(report.took >= 3 * SECOND && report.took <= 3 * SECOND + 2 * TICK);
    sleep(SECOND).await;
    assert_eq!(drain.report(), report);
}

#[tokio::test(start_paused = true)]
async fn of_several_who_wait_the_first_deadline_counts() {
    // "Of several callers the first deadline counts for all", and all get the same report.
    let drain = Drain::new();
    let (mut client, _io) = open(&layer().drain(drain.clone())).await;
    let start = Instant::now();
    let short = async {
        sleep(SECOND).await;
        drain.wait(4 * SECOND).await
    };
    let (long, short, endless) = tokio::join!(
        drain.wait(50 * SECOND),
        short,
        due(drain.wait(Duration::MAX)),
    );
    is_after(start, 5 * SECOND);
    assert_eq!(counts(&long), [0, 1, 0, 0]);
    assert_eq!((short, endless), (long, long));
    ends(&mut client).await;
    // And once more, when all is over.
    assert_eq!(drain.wait(SECOND).now_or_never(), Some(long));
}

#[tokio::test(start_paused = true)]
async fn waiting_that_is_left_closes_nothing() {
    // Cancel safety: "Dropped, it closes nothing; the drain stays started."
    let drain = Drain::new();
    let layer = layer().drain(drain.clone());
    let (mut client, mut io) = open(&layer).await;
    let left = tokio::time::timeout(SECOND, drain.wait(5 * SECOND)).await;
    assert!(left.is_err() && drain.is_started());
    sleep(100 * SECOND).await;
    tokio::io::AsyncWriteExt::write_all(&mut client, b"x")
        .await
        .unwrap();
    assert_eq!(io.read(&mut [0]).await.unwrap(), 1);
    refuses(&layer, 503).await;
    assert_eq!(counts(&drain.report()), [0, 0, 0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_of_no_time_closes_at_once() {
    // `Duration::ZERO` is allowed: there is no goodbye.
    let drain = Drain::new();
    let (mut client, _io) = open(&layer().drain(drain.clone())).await;
    let report = due(drain.wait(Duration::ZERO)).await;
    assert_eq!(counts(&report), [0, 1, 0, 0]);
    ends(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_layers_one_drain_sees_to_both() {
    // "Given to any number of layers"; another layer is none of its business.
    let (drain, other) = (Drain::new(), Drain::new());
    let layers = [layer(), layer().limit(Limit::total(5))].map(|l| l.drain(drain.clone()));
    let (_client, first) = open(&layers[0]).await;
    let (_client, second) = open(&layers[1]).await;
    let apart = layer().drain(drain.clone()).drain(other.clone());
    let (_client, third) = open(&apart).await;
    assert_eq!((drain.live(), other.live()), (2, 1));
    drain.start();
    first.draining().now_or_never().unwrap();
    second.draining().now_or_never().unwrap();
    assert!(third.draining().now_or_never().is_none());
    refuses(&layers[0], 503).await;
    refuses(&layers[1], 503).await;
    open(&apart).await;
    drop((first, second));
    let report = due(drain.wait(50 * SECOND)).await;
    assert_eq!(counts(&report), [2, 0, 0, 2]);
    assert_eq!(other.live(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_signal_starts_it() {
    // `shutdown`: nothing before the signal, and all of `wait` after it.
    let (drain, record) = (Drain::new(), Record::default());
    let layer = layer().drain(drain.clone()).observe(record.clone());
    let (mut client, _io) = open(&layer).await;
    let start = Instant::now();
    let shutdown = tokio::spawn(drain.clone().shutdown(sleep(3 * SECOND), 4 * SECOND));
    sleep(2 * SECOND).await;
    assert!(!drain.is_started());
    ends(&mut client).await;
    is_after(start, 7 * SECOND);
    due(shutdown).await.unwrap();
    assert_eq!(counts(&drain.report()), [0, 1, 0, 0]);
    assert_eq!(record.only_closing().0, "Drained");
}

#[tokio::test(start_paused = true)]
async fn a_report_says_what_became_of_all() {
    // Its numbers, and what it prints.
    let drain = Drain::new();
    let layer = layer().drain(drain.clone());
    let mut clients = Vec::new();
    for n in 0..6_u64 {
        clients.push(
            serve(&layer, move |io| async move {
                match n {
                    0..3 => io.draining().await,
                    3 => {
                        io.draining().await;
                        panic!("on purpose");
                    }
                    _ => std::future::pending().await,
                }
            })
            .await,
        );
    }
    drain.start();
    refuses(&layer, 503).await;
    let report = due(drain.wait(5 * SECOND)).await;
    assert_eq!(counts(&report), [3, 2, 1, 1]);
    let said = report.to_string();
    assert_eq!(
        said,
        "drained in 5.0s: 3 ended, 2 closed at the deadline, 1 panicked, 1 turned away"
    );
    let debugged = format!("{drain:?}");
    assert_eq!(debugged, "Drain { started: true, live: 0 }");
}
