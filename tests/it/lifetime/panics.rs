//! Handlers that panic: what is told, and what goes on.

use std::future::pending;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
    time::sleep,
};
use tower::Layer;
use tower_upgrade::{Drain, Limit, OnUpgrade};

use super::{
    drain::counts,
    offers::{SECOND, due, ends, layer, serve, settle},
    record::Record,
};
use crate::{
    http2::{self, connect},
    server,
    wire::{Client, Request},
};

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_the_cause() {
    // "catches panics into the closing report", with what was read and written before.
    let (limit, record) = (Limit::total(1), Record::default());
    let layer = layer().limit(limit.clone()).observe(record.clone());
    let mut client = serve(&layer, |mut io| async move {
        io.read_exact(&mut [0; 4]).await.unwrap();
        io.write_all(b"pong!").await.unwrap();
        panic!("on purpose");
    })
    .await;
    sleep(SECOND).await;
    client.write_all(b"ping").await.unwrap();
    let mut read = String::new();
    due(client.read_to_string(&mut read)).await.unwrap();
    assert_eq!(read, "pong!");
    assert_eq!(record.only_closing().0, "Panicked");
    let closing = record.closings()[0];
    assert_eq!((closing.received, closing.sent), (4, 5));
    assert!(closing.duration >= SECOND);
    assert_eq!(limit.live(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_panic_counts_more_than_what_came_before() {
    // The client ended, the handler did not expect that.
    let record = Record::default();
    let client = serve(&layer().observe(record.clone()), |mut io| async move {
        io.read_exact(&mut [0; 4]).await.expect("on purpose");
    })
    .await;
    drop(client);
    settle().await;
    assert_eq!(record.only_closing().0, "Panicked");
}

#[tokio::test(start_paused = true)]
async fn a_panic_after_the_end_changes_nothing_for_observers() {
    // The connection was closed and told; a drain, which waits for the task, counts the panic.
    let (drain, record) = (Drain::new(), Record::default());
    let layer = layer().drain(drain.clone()).observe(record.clone());
    let mut client = serve(&layer, |io| async move {
        drop(io);
        sleep(SECOND).await;
        panic!("on purpose");
    })
    .await;
    ends(&mut client).await;
    assert_eq!(record.only_closing().0, "Dropped");
    let report = due(drain.wait(5 * SECOND)).await;
    assert_eq!(counts(&report), [0, 0, 1, 0]);
    assert_eq!(record.closings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_somebody_else_has_the_connection_is_told_at_its_end() {
    // It goes on until that one drops it.
    let (drain, record) = (Drain::new(), Record::default());
    let layer = layer().drain(drain.clone()).observe(record.clone());
    let (away, given) = oneshot::channel();
    let mut client = serve(&layer, |io| async move {
        drop(away.send(io));
        panic!("on purpose");
    })
    .await;
    let mut io = due(given).await.unwrap();
    io.write_all(b"x").await.unwrap();
    assert_eq!(client.read(&mut [0]).await.unwrap(), 1);
    assert!(record.closings().is_empty());
    drain.start();
    drop(io);
    assert_eq!(record.only_closing().0, "Panicked");
    assert_eq!(counts(&drain.report()), [0, 0, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_last_poll_is_no_other_end() {
    // It was closed at the deadline, and whatever its handler made of that comes after.
    let (drain, record) = (Drain::new(), Record::default());
    let layer = layer().drain(drain.clone()).observe(record.clone());
    let mut client = serve(&layer, |mut io| async move {
        io.read_exact(&mut [0]).await.expect("on purpose");
    })
    .await;
    let report = due(drain.wait(SECOND)).await;
    assert_eq!((counts(&report), drain.live()), ([0, 1, 0, 0], 0));
    assert_eq!(record.only_closing().0, "Drained");
    ends(&mut client).await;
}

#[tokio::test]
async fn over_http_nobody_else_is_concerned() {
    // Other connections and streams go on, new ones get in.
    let (limit, record) = (Limit::total(2), Record::default());
    let layer = layer().limit(limit.clone()).observe(record.clone());
    let service = layer.layer(tower::service_fn(
        async |mut request: http::Request<hyper::body::Incoming>| {
            let panics = request.uri().path() == "/panics";
            let on_upgrade = OnUpgrade::take(&mut request).unwrap();
            Ok::<http::Response<String>, server::AnyError>(on_upgrade.accept(async move |io| {
                if panics {
                    let _io = io;
                    panic!("on purpose");
                }
                crate::spy::echo(io).await;
            }))
        },
    ));
    let mut live = Client::over(server::serve(service.clone()));
    live.offer(&Request::upgrade("/", "echo/1.0")).await.is(101);
    for _ in 0..3 {
        let mut client = Client::over(server::serve(service.clone()));
        let offer = Request::upgrade("/panics", "echo/1.0");
        client.offer(&offer).await.is(101);
        client.expect_end().await;
    }
    live.send("ping").await;
    live.expect("ping").await;
    drop(live);

    let client = http2::Client::of(service).await;
    let (_, mut live) = client.open(connect("echo/1.0", "/")).await;
    for _ in 0..3 {
        let (_, mut stream) = client.open(connect("echo/1.0", "/panics")).await;
        let ended = due(stream.0.read(&mut [0])).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
    }
    live.write("ping").await;
    live.expect("ping").await;
    let panicked = record.closings();
    let panicked = panicked.iter().filter(|it| it.cause.as_str() == "panicked");
    assert_eq!(panicked.count(), 6);
    assert_eq!(limit.live(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_is_aborted_panicked_not() {
    // The twin: what drops a task from outside is no panic.
    let record = Record::default();
    let layer = layer().observe(record.clone());
    let (away, given) = oneshot::channel();
    let mut client = serve(&layer, |io| async move { drop(away.send(io)) }).await;
    let io = due(given).await.unwrap();
    let task = tokio::spawn(async move {
        let _io = io;
        pending::<()>().await;
    });
    settle().await;
    task.abort();
    ends(&mut client).await;
    assert_eq!(record.only_closing().0, "Dropped");
}
