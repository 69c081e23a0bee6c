//! Drains over HTTP/2, where many upgraded streams share one connection with ordinary requests.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, split},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, sleep},
};
use tower::{Layer, service_fn};
use tower_upgrade::{Drain, Limit, OnUpgrade, Policy, ResponseBody, UpgradeLayer};

use super::{
    clocks::is_after,
    drain::counts,
    drain_states::is_drained,
    offers::{SECOND, due, protocol, settle},
};
use crate::{
    http2::{Client, Stream, connect, get},
    server::{AnyError, Served, serve},
    wire,
};

type Body = Full<Bytes>;

/// A service that serves streams by their path, and answers others; and the errors its reads end with.
fn service(
    drain: &Drain,
    limit: &Limit,
) -> (
    impl Served<ResponseBody<Body>>,
    UnboundedReceiver<std::io::Error>,
) {
    let (send, errors) = unbounded_channel();
    let layer = UpgradeLayer::new(Policy::offer(protocol()))
        .drain(drain.clone())
        .limit(limit.clone());
    let service = layer.layer(service_fn(move |mut request: Request<Incoming>| {
        let (send, says_goodbye) = (send.clone(), request.uri().path() == "/polite");
        let accepted = OnUpgrade::take(&mut request).map(|on_upgrade| {
            on_upgrade.accept(move |mut io| async move {
                if says_goodbye {
                    io.draining().await;
                    sleep(2 * SECOND).await;
                    let _ = io.write_all(b"goodbye").await;
                    let _ = io.shutdown().await;
                    return;
                }
                let (mut read, mut write) = split(io);
                if let Err(error) = tokio::io::copy(&mut read, &mut write).await {
                    let _ = send.send(error);
                }
                // The client has ended its half; what it still reads may take long.
                std::future::pending::<()>().await;
            })
        });
        let answer = accepted.unwrap_or_else(|| Response::new(Body::from("plain")));
        async { Ok::<_, AnyError>(answer) }
    }));
    (service, errors)
}

/// Reads the end of a stream, which is an end or a reset.
async fn ends(stream: &mut Stream) {
    let ended = due(stream.0.read(&mut [0])).await;
    assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_ends_no_connection() {
    // What shares it with the refused offer goes on; HTTP/1.1, where nothing shares it, is the twin.
    let drain = Drain::new();
    let (service, _errors) = service(&drain, &Limit::total(9));
    let client = Client::of(service.clone()).await;
    let (_, mut before) = client.open(connect("echo/1.0", "/")).await;
    drain.start();
    let answer = client.send(connect("echo/1.0", "/")).await;
    assert_eq!(answer.status(), 503);
    assert!(!answer.headers().contains_key("connection"));
    assert!(answer.body().contains("about to end"), "{answer:?}");
    // Ordinary requests and streams from before go on, on the same connection.
    assert_eq!(client.send(get("/")).await.body(), "plain");
    before.write("ping").await;
    before.expect("ping").await;

    let mut client = wire::Client::over(serve(service));
    let response = client.ask(&wire::Request::upgrade("/", "echo/1.0")).await;
    response.head.is(503).has("connection", "close");
    client.expect_end().await;
    assert_eq!(drain.report().refused, 2);
}

#[tokio::test(start_paused = true)]
async fn streams_are_closed_at_the_deadline_and_their_connection_is_not() {
    // Whether they move bytes, wait, or have ended one half.
    let (drain, limit) = (Drain::new(), Limit::total(100));
    let (service, mut errors) = service(&drain, &limit);
    let client = Client::of(service).await;
    let mut streams = Vec::new();
    for n in 0..30 {
        let (_, mut stream) = client.open(connect("echo/1.0", "/")).await;
        if n % 3 == 1 {
            stream.write("ping").await;
            stream.expect("ping").await;
        }
        if n % 3 == 2 {
            stream.end().await;
        }
        streams.push(stream);
    }
    settle().await;
    assert_eq!((drain.live(), limit.live()), (30, 30));
    let start = Instant::now();
    let report = due(drain.wait(5 * SECOND)).await;
    is_after(start, 5 * SECOND);
    assert_eq!(counts(&report), [0, 30, 0, 0]);
    assert_eq!((drain.live(), limit.live()), (0, 0));
    for stream in &mut streams {
        ends(stream).await;
    }
    for _ in 0..20 {
        is_drained(Err::<(), _>(due(errors.recv()).await.unwrap()));
    }
    assert_eq!(client.send(get("/")).await.body(), "plain");
    assert_eq!(client.send(connect("echo/1.0", "/")).await.status(), 503);
}

#[tokio::test(start_paused = true)]
async fn streams_that_end_themselves_are_waited_for() {
    // The twin: each handler hears of it and says goodbye.
    let (drain, limit) = (Drain::new(), Limit::total(100));
    let (service, _errors) = service(&drain, &limit);
    let client = Client::of(service).await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(client.open(connect("echo/1.0", "/polite")).await.1);
    }
    let start = Instant::now();
    let report = due(drain.wait(50 * SECOND)).await;
    is_after(start, 2 * SECOND);
    assert_eq!(counts(&report), [10, 0, 0, 0]);
    for mut stream in streams {
        assert_eq!(stream.rest().await, "goodbye");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_resets_its_streams_is_gone() {
    // By dropping one stream, or the connection with all of them. The handlers here read, and end then.
    for whole_connection in [false, true] {
        let (drain, limit) = (Drain::new(), Limit::total(100));
        let layer = UpgradeLayer::new(Policy::require(protocol()))
            .drain(drain.clone())
            .limit(limit.clone());
        let client = Client::of(layer.layer(crate::echo::Echo::default())).await;
        let mut streams = Vec::new();
        for _ in 0..5 {
            streams.push(client.open(connect("echo/1.0", "/")).await.1);
        }
        assert_eq!((drain.live(), limit.live()), (5, 5));
        let start = Instant::now();
        let kept = if whole_connection { None } else { Some(client) };
        drop(streams);
        let report = due(drain.wait(50 * SECOND)).await;
        is_after(start, Duration::ZERO);
        assert_eq!(counts(&report), [5, 0, 0, 0]);
        assert_eq!(limit.live(), 0);
        drop(kept);
    }
}
