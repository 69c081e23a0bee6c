//! The heartbeat, in memory and with paused time.

use std::time::Duration;

use axum::{Router, routing::any};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, advance, sleep, timeout},
};
use tokio_tungstenite::{WebSocketStream, tungstenite};
use tower_upgrade::{
    testing::Client,
    ws::{DeadPeer, Heartbeat, Message, WebSocketUpgrade},
};

use super::{layer, open_on};

const EVERY: Duration = Duration::from_secs(30);
const DEADLINE: Duration = Duration::from_secs(10);

/// The bytes of a ping of ours.
const PING: &[u8] = b"\x89\x09heartbeat";

type Received = Option<Result<Message, axum::Error>>;

/// A connection with a heartbeat, and all that its handler receives.
async fn beating(heartbeat: Heartbeat) -> (WebSocketStream<Client>, UnboundedReceiver<Received>) {
    let (send, receive) = unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        upgrade
            .heartbeat(heartbeat)
            .on_upgrade(async move |mut socket| {
                loop {
                    let received = socket.recv().await;
                    let is_end = received.is_none();
                    drop(send.send(received));
                    if is_end {
                        // What it was is kept open: the connection must be closed all the same.
                        return std::future::pending().await;
                    }
                }
            })
    };
    let app = Router::new().route("/", any(handler)).layer(layer());
    (open_on(app).await, receive)
}

/// Waits for something for a few beats of the paused clock.
async fn soon<F: Future>(future: F) -> F::Output {
    let output = timeout(EVERY * 10, future).await;
    output.expect("within a few beats")
}

fn heartbeat() -> Heartbeat {
    Heartbeat::every(EVERY).dead_after(DEADLINE)
}

#[tokio::test(start_paused = true)]
async fn a_silent_peer_is_pinged_and_kept_if_it_answers() {
    // "sends a Ping when nothing arrived from the peer", and its pongs are not shown.
    let (mut client, mut received) = beating(heartbeat()).await;
    let start = Instant::now();
    for beat in 1..=5 {
        // Reading a ping, the client answers it.
        let ping = client.next().await.unwrap().unwrap();
        assert!(ping.is_ping(), "{ping:?}");
        client.flush().await.unwrap();
        assert_eq!(start.elapsed().as_secs(), beat * EVERY.as_secs());
    }
    assert!(received.recv().now_or_never().is_none(), "nothing is shown");
}

#[tokio::test(start_paused = true)]
async fn a_dead_peer_is_given_up_at_the_deadline() {
    // The stream yields a typed error, then ends, and the connection is closed.
    let (client, mut received) = beating(heartbeat()).await;
    let mut io = client.into_inner();
    let start = Instant::now();
    let mut pings = Vec::new();
    soon(io.read_to_end(&mut pings)).await.unwrap();
    assert_eq!(start.elapsed(), EVERY + DEADLINE);
    assert_eq!(pings, PING, "one ping, and then the end");
    let error = received.recv().await.unwrap().unwrap().unwrap_err();
    assert!(DeadPeer::is_cause_of(&error), "{error:?}");
    assert!(received.recv().await.unwrap().is_none());
    assert!(error.to_string().contains("ping"), "{error}");
    assert!(!DeadPeer::is_cause_of(&axum::Error::new("another")));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_talks_is_not_pinged() {
    // Whatever arrives is a sign of life, and the interval runs from the last of them.
    let (mut client, mut received) = beating(heartbeat()).await;
    for _ in 0..10 {
        sleep(EVERY - Duration::from_secs(1)).await;
        client
            .send(tungstenite::Message::text("here"))
            .await
            .unwrap();
        assert!(received.recv().await.unwrap().unwrap().is_ok());
    }
    let last = Instant::now();
    let ping = client.next().await.unwrap().unwrap();
    assert!(ping.is_ping(), "{ping:?}");
    assert_eq!(last.elapsed(), EVERY);
}

#[tokio::test(start_paused = true)]
async fn anything_that_arrives_answers_a_ping() {
    // Also a part of a frame, of which no message comes for a long time.
    let (client, mut received) = beating(heartbeat()).await;
    let mut io = client.into_inner();
    let mut ping = vec![0; PING.len()];
    soon(io.read_exact(&mut ping)).await.unwrap();
    assert_eq!(ping, PING);
    // A masked text of five bytes, one byte a beat.
    for byte in b"\x81\x85\0\0\0\0hell" {
        io.write_all(&[*byte]).await.unwrap();
        soon(io.read_exact(&mut ping)).await.unwrap();
        assert_eq!(ping, PING);
    }
    assert!(
        received.recv().now_or_never().is_none(),
        "no end, no message"
    );
    io.write_all(b"o").await.unwrap();
    let message = received.recv().await.unwrap().unwrap().unwrap();
    assert_eq!(message, Message::text("hello"));
}

#[tokio::test(start_paused = true)]
async fn pongs_to_the_handlers_own_pings_are_shown() {
    // Only those to the heartbeat's are not.
    let (mut client, mut received) = beating(heartbeat()).await;
    let pong = tungstenite::Message::Pong("mine".into());
    client.send(pong).await.unwrap();
    let message = received.recv().await.unwrap().unwrap().unwrap();
    assert_eq!(message, Message::Pong("mine".into()));
}

#[tokio::test(start_paused = true)]
async fn without_a_heartbeat_silence_is_nothing() {
    // It is off by default.
    let (send, mut receive) = unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |mut socket| drop(send.send(socket.recv().await)))
    };
    let mut client = open_on(Router::new().route("/", any(handler))).await;
    tokio::task::yield_now().await;
    advance(Duration::from_secs(1_000_000)).await;
    assert!(client.next().now_or_never().is_none());
    assert!(receive.recv().now_or_never().is_none());
    let pong = tungstenite::Message::Pong("heartbeat".into());
    client.send(pong).await.unwrap();
    assert!(
        receive.recv().await.unwrap().unwrap().is_ok(),
        "and every pong is shown"
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_the_interval_unless_it_is_set() {
    // "gives it up if nothing arrives for as long again".
    let (client, mut received) = beating(Heartbeat::every(EVERY)).await;
    let start = Instant::now();
    let error = received.recv().await.unwrap().unwrap().unwrap_err();
    assert!(DeadPeer::is_cause_of(&error));
    assert_eq!(start.elapsed(), EVERY * 2);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_nothing_is_dead_too() {
    // A ping that cannot be written is not waited for.
    let (send, mut receive) = unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        upgrade
            .heartbeat(heartbeat())
            .on_upgrade(async move |socket| {
                let (mut sink, mut stream) = socket.split();
                tokio::spawn(async move {
                    // More than the connection in memory takes.
                    let large = Message::binary(vec![0; 100_000]);
                    sink.send(large).await
                });
                drop(send.send(stream.next().await));
            })
    };
    let app = Router::new().route("/", any(handler)).layer(layer());
    let client = open_on(app).await;
    let start = Instant::now();
    let error = receive.recv().await.unwrap().unwrap().unwrap_err();
    assert!(DeadPeer::is_cause_of(&error), "{error:?}");
    assert_eq!(start.elapsed(), EVERY + DEADLINE);
    drop(client);
}

#[tokio::test(start_paused = true)]
async fn what_arrived_while_nobody_read_is_a_sign_of_life() {
    // Also where the ping is still to be sent, and its deadline passed meanwhile.
    let (send, mut receive) = unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        upgrade
            .heartbeat(heartbeat())
            .on_upgrade(async move |mut socket| {
                // More than the connection in memory takes.
                let large = Message::binary(vec![0; 100_000]);
                assert!(timeout(DEADLINE, socket.send(large)).await.is_err());
                assert!(timeout(EVERY - DEADLINE / 2, socket.recv()).await.is_err());
                sleep(DEADLINE * 2).await;
                drop(send.send(socket.recv().await));
            })
    };
    let app = Router::new().route("/", any(handler)).layer(layer());
    let mut client = open_on(app).await;
    sleep(EVERY + DEADLINE * 3 / 2).await;
    let here = tungstenite::Message::text("here");
    client.send(here).await.unwrap();
    let message = soon(receive.recv()).await.unwrap().unwrap();
    assert_eq!(message.unwrap(), Message::text("here"));
}

#[test]
#[should_panic(expected = "a heartbeat needs an interval")]
fn a_heartbeat_without_an_interval_is_a_bug() {
    // It would ping without pause.
    let _ = Heartbeat::every(Duration::ZERO);
}
