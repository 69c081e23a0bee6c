//! A drain's goodbye, whatever the handler and the peer are doing; with paused time.

use std::{sync::Arc, time::Duration};

use axum::{Router, routing::any};
use futures_util::{FutureExt, Sink, SinkExt, StreamExt};
use tokio::sync::{Notify, mpsc::unbounded_channel};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{self, protocol::Role},
};
use tower_upgrade::{
    Drain,
    testing::TestOffer,
    ws::{Message, WebSocket, WebSocketUpgrade},
};

use super::{
    layer,
    peers::{Peer, VERSIONS, hears, large, open_over, soon},
};
use crate::sockets::Io;

/// An app with this handler of a connection, whose drain is this.
fn app<H, F>(drain: &Drain, handler: H) -> Router
where
    H: FnOnce(WebSocket) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handler = async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(handler);
    let layer = layer().drain(drain.clone());
    Router::new().route("/", any(handler)).layer(layer)
}

/// Lets all tasks go on until they wait.
async fn settle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// Whether this is the drain's goodbye.
fn is_goodbye(message: &tungstenite::Message) -> bool {
    matches!(message, tungstenite::Message::Close(Some(frame)) if u16::from(frame.code) == 1001)
}

async fn hears_goodbye(peer: &mut Peer) {
    let goodbye = hears(peer).await;
    assert!(is_goodbye(&goodbye), "{goodbye:?}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_only_sent_to_is_told() {
    // The handler never reads, and what it sends after the goodbye goes nowhere, until the deadline.
    for version in VERSIONS {
        let drain = Drain::new();
        let app = app(&drain, async |mut socket| {
            while socket.send(Message::text("tick")).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let mut peer = open_over(version, &app).await;
        assert!(hears(&mut peer).await.is_text());
        let waits = drain.clone();
        let ends = tokio::spawn(async move { waits.wait(Duration::from_secs(1)).await });
        hears_goodbye(&mut peer).await;
        let rest = soon(peer.next()).await;
        assert!(!matches!(rest, Some(Ok(_))), "{rest:?}");
        assert_eq!(
            ends.await.unwrap().closed,
            1,
            "it goes on until the deadline"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_messages_are_always_ready_is_told() {
    // The handler never waits for one before the peer hears the goodbye.
    for version in VERSIONS {
        let drain = Drain::new();
        let (send, mut receive) = unbounded_channel();
        let is_told = Arc::new(Notify::new());
        let waits = Arc::clone(&is_told);
        let app = app(&drain, async move |mut socket| {
            socket.recv().await.unwrap().unwrap();
            socket.draining().await;
            let second = socket.recv().now_or_never();
            assert!(second.expect("ready").unwrap().is_ok());
            waits.notified().await;
            let rest: Vec<_> = socket.map(Result::unwrap).collect().await;
            send.send(rest).unwrap();
        });
        let mut peer = open_over(version, &app).await;
        for text in ["first", "second", "third"] {
            peer.feed(tungstenite::Message::text(text)).await.unwrap();
        }
        peer.flush().await.unwrap();
        settle().await;
        drain.start();
        hears_goodbye(&mut peer).await;
        is_told.notify_one();
        assert!(soon(peer.next()).await.is_none());
        let rest = soon(receive.recv()).await.unwrap();
        assert_eq!(rest[0], Message::text("third"), "nothing is lost");
        assert!(matches!(rest[1..], [Message::Close(_)]));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_after_the_goodbye_goes_nowhere_until_the_peer_has_closed() {
    // A chat that ends at the first error does not end before the peer has heard the goodbye.
    for version in VERSIONS {
        let drain = Drain::new();
        let (send, mut sent) = unbounded_channel();
        let something = Arc::new(Notify::new());
        let said = Arc::clone(&something);
        let app = app(&drain, async move |socket| {
            let (mut sink, mut stream) = socket.split();
            let reader =
                tokio::spawn(async move { while let Some(Ok(_)) = stream.next().await {} });
            let mut is_sent = true;
            while is_sent {
                said.notified().await;
                is_sent = sink.send(Message::text("said")).await.is_ok();
                send.send(is_sent).unwrap();
            }
            reader.abort();
        });
        let mut peer = open_over(version, &app).await;
        settle().await;
        for is_draining in [false, true, true] {
            if is_draining {
                drain.start();
                settle().await;
            }
            something.notify_one();
            assert_eq!(soon(sent.recv()).await, Some(true));
        }
        settle().await;
        assert_eq!(drain.live(), 1);
        let before = hears(&mut peer).await;
        assert_eq!(before, tungstenite::Message::text("said"));
        hears_goodbye(&mut peer).await;
        peer.flush().await.unwrap();
        settle().await;
        something.notify_one();
        assert_eq!(soon(sent.recv()).await, Some(false));
        assert!(soon(peer.next()).await.is_none(), "an orderly end");
    }
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_waits_for_room_in_a_bounded_buffer() {
    // The message that fills it comes whole, and then the goodbye.
    let drain = Drain::new();
    let handler = async |upgrade: WebSocketUpgrade| {
        let upgrade = upgrade.write_buffer_size(0).max_write_buffer_size(10_000);
        upgrade.on_upgrade(async |socket| {
            let (mut sink, stream) = socket.split();
            let large = Message::binary(vec![7; 9_996]);
            let writer = tokio::spawn(async move { sink.send(large).await });
            let read: Vec<_> = stream.collect().await;
            assert!(matches!(read[..], [Ok(Message::Close(_))]), "{read:?}");
            writer.await.unwrap().unwrap();
        })
    };
    let layer = layer().drain(drain.clone());
    let app = Router::new().route("/", any(handler)).layer(layer);
    let offer = TestOffer::websocket("/").capacity(1);
    let io: Box<dyn Io> = Box::new(offer.send(app).await.unwrap().into_client());
    let mut peer = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    settle().await;
    drain.start();
    settle().await;
    let message = tungstenite::Message::binary(vec![7; 9_996]);
    assert_eq!(hears(&mut peer).await, message);
    hears_goodbye(&mut peer).await;
    assert!(soon(peer.next()).await.is_none(), "an orderly end");
}

/// Writes large messages until one was written after the drain's start, and returns how many.
async fn write_until(
    drain: Drain,
    mut sink: impl Sink<Message, Error = axum::Error> + Unpin,
) -> usize {
    let mut written = 0;
    while !drain.is_started() {
        sink.send(large()).await.unwrap();
        written += 1;
    }
    written
}

#[tokio::test(start_paused = true)]
async fn a_drain_amid_a_large_message_lets_it_be_written_first() {
    // The message whole, then the goodbye, then the end; one task or two.
    let drained = async |version, is_split| {
        let drain = Drain::new();
        let (send, mut sent) = unbounded_channel();
        let is_over = drain.clone();
        let app = app(&drain, async move |mut socket| {
            if is_split {
                let (sink, stream) = socket.split();
                let writer = tokio::spawn(write_until(is_over, sink));
                stream.for_each(async |read| drop(read.unwrap())).await;
                send.send(writer.await.unwrap()).unwrap();
            } else {
                send.send(write_until(is_over, &mut socket).await).unwrap();
                socket.for_each(async |read| drop(read.unwrap())).await;
            }
        });
        let mut peer = open_over(version, &app).await;
        settle().await;
        drain.start();
        settle().await;
        let message = large().into_data();
        let mut whole = 0;
        let last = loop {
            match hears(&mut peer).await {
                tungstenite::Message::Binary(read) if read == message => whole += 1,
                other => break other,
            }
        };
        assert!(is_goodbye(&last), "{last:?}");
        assert!(soon(peer.next()).await.is_none(), "an orderly end");
        assert_eq!(soon(sent.recv()).await, Some(whole));
        settle().await;
        let report = drain.report();
        assert_eq!((report.ended, report.panicked), (1, 0), "{report}");
    };
    for version in VERSIONS {
        for is_split in [false, true] {
            drained(version, is_split).await;
        }
    }
}
