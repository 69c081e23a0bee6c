//! What must have been read before the 101 leaves, and what happens where it was not.

use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full, LengthLimitError};
use hyper::body::Incoming;
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tower::{Layer, service_fn};
use tower_upgrade::{OnUpgrade, UpgradeLayer};

use super::{chunked, exec, hands_over, policy};
use crate::{
    server::{AnyError, serve},
    spy::Spy,
    wire::{Client, patiently},
};

/// What became of a service of its own: whether it was called, and what its `OnUpgrade` yielded.
#[derive(Debug, PartialEq)]
enum Event {
    Called,
    HandedOver,
    /// The layer did not let the acceptance through.
    Refused,
    Failed,
}

/// How much of the content a service reads before it answers 101.
#[derive(Clone, Copy, Debug)]
enum Reads {
    All,
    Nothing,
    OneFrame,
    /// All of it, but not by `OnUpgrade::content`.
    Unproven,
    /// Content that is not the request's.
    Another,
}

/// A service that writes `LEAK` as soon as the connection is handed over to it.
fn reading(reads: Reads, limit: u64) -> (Client, UnboundedReceiver<Event>) {
    let (events, seen) = unbounded_channel();
    let service = service_fn(move |request| answer(request, reads, events.clone()));
    let client = serve(UpgradeLayer::new(policy(limit)).layer(service));
    (Client::over(client), seen)
}

async fn answer(
    mut request: http::Request<Incoming>,
    reads: Reads,
    events: UnboundedSender<Event>,
) -> Result<Response<Full<bytes::Bytes>>, AnyError> {
    let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
    events.send(Event::Called)?;
    let body = request.into_body();
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    match reads {
        Reads::All => {
            let content = on_upgrade.content(body).collect().await;
            if content.is_err_and(|error| error.is::<LengthLimitError>()) {
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
            }
        }
        Reads::Nothing => drop(on_upgrade.content(body)),
        Reads::OneFrame => drop(on_upgrade.content(body).frame().await),
        Reads::Unproven => drop(body.collect().await?),
        Reads::Another => drop(
            on_upgrade
                .content(Full::<bytes::Bytes>::from("BO"))
                .collect()
                .await,
        ),
    }
    tokio::spawn(async move {
        let event = match on_upgrade.await {
            Ok(mut io) => {
                drop(io.write_all(b"LEAK").await);
                Event::HandedOver
            }
            Err(error) if error.is_refused() => Event::Refused,
            Err(_) => Event::Failed,
        };
        drop(events.send(event));
    });
    Ok(response)
}

async fn next(events: &mut UnboundedReceiver<Event>) -> Option<Event> {
    patiently("what the service tells", events.recv()).await
}

#[tokio::test]
async fn the_101_waits_for_content_that_is_late() {
    // Rule 12: "the 101 leaves only after it was read to its end".
    let (mut client, mut events) = reading(Reads::All, 5);
    client
        .send(exec().set("Content-Length", "5").to_bytes())
        .await;
    assert_eq!(next(&mut events).await, Some(Event::Called));
    assert!(client.has_nothing_to_read());
    client.send("BODY").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(client.has_nothing_to_read());
    client.send("!").await;
    client.head().await.is(101);
    client.expect("LEAK").await;
    assert_eq!(next(&mut events).await, Some(Event::HandedOver));
}

#[tokio::test]
async fn too_long_a_content_in_chunks_fails_while_it_is_read() {
    // Rule 12: "allows content up to a limit (413 beyond it)", also where no field tells its length.
    let (mut client, mut events) = reading(Reads::All, 4);
    client.send(chunked(&[b"BO", b"DY!"])).await;
    client.head().await.is(413);
    assert_eq!(next(&mut events).await, Some(Event::Called));
    assert_eq!(next(&mut events).await, Some(Event::Failed));
    let (mut client, mut events) = reading(Reads::All, 5);
    client.send(chunked(&[b"BO", b"DY!"])).await;
    client.head().await.is(101);
    assert_eq!(next(&mut events).await, Some(Event::Called));
    assert_eq!(next(&mut events).await, Some(Event::HandedOver));
}

#[tokio::test]
async fn content_that_breaks_off_switches_nothing() {
    // RFC 9112 8: "A message that uses a valid Content-Length is incomplete if the size of the
    // message body received (in octets) is less than the value given by Content-Length."
    let (mut client, mut events) = reading(Reads::All, 5);
    client
        .send(exec().set("Content-Length", "5").to_bytes())
        .await;
    client.send("BODY").await;
    assert_eq!(next(&mut events).await, Some(Event::Called));
    client.finish().await;
    let answer = String::from_utf8(client.read_to_end().await).unwrap();
    assert!(
        !answer.contains("101") && !answer.contains("LEAK"),
        "{answer}"
    );
    assert_ne!(next(&mut events).await, Some(Event::HandedOver));
}

#[tokio::test]
async fn an_acceptance_without_its_content_read_becomes_500_and_the_end() {
    // Rule 12: "A handler that accepts without having read it gets its acceptance turned into a 500
    // and the connection closed."
    for (reads, early, late) in [
        (Reads::Nothing, "", "BODY!after"),
        (Reads::Nothing, "BO", "DY!after"),
        (Reads::Nothing, "BODY!after", "more"),
        (Reads::OneFrame, "BO", "DY!after"),
        (Reads::Unproven, "", "BODY!after"),
        (Reads::Unproven, "BODY!after", "more"),
        (Reads::Another, "BODY!after", "more"),
    ] {
        let (mut client, mut events) = reading(reads, 5);
        let head = exec().set("Content-Length", "5").to_bytes();
        client.send([&head, early.as_bytes()].concat()).await;
        assert_eq!(next(&mut events).await, Some(Event::Called));
        client.try_send(late).await;
        let response = client.response().await;
        response
            .head
            .is(500)
            .lacks("upgrade")
            .has("connection", "close");
        client.expect_end().await;
        assert_eq!(
            next(&mut events).await,
            Some(Event::Refused),
            "{reads:?} {early}"
        );
    }
}

#[tokio::test]
async fn content_nobody_polls_is_not_asked_for_and_does_not_leak() {
    // Measured on hyper: "100 is sent only when the body is polled. Unpolled: 101 without 100, and the body leaks."
    let (mut client, mut events) = reading(Reads::Nothing, 5);
    let expecting = exec()
        .set("Content-Length", "5")
        .set("Expect", "100-continue");
    client.send(expecting.to_bytes()).await;
    client
        .response()
        .await
        .head
        .is(500)
        .has("connection", "close");
    client.try_send("BODY!after").await;
    client.expect_end().await;
    assert_eq!(next(&mut events).await, Some(Event::Called));
    assert_eq!(next(&mut events).await, Some(Event::Refused));
}

#[tokio::test]
async fn a_length_of_zero_is_no_content() {
    // RFC 9110 8.6: nothing has to be read, nor can a limit be passed.
    for limit in [0, 5] {
        let (mut client, mut events) = reading(Reads::Nothing, limit);
        client.send(exec().content("").to_bytes()).await;
        client.head().await.is(101);
        assert_eq!(next(&mut events).await, Some(Event::Called));
        assert_eq!(next(&mut events).await, Some(Event::HandedOver));
    }
    // Of no chunks, the end must be read all the same.
    let (mut client, spy) = Spy::behind(policy(0));
    client.send(chunked(&[])).await;
    hands_over(&mut client, &spy, b"", b"").await;
}
