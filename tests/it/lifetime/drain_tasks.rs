//! Handlers in the task of `accept`, and how a drain ends them.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::FutureExt;
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    time::{Instant, sleep},
};
use tower::{Layer, Service, service_fn};
use tower_upgrade::{Drain, OnUpgrade, Upgraded};

use super::{
    clocks::is_after,
    drain::counts,
    drain_states::is_drained,
    offers::{Offer, SECOND, connection, due, ends, layer, offer, serve, settle},
    record::Record,
};
use crate::server::AnyError;

/// Tells when it was dropped.
struct Flag(Arc<AtomicBool>);

impl Flag {
    fn new() -> (Self, impl Fn() -> bool) {
        let raised = Arc::new(AtomicBool::new(false));
        let flag = Self(Arc::clone(&raised));
        (flag, move || raised.load(Ordering::SeqCst))
    }
}

impl Drop for Flag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ignores_everything_is_dropped_at_the_deadline() {
    // It neither reads nor asks for `draining`; what it holds is dropped with it.
    let (drain, record) = (Drain::new(), Record::default());
    let layer = layer().drain(drain.clone()).observe(record.clone());
    let (flag, is_dropped) = Flag::new();
    let mut client = serve(&layer, |io| async move {
        let _held = (io, flag);
        pending::<()>().await;
    })
    .await;
    let start = Instant::now();
    let waiting = tokio::spawn({
        let drain = drain.clone();
        async move { drain.wait(5 * SECOND).await }
    });
    sleep(4 * SECOND).await;
    assert!(!is_dropped());
    let report = due(waiting).await.unwrap();
    is_after(start, 5 * SECOND);
    assert!(is_dropped(), "before the report");
    assert_eq!((counts(&report), drain.live()), ([0, 1, 0, 0], 0));
    ends(&mut client).await;
    assert_eq!(record.only_closing().0, "Drained");
}

/// What a handler does with its connection before it ignores everything.
#[derive(Clone, Copy, Debug)]
enum Does {
    DropsIt,
    LetsItRunOut,
    LeasesIt,
    GivesItAway,
}

#[tokio::test(start_paused = true)]
async fn so_is_one_whose_connection_is_gone_already() {
    // "waits for the task to end, and at its deadline polls it once more and drops it", whatever became
    // of the connection before.
    for (does, expected) in [
        (Does::DropsIt, [0, 1, 0, 0]),
        (Does::LetsItRunOut, [0, 1, 0, 0]),
        (Does::LeasesIt, [0, 1, 0, 0]),
        (Does::GivesItAway, [0, 1, 0, 0]),
    ] {
        let drain = Drain::new();
        let layer = layer().drain(drain.clone()).idle_timeout(2 * SECOND);
        let (flag, is_dropped) = Flag::new();
        let (away, given) = oneshot::channel::<Upgraded>();
        let mut client = serve(&layer, move |io| async move {
            let _flag = flag;
            let _held: Box<dyn Send> = match does {
                Does::DropsIt => {
                    drop(io);
                    Box::new(())
                }
                Does::LetsItRunOut => Box::new(io),
                Does::LeasesIt => Box::new(io.downcast::<tokio::io::DuplexStream>().unwrap()),
                Does::GivesItAway => Box::new(away.send(io)),
            };
            pending::<()>().await;
        })
        .await;
        if !matches!(does, Does::GivesItAway | Does::LeasesIt) {
            sleep(3 * SECOND).await;
            ends(&mut client).await;
        }
        assert_eq!(drain.live(), 1, "{does:?}");
        let start = Instant::now();
        let report = due(drain.wait(SECOND)).await;
        is_after(start, SECOND);
        assert!(is_dropped(), "{does:?}");
        assert_eq!((counts(&report), drain.live()), (expected, 0), "{does:?}");
        ends(&mut client).await;
        drop(given);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_ends_itself_is_waited_for() {
    // The twin: it says goodbye in its own protocol, and is not cut off.
    let drain = Drain::new();
    let mut client = serve(&layer().drain(drain.clone()), |mut io| async move {
        io.draining().await;
        sleep(2 * SECOND).await;
        io.write_all(b"goodbye").await.unwrap();
    })
    .await;
    let start = Instant::now();
    let report = due(drain.wait(50 * SECOND)).await;
    is_after(start, 2 * SECOND);
    assert_eq!(counts(&report), [1, 0, 0, 0]);
    let mut read = String::new();
    client.read_to_string(&mut read).await.unwrap();
    assert_eq!(read, "goodbye");
}

#[tokio::test(start_paused = true)]
async fn a_task_counts_until_it_ends() {
    // Even when it dropped its connection long before: it may still write to a database.
    let (drain, record) = (Drain::new(), Record::default());
    let layer = layer().drain(drain.clone()).observe(record.clone());
    let mut client = serve(&layer, |io| async move {
        drop(io);
        sleep(3 * SECOND).await;
    })
    .await;
    ends(&mut client).await;
    assert_eq!(record.events().last().unwrap(), "closed Dropped");
    assert_eq!(drain.live(), 1);
    let start = Instant::now();
    let report = due(drain.wait(50 * SECOND)).await;
    is_after(start, 3 * SECOND);
    assert_eq!(counts(&report), [1, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_counts_after_its_task() {
    // The other way round: the handler gave it to somebody else, and is done.
    let drain = Drain::new();
    let (away, given) = oneshot::channel();
    let _client = serve(&layer().drain(drain.clone()), |io| async move {
        drop(away.send(io));
    })
    .await;
    let io = due(given).await.unwrap();
    assert_eq!(drain.live(), 1);
    let start = Instant::now();
    let (report, ()) = tokio::join!(drain.wait(50 * SECOND), async {
        sleep(3 * SECOND).await;
        drop(io);
    });
    is_after(start, 3 * SECOND);
    assert_eq!(counts(&report), [1, 0, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn the_last_poll_sees_the_error() {
    // "polled once more and dropped": a handler that reads can still note why it ends, but not go on.
    let drain = Drain::new();
    let (send, seen) = oneshot::channel();
    let (flag, is_dropped) = Flag::new();
    let _client = serve(&layer().drain(drain.clone()), |mut io| async move {
        let _flag = flag;
        drop(send.send(io.read(&mut [0]).await));
        sleep(SECOND).await;
        unreachable!("it was dropped where it waits");
    })
    .await;
    let start = Instant::now();
    due(drain.wait(5 * SECOND)).await;
    is_after(start, 5 * SECOND);
    is_drained(due(seen).await.unwrap());
    assert!(is_dropped());
    sleep(2 * SECOND).await;
}

#[tokio::test(start_paused = true)]
async fn a_task_that_still_waits_for_its_connection_is_dropped() {
    // Accepted and not yet handed over, or not even answered.
    for answers in [true, false] {
        let drain = Drain::new();
        let (flag, is_dropped) = Flag::new();
        let never =
            tower_upgrade::Pending::new(pending::<std::io::Result<tokio::io::DuplexStream>>());
        let deciding = super::offers::Deciding::of(&layer().drain(drain.clone()), never);
        let response: Response<String> = deciding.on_upgrade.accept(|_| async move {
            drop(flag);
            unreachable!("no connection comes");
        });
        if answers {
            assert!(deciding.answer.send(Ok(response)).is_ok());
            assert_eq!(due(deciding.answering).await.unwrap().status(), 101);
        }
        settle().await;
        assert_eq!(drain.live(), 1);
        let report = due(drain.wait(5 * SECOND)).await;
        assert_eq!((counts(&report), drain.live()), ([0, 1, 0, 0], 0));
        assert!(is_dropped());
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_taker_does_not_end_the_watch_over_the_first() {
    // Rule 21: what the second gets fails, and takes nothing from the first.
    let drain = Drain::new();
    let (flag, is_dropped) = Flag::new();
    let mut flag = Some(flag);
    let mut service = layer()
        .drain(drain.clone())
        .layer(service_fn(|request: Offer| {
            let (mut first, mut second) = (request.clone(), request);
            let first = OnUpgrade::take(&mut first).unwrap();
            let second = OnUpgrade::take(&mut second).unwrap();
            let flag = flag.take();
            let answer: Response<String> = first.accept(|io| async move {
                let _held = flag;
                drop(io);
                pending::<()>().await;
            });
            let _: Response<String> = second.accept(|_| async { unreachable!() });
            async { Ok::<_, AnyError>(answer) }
        }));
    let (mut client, handle) = connection();
    let request: Request<()> = offer(handle);
    assert_eq!(service.call(request).await.unwrap().status(), 101);
    settle().await;
    ends(&mut client).await;
    assert_eq!(drain.live(), 1, "the first task runs");
    assert!(drain.wait(SECOND).now_or_never().is_none());
    due(drain.wait(SECOND)).await;
    assert!(is_dropped());
}
