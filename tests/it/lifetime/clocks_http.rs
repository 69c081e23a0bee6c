//! Clocks over HTTP/1.1 and 2: what the client sees, and what is left of its connection.

use std::{io, time::Duration};

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::Instant,
};
use tower::{Layer, service_fn};
use tower_upgrade::{Limit, OnUpgrade, ResponseBody, UpgradeLayer, observe::Clock};

use super::{
    clocks::{is_after, is_of},
    offers::{SECOND, due, layer},
};
use crate::{
    http2::{self, connect, request},
    server::{AnyError, Served, serve, serve_on, tcp_pair},
    wire::{Client, Request, patiently},
};

type Body = Full<Bytes>;

/// A service that echoes for a while, and tells with what errors reading and writing end.
fn service(
    layer: &UpgradeLayer,
) -> (
    impl Served<ResponseBody<Body>>,
    UnboundedReceiver<[io::Result<usize>; 2]>,
) {
    let (send, told) = unbounded_channel();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        let send = send.clone();
        async move {
            let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
            let accepted: Response<Body> = on_upgrade.accept(|mut io| async move {
                let mut buffer = [0; 8];
                let read = loop {
                    match io.read(&mut buffer).await {
                        Ok(length) if length > 0 => {
                            let _ = io.write_all(&buffer[..length]).await;
                        }
                        read => break read,
                    }
                };
                let write = io.write(b"too late").await;
                drop(send.send([read, write]));
            });
            Ok::<_, AnyError>(accepted)
        }
    });
    (layer.layer(service), told)
}

fn layers() -> [(Clock, UpgradeLayer); 2] {
    [
        (Clock::Idle, layer().idle_timeout(5 * SECOND)),
        (Clock::Lifetime, layer().max_lifetime(5 * SECOND)),
    ]
}

#[tokio::test(start_paused = true)]
async fn over_http1_the_client_reads_the_end() {
    // In memory, where time can be paused though hyper serves.
    for (clock, layer) in layers() {
        let limit = Limit::total(1);
        let (service, mut told) = service(&layer.limit(limit.clone()));
        let mut client = Client::over(serve(service));
        client
            .offer(&Request::upgrade("/", "echo/1.0"))
            .await
            .is(101);
        let start = Instant::now();
        client.send("ping").await;
        client.expect("ping").await;
        client.expect_end().await;
        is_after(start, 5 * SECOND);
        assert!(!client.try_send("x").await, "nobody reads any more");
        let [read, write] = due(told.recv()).await.unwrap();
        is_of(read, clock);
        is_of(write, clock);
        assert_eq!(limit.live(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn over_http2_the_stream_ends_and_the_connection_goes_on() {
    // The clock is of the upgraded stream alone.
    for (clock, layer) in layers() {
        let limit = Limit::total(1);
        let (service, mut told) = service(&layer.limit(limit.clone()));
        let client = http2::Client::of(service).await;
        let (_, mut stream) = client.open(connect("echo/1.0", "/")).await;
        let start = Instant::now();
        stream.write("ping").await;
        stream.expect("ping").await;
        // It is not known whether it ends or is reset; both will do.
        let ended = due(stream.0.read(&mut [0])).await;
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        is_after(start, 5 * SECOND);
        let [read, write] = due(told.recv()).await.unwrap();
        is_of(read, clock);
        is_of(write, clock);
        assert_eq!(limit.live(), 0);
        assert_eq!(client.send(request(Method::GET, "/")).await.status(), 405);
        let (_, mut stream) = client.open(connect("echo/1.0", "/")).await;
        stream.write("again").await;
        stream.expect("again").await;
    }
}

#[tokio::test]
async fn over_tcp_the_socket_is_closed() {
    // The one test here over sockets, where no time can be paused, and none is looked at.
    let (service, mut told) = service(&layer().idle_timeout(Duration::from_millis(20)));
    let (client, server) = tcp_pair().await;
    serve_on(server, service);
    let mut client = Client::over(client);
    client
        .offer(&Request::upgrade("/", "echo/1.0"))
        .await
        .is(101);
    client.expect_end().await;
    let [read, write] = patiently("the errors", told.recv()).await.unwrap();
    is_of(read, Clock::Idle);
    is_of(write, Clock::Idle);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_no_answer_is_given_up() {
    // What the hand-over clock is for: the 101 never leaves, since the client reads not a byte of it.
    for reads in [false, true] {
        let limit = Limit::total(1);
        let layer = layer().limit(limit.clone()).hand_over_timeout(5 * SECOND);
        let (send, mut yielded) = unbounded_channel();
        let service = service_fn(move |mut request: http::Request<Incoming>| {
            let (send, on_upgrade) = (send.clone(), OnUpgrade::take(&mut request));
            tokio::spawn(async move { drop(send.send(on_upgrade.unwrap().await)) });
            let mut response = Response::new(Body::default());
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            async { Ok::<_, AnyError>(response) }
        });
        let (client, server) = duplex(16);
        serve_on(server, layer.layer(service));
        let mut client = Client::over(client);
        client
            .send(Request::upgrade("/", "echo/1.0").to_bytes())
            .await;
        if reads {
            // The twin.
            client.head().await.is(101);
        }
        let yielded = due(yielded.recv()).await.unwrap();
        assert_eq!(limit.live(), usize::from(reads));
        match yielded {
            Ok(_) => assert!(reads),
            Err(error) => assert!(!reads && error.is_timed_out()),
        }
    }
}
