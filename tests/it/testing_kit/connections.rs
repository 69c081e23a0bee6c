//! What a test does with the client's end of a connection.

use std::convert::Infallible;

use axum::{
    Router,
    routing::{any, get},
};
use futures_util::{FutureExt, SinkExt, StreamExt};
use http::{Request, Response};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::oneshot,
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};
use tower::{Layer, service_fn};
use tower_upgrade::{
    OnUpgrade, Policy, RefusalKind, Routes, Upgrade, UpgradeLayer, Upgraded, WebSocket,
    testing::TestOffer,
};

use super::{Body, answer, behind, echo, panic_of, refuses, rest, switches, websocket};
use crate::wire::patiently;

/// Echoes the messages of a WebSocket.
async fn echo_messages(io: Upgraded) {
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, None).await;
    while let Some(Ok(message)) = socket.next().await {
        if message.is_close() || socket.send(message).await.is_err() {
            break;
        }
    }
}

async fn chat(upgrade: OnUpgrade) -> axum::response::Response {
    upgrade.accept(echo_messages)
}

#[tokio::test]
async fn a_route_of_axum_is_tested_in_five_lines() {
    // An axum `Router` with the layer around a route, bytes both ways.
    let hello =
        async |upgrade: OnUpgrade| upgrade.accept::<_, _, axum::body::Body>(crate::echo::echo);
    let app = Router::new().route("/hello", any(hello).layer(UpgradeLayer::new(echo())));

    let mut client = TestOffer::new("/hello", "echo/1.0")
        .send(app)
        .await
        .unwrap()
        .into_client();
    client.write_all(b"hello").await.unwrap();
    client.shutdown().await.unwrap();
    let greeting = patiently("the end", rest(&mut client)).await;
    assert_eq!(greeting, "hello");
}

#[tokio::test]
async fn a_websocket_is_spoken_by_an_engine() {
    // The client's end is I/O that tokio-tungstenite takes, as the handler's is.
    let app = Router::new().route("/chat", any(chat).layer(UpgradeLayer::new(websocket())));
    let sent = TestOffer::websocket("/chat").send(app).await.unwrap();
    let client = sent.into_client();
    let mut socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    for text in ["one", "two"] {
        socket.send(Message::text(text)).await.unwrap();
        let echoed = patiently("an echo", socket.next()).await;
        assert_eq!(echoed.unwrap().unwrap(), Message::text(text));
    }
    socket.close(None).await.unwrap();
}

#[tokio::test]
async fn a_protocol_of_ones_own_goes_both_ways_until_both_halves_ended() {
    // The client ends its half, and still reads what the service sends.
    let mut client = switches(TestOffer::new("/", "echo/1.0"), behind(echo()));
    assert_eq!(
        (client.protocol(), client.subprotocol()),
        ("echo/1.0", None)
    );
    client.write_all(b"ping").await.unwrap();
    let mut pong = [0; 4];
    patiently("pong", client.read_exact(&mut pong))
        .await
        .unwrap();
    assert_eq!(&pong, b"ping");
    client.write_all(b"last").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(patiently("the end", rest(&mut client)).await, "last");
    assert!(client.write_all(b"more").await.is_err());
}

#[tokio::test]
async fn a_client_that_is_dropped_closes_the_connection() {
    // What the handler holds ends with it.
    let (told, ended) = oneshot::channel();
    let mut told = Some(told);
    let service = UpgradeLayer::new(echo()).layer(service_fn(move |mut request: Request<Body>| {
        let (on_upgrade, told) = (OnUpgrade::take(&mut request).unwrap(), told.take().unwrap());
        std::future::ready(Ok::<Response<()>, Infallible>(on_upgrade.accept(
            |mut io| async move { told.send(io.read(&mut [0]).await.unwrap()).unwrap() },
        )))
    }));
    let client = switches(TestOffer::new("/", "echo/1.0"), service);
    drop(client);
    assert_eq!(patiently("the end", ended).await, Ok(0));
}

#[tokio::test]
async fn an_extended_connect_switches_by_200() {
    // RFC 8441: the same route, over HTTP/2; a client that offers another protocol is refused 501.
    let offer = TestOffer::new("/", "echo/1.0").extended_connect();
    let service = behind(echo());
    let answer = answer(offer, service.clone());
    assert_eq!(answer.response.status(), 200);
    let mut client = answer.into_client();
    assert_eq!(client.protocol(), "echo/1.0");
    client.write_all(b"ping").await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(patiently("the end", rest(&mut client)).await, "ping");
    let other = TestOffer::new("/", "echo/2.0").extended_connect();
    let why = refuses(RefusalKind::ConnectNotSpoken, other, echo());
    assert_eq!(why.status(), 501);
}

#[tokio::test]
async fn an_extended_connect_reaches_a_get_route_where_it_is_translated() {
    // Rule 19: `translate_connect` shows a `GET`; without it the router knows no such method.
    let app = |policy| {
        let router = Router::new().route("/chat", get(chat));
        Upgrade::new(router, Routes::new().at("/chat", policy))
    };
    let policy = || Policy::require(WebSocket::new().subprotocols(["v1"]));
    let offer = TestOffer::websocket("/chat")
        .subprotocols(["v1"])
        .extended_connect();
    let translated = offer
        .clone()
        .send(app(policy().translate_connect()))
        .await
        .unwrap();
    assert_eq!(translated.response.status(), 200);
    let client = translated.into_client();
    assert_eq!(
        (client.protocol(), client.subprotocol()),
        ("websocket", Some("v1"))
    );
    let bare = offer.send(app(policy())).await.unwrap();
    assert_eq!(bare.client.unwrap_err().status(), 405);
}

#[tokio::test]
async fn few_bytes_are_on_the_way_if_so_wished() {
    // A write waits for the other end where the capacity is used up.
    let mut client = switches(
        TestOffer::new("/", "echo/1.0").capacity(4).content(""),
        behind(echo()),
    );
    let stuck = client.write_all(b"12345").now_or_never();
    assert!(stuck.is_none());
    let mut client = switches(TestOffer::new("/", "echo/1.0").capacity(5), behind(echo()));
    let written = client.write_all(b"12345").now_or_never();
    assert!(written.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_connection_may_never_be_handed_over() {
    // The answer switches, the handler waits, and the client's end closes when it gives up.
    let (send, receive) = oneshot::channel();
    let mut send = Some(send);
    let service = UpgradeLayer::new(echo()).layer(service_fn(move |mut request: Request<Body>| {
        let taken = OnUpgrade::take(&mut request).unwrap();
        assert!(send.take().unwrap().send(taken).is_ok());
        let response = Response::builder().status(101).body(());
        std::future::ready(Ok::<_, Infallible>(response.unwrap()))
    }));
    let offer = TestOffer::new("/", "echo/1.0")
        .never_handed_over()
        .content("");
    let mut client = switches(offer, service);
    let mut on_upgrade = receive.await.unwrap();
    let day = std::time::Duration::from_secs(86_400);
    assert!(tokio::time::timeout(day, &mut on_upgrade).await.is_err());
    assert!(client.read(&mut [0]).now_or_never().is_none());
    drop(on_upgrade);
    assert_eq!(
        patiently("the end", client.read(&mut [0])).await.unwrap(),
        0
    );
}

#[test]
fn what_passes_is_the_services_own_answer() {
    // Rule 7: `offer` lets an unknown protocol pass; nothing was refused, and nothing switched.
    let answer = answer(TestOffer::new("/", "other"), behind(Policy::forbid()));
    assert_eq!(answer.response.status(), 200);
    let why = answer.client.as_ref().unwrap_err();
    assert!(why.refusal().is_none() && !why.is_flawed());
    assert_eq!(why.to_string(), "answered 200 OK by the service");
    let said = panic_of(|| answer.refusal().clone());
    assert_eq!(said, "the offer was not refused: it was answered 200 OK");
}
