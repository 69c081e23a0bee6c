//! Sizes that a handler sets, each kept and each with a twin inside of it.

use axum::{Router, routing::any};
use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{self, error::CapacityError};
use tower_upgrade::{
    testing::TestOffer,
    ws::{Message, WebSocketUpgrade},
};

use super::{next, open_on};
use crate::wire::{Client, patiently};

/// What the handler receives of a message of so many bytes, in one frame.
async fn receives(
    set: fn(WebSocketUpgrade) -> WebSocketUpgrade,
    length: usize,
) -> Result<Message, tungstenite::Error> {
    let (send, mut receive) = mpsc::unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        set(upgrade).on_upgrade(async move |mut socket| {
            drop(send.send(socket.recv().await.unwrap()));
        })
    };
    let mut client = open_on(Router::new().route("/", any(handler))).await;
    let message = tungstenite::Message::binary(vec![0; length]);
    client.send(message).await.unwrap();
    let received = patiently("what was received", receive.recv())
        .await
        .unwrap();
    received.map_err(|error| *error.into_inner().downcast().unwrap())
}

#[track_caller]
fn is_too_long(received: Result<Message, tungstenite::Error>) {
    let Err(tungstenite::Error::Capacity(CapacityError::MessageTooLong { .. })) = received else {
        panic!("{received:?}");
    };
}

#[tokio::test]
async fn a_message_is_as_large_as_is_allowed_and_no_larger() {
    // `max_message_size` and `max_frame_size`.
    let sets: [fn(WebSocketUpgrade) -> WebSocketUpgrade; 2] = [
        |upgrade| upgrade.max_message_size(10),
        |upgrade| upgrade.max_frame_size(10),
    ];
    for set in sets {
        assert_eq!(receives(set, 10).await.unwrap().into_data().len(), 10);
        is_too_long(receives(set, 11).await);
    }
}

#[tokio::test]
async fn a_frame_that_is_too_large_for_a_message_is_refused_by_its_head() {
    // However large a frame may be, and whether its limit or the message's is set first.
    let sets: [fn(WebSocketUpgrade) -> WebSocketUpgrade; 2] = [
        |upgrade| upgrade.max_message_size(1 << 20),
        |upgrade| upgrade.max_message_size(1 << 20).max_frame_size(8 << 20),
    ];
    for set in sets {
        let handler = async move |upgrade: WebSocketUpgrade| set(upgrade).on_upgrade(super::echo);
        let app = Router::new().route("/", any(handler));
        let sent = TestOffer::websocket("/").send(app).await.unwrap();
        let mut client = Client::over(sent.into_client());
        // Two mebibytes, of which nothing is sent.
        client.send(b"\x82\xff\0\0\0\0\0\x20\0\0mask").await;
        let told = client.read_to_end().await;
        assert!(matches!(*told, [0x88, _, 0x03, 0xf1, ..]), "{told:?}");
    }
}

#[tokio::test]
async fn a_message_larger_than_the_buffer_is_read_whole() {
    // `read_buffer_size` is no limit, however small.
    for size in [0, 1, 4096] {
        let handler = async move |upgrade: WebSocketUpgrade| {
            let upgrade = upgrade.read_buffer_size(size);
            upgrade.on_upgrade(super::echo)
        };
        let mut client = open_on(Router::new().route("/", any(handler))).await;
        let message = tungstenite::Message::binary(vec![7; 10_000]);
        client.send(message.clone()).await.unwrap();
        assert_eq!(next(&mut client).await, message, "{size}");
    }
}

#[tokio::test]
async fn a_message_beyond_the_write_buffer_is_an_error_for_who_sends() {
    // `max_write_buffer_size`, which is raised above `write_buffer_size` and does not panic.
    let (send, mut receive) = mpsc::unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        let upgrade = upgrade.write_buffer_size(100).max_write_buffer_size(100);
        upgrade.on_upgrade(async move |mut socket| {
            let small = socket.send(Message::binary(vec![0; 50])).await;
            let large = socket.send(Message::binary(vec![0; 200])).await;
            drop(send.send((small.is_ok(), large.map_err(axum::Error::into_inner))));
        })
    };
    let mut client = open_on(Router::new().route("/", any(handler))).await;
    assert_eq!(next(&mut client).await.len(), 50);
    let (small, large) = patiently("the results", receive.recv()).await.unwrap();
    assert!(small);
    let error = large.unwrap_err().downcast().unwrap();
    assert!(
        matches!(*error, tungstenite::Error::WriteBufferFull(_)),
        "{error:?}"
    );
}

#[tokio::test]
async fn unmasked_frames_are_an_error_unless_they_are_allowed() {
    // RFC 6455 5.1: "a server MUST close the connection upon receiving a frame that is not masked".
    for allowed in [false, true] {
        let handler = async move |upgrade: WebSocketUpgrade| {
            let upgrade = upgrade.accept_unmasked_frames(allowed);
            upgrade.on_upgrade(super::echo)
        };
        let app = Router::new().route("/", any(handler));
        let sent = TestOffer::websocket("/").send(app).await.unwrap();
        let mut client = Client::over(sent.into_client());
        client.send(b"\x81\x05hello").await;
        if allowed {
            client.expect(b"\x81\x05hello").await;
        } else {
            let told = client.read_to_end().await;
            assert!(matches!(*told, [0x88, _, 0x03, 0xea, ..]), "{told:?}");
        }
    }
}
