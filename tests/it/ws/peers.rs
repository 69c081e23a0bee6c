//! Peers that ask without listening, that close, vanish, or send anything at all; with paused time.

use std::{error::Error, io, iter::successors, time::Duration};

use axum::{Router, routing::any};
use futures_util::{SinkExt, StreamExt};
use http::Version;
use proptest::{
    bool,
    collection::vec,
    prelude::{Just, prop_oneof},
    sample::select,
    strategy::{Strategy, ValueTree},
    test_runner::TestRunner,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::mpsc::unbounded_channel,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, protocol::Role},
};
use tower_upgrade::{
    observe::{Cause, Clock},
    testing::TestOffer,
    ws::{DeadPeer, Heartbeat, Message, WebSocketUpgrade},
};

use super::{layer, open_on};
use crate::{http2, server::serve, sockets::Io};

/// The client's end of a WebSocket over either version of HTTP.
pub(super) type Peer = WebSocketStream<Box<dyn Io>>;

/// The versions that differ in how a connection is written and ended.
pub(super) const VERSIONS: [Version; 2] = [Version::HTTP_11, Version::HTTP_2];

/// Opens a WebSocket over this version, on a server of its own.
pub(super) async fn open_over(version: Version, app: &Router) -> Peer {
    if version == Version::HTTP_11 {
        let io: Box<dyn Io> = Box::new(serve(app.clone()));
        return soon(client_async("ws://a.example/", io)).await.unwrap().0;
    }
    let client = http2::Client::of(app.clone()).await;
    let (_, stream) = client.open(http2::websocket("/")).await;
    let io: Box<dyn Io> = Box::new(stream.0);
    WebSocketStream::from_raw_socket(io, Role::Client, None).await
}

/// Waits for something that comes by itself, and so before the paused clock goes on.
pub(super) async fn soon<F: Future>(future: F) -> F::Output {
    let output = timeout(Duration::from_secs(1), future).await;
    output.expect("what nobody has to wait for")
}

/// The next message of a peer.
pub(super) async fn hears(peer: &mut Peer) -> tungstenite::Message {
    soon(peer.next()).await.unwrap().unwrap()
}

/// A WebSocket that is read to its end, and written by nobody.
async fn read_on(upgrade: WebSocketUpgrade) -> axum::response::Response {
    upgrade.on_upgrade(async |mut socket| while let Some(Ok(_)) = socket.recv().await {})
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_asks_and_never_listens_is_read_no_further() {
    // Once about 16 KiB of pongs wait for it; and when it listens they all come, and the others.
    const PINGS: usize = 2000;
    const CONTENT: [u8; 125] = [7; 125];
    let ping = [&[0x89, 0x80 | 125, 0, 0, 0, 0], &CONTENT[..]].concat();
    let pong = [&[0x8a, 125], &CONTENT[..]].concat();

    let offer = TestOffer::websocket("/").capacity(1 << 10);
    let app = Router::new().route("/", any(read_on));
    let mut client = offer.send(app).await.unwrap().into_client();
    let flood = ping.repeat(PINGS);
    let mut written = 0;
    while let Ok(taken) = timeout(Duration::from_secs(1), client.write(&flood[written..])).await {
        written += taken.unwrap();
        assert!(written < flood.len(), "it is read without end");
    }
    // Besides what is owed: the read buffer, and what is on the way in both directions.
    let pongs = written / ping.len() * pong.len();
    assert!((16 << 10..24 << 10).contains(&pongs), "{pongs} bytes");

    let (mut reader, mut writer) = tokio::io::split(client);
    tokio::spawn(async move { writer.write_all(&flood[written..]).await.map(|()| writer) });
    let mut pongs = vec![0; PINGS * pong.len()];
    soon(reader.read_exact(&mut pongs)).await.unwrap();
    assert!(pongs.chunks(pong.len()).all(|answer| answer == pong));
}

#[tokio::test(start_paused = true)]
async fn a_close_is_answered_when_it_is_seen() {
    // Though the handler returns then, and drops the socket.
    let app = Router::new().route(
        "/",
        any(async |upgrade: WebSocketUpgrade| {
            upgrade.on_upgrade(async |mut socket| {
                let closing = socket.recv().await;
                assert!(matches!(closing, Some(Ok(Message::Close(_)))));
            })
        }),
    );
    for version in VERSIONS {
        let mut peer = open_over(version, &app).await;
        peer.close(None).await.unwrap();
        assert!(hears(&mut peer).await.is_close());
        assert!(soon(peer.next()).await.is_none(), "an orderly end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_when_it_is_seen() {
    // Though the handler returns then and drops the socket, or keeps it and never reads it again.
    for is_dropped in [true, false] {
        let app = Router::new().route(
            "/",
            any(async move |upgrade: WebSocketUpgrade| {
                upgrade.on_upgrade(async move |mut socket| {
                    let ping = socket.recv().await;
                    assert!(matches!(ping, Some(Ok(Message::Ping(_)))));
                    if !is_dropped {
                        std::future::pending().await
                    }
                })
            }),
        );
        for version in VERSIONS {
            let mut peer = open_over(version, &app).await;
            let ping = tungstenite::Message::Ping("there?".into());
            peer.send(ping).await.unwrap();
            let pong = tungstenite::Message::Pong("there?".into());
            assert_eq!(hears(&mut peer).await, pong);
        }
    }
}

fn heartbeat() -> Heartbeat {
    Heartbeat::every(Duration::from_secs(30))
}

/// More than fits into a connection over HTTP/1.1 here; over HTTP/2 the server takes a few for itself.
pub(super) fn large() -> Message {
    Message::binary(vec![0; 1 << 20])
}

#[tokio::test(start_paused = true)]
async fn a_dead_peer_wakes_who_waits_to_write() {
    // The reader is told the cause, and the writer that the connection is gone; no layer is needed.
    for with_layer in [true, false] {
        let (send, mut failed) = unbounded_channel();
        let handler = async move |upgrade: WebSocketUpgrade| {
            let upgrade = upgrade.heartbeat(heartbeat());
            upgrade.on_upgrade(async move |socket| {
                let (mut sink, mut stream) = socket.split();
                let writer = tokio::spawn(async move { sink.send(large()).await });
                let read = stream.next().await.unwrap();
                assert!(DeadPeer::is_cause_of(&read.unwrap_err()));
                // The reader is kept meanwhile, and the connection with it.
                drop(send.send(writer.await.unwrap()));
            })
        };
        let mut app = Router::new().route("/", any(handler));
        if with_layer {
            app = app.layer(layer());
        }
        let peer = open_on(app).await;
        let error = timeout(Duration::from_secs(100), failed.recv()).await;
        assert!(error.expect("woken").unwrap().is_err());
        drop(peer);
    }
}

/// Why the layer closed the connection, by the error of a WebSocket.
fn cause(error: &axum::Error) -> Option<Cause> {
    let first: &(dyn Error + 'static) = error;
    let mut sources = successors(Some(first), |&error| error.source());
    sources.find_map(|source| Cause::of(source.downcast_ref::<io::Error>()?))
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_strikes_fails_who_waits_to_read_and_to_write() {
    // `Cause::of` finds the clock among the sources of either error.
    let (send, mut failed) = unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        upgrade.on_upgrade(async move |socket| {
            let (mut sink, mut stream) = socket.split();
            let writer = tokio::spawn(async move {
                let error = loop {
                    if let Err(error) = sink.send(large()).await {
                        break error;
                    }
                };
                assert!(sink.send(Message::text("late")).await.is_err());
                error
            });
            let read = stream.next().await.unwrap().unwrap_err();
            assert!(stream.next().await.is_none(), "an error is the last");
            let written = writer.await.unwrap();
            send.send([cause(&read), cause(&written)]).unwrap();
        })
    };
    let idle = layer().idle_timeout(Duration::from_secs(30));
    let app = Router::new().route("/", any(handler)).layer(idle);
    for version in VERSIONS {
        let peer = open_over(version, &app).await;
        let causes = timeout(Duration::from_secs(100), failed.recv()).await;
        let causes = causes.expect("woken").unwrap();
        assert_eq!(causes, [Some(Cause::Expired(Clock::Idle)); 2]);
        drop(peer);
    }
}

/// A frame as a client might send it: of any kind, in parts or not, with content of any kind.
fn frame() -> impl Strategy<Value = Vec<u8>> {
    let opcode = select(vec![0_u8, 1, 2, 8, 9, 10, 3, 11]);
    let is_final = prop_oneof![1 => Just(0_u8), 3 => Just(0x80)];
    let reserved = prop_oneof![1 => Just(0x40_u8), 50 => Just(0)];
    let byte = prop_oneof![9 => Just(b'a'), 1 => Just(0xff)];
    let code = select(vec![999_u16, 1000, 1001, 1005, 1006, 1015, 4999]);
    (opcode, is_final, reserved, vec(byte, 0..20), code).prop_map(
        |(opcode, is_final, reserved, mut content, code)| {
            if let (8, Some(start)) = (opcode, content.first_chunk_mut()) {
                *start = code.to_be_bytes();
            }
            let length = u8::try_from(content.len()).unwrap();
            let head = [opcode | is_final | reserved, 0x80 | length, 0, 0, 0, 0];
            [&head[..], &content].concat()
        },
    )
}

#[tokio::test(start_paused = true)]
async fn no_frames_make_a_handler_panic() {
    // Whatever arrives, and whatever is asked of the socket after that.
    let (send, mut ended) = unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        let upgrade = upgrade.max_message_size(50).heartbeat(heartbeat());
        upgrade.on_upgrade(async move |mut socket| {
            while let Some(Ok(message)) = socket.recv().await {
                let _ = socket.send(message).await;
            }
            let _ = socket.send(Message::text("late")).await;
            let _ = socket.recv().await;
            let _ = socket.close().await;
            // Not reached in a panic.
            send.send(()).unwrap();
        })
    };
    let app = Router::new().route("/", any(handler)).layer(layer());
    let mut runner = TestRunner::deterministic();
    let connections = (vec(frame(), 0..20), bool::ANY, bool::ANY);
    for _ in 0..300 {
        let drawn = connections.new_tree(&mut runner).unwrap().current();
        let (frames, in_one, reads) = &drawn;
        let mut io = open_on(app.clone()).await.into_inner();
        let size = if *in_one { usize::MAX } else { 1 };
        for some in frames.chunks(size.min(frames.len().max(1))) {
            let _ = io.write_all(&some.concat()).await;
            tokio::task::yield_now().await;
        }
        if *reads {
            let _ = timeout(Duration::from_secs(90), io.read_to_end(&mut Vec::new())).await;
        }
        drop(io);
        let end = timeout(Duration::from_secs(90), ended.recv()).await;
        assert!(end.is_ok(), "{drawn:?}");
    }
}
