//! `tower_upgrade::ws`, the WebSocket with axum's method names: its handshake over real connections,
//! its messages in memory.

mod drop_in;
mod extraction;
mod failing;
mod goodbyes;
mod heartbeat;
mod limits;
mod lingering;
mod peers;
mod subprotocols;

use axum::{Router, response::Response, routing::any};
use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt, stream::FusedStream};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, protocol::Role},
};
use tower_upgrade::{
    Policy, UpgradeError, UpgradeLayer,
    testing::{Client, TestOffer},
    ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code},
};

use crate::{
    http2,
    rust_client::{echoes_messages, opens_and_echoes},
    server::{serve, serve_without_upgrades},
    wire::{ACCEPT, KEY, patiently},
};

/// The layer with the policy that the extractor has by itself.
fn layer() -> UpgradeLayer {
    UpgradeLayer::new(Policy::require(tower_upgrade::WebSocket::new()))
}

async fn accept(upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(echo)
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
        if is_data && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// An app behind a layer, and one without.
fn both(handler: axum::routing::MethodRouter) -> [Router; 2] {
    let alone = Router::new().route("/", handler);
    [alone.clone().layer(layer()), alone]
}

/// Opens a WebSocket to a handler of this connection.
async fn open<H, F>(handler: H) -> WebSocketStream<Client>
where
    H: FnOnce(WebSocket) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let handler = async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(handler);
    open_on(Router::new().route("/", any(handler))).await
}

/// Opens a WebSocket without a server, and so without a clock.
async fn open_on(app: Router) -> WebSocketStream<Client> {
    let offer = TestOffer::websocket("/").capacity(1 << 10);
    let client = offer.send(app).await.unwrap().into_client();
    WebSocketStream::from_raw_socket(client, Role::Client, None).await
}

async fn next<I>(client: &mut WebSocketStream<I>) -> tungstenite::Message
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    patiently("a message", client.next())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn it_echoes_over_http1_with_a_layer_and_without() {
    // The 101 is the same, whoever wrote it.
    for app in both(any(accept)) {
        let answer = opens_and_echoes(serve(app)).await;
        let mut fields: Vec<_> = answer.headers().keys().map(|name| name.as_str()).collect();
        fields.sort_unstable();
        let written = ["connection", "date", "sec-websocket-accept", "upgrade"];
        assert_eq!(fields, written);
    }
}

#[tokio::test]
async fn it_echoes_over_http2_with_a_layer_and_without() {
    // RFC 8441 5: the answer is a 200 with none of HTTP/1.1's fields.
    for app in both(any(accept)) {
        let client = http2::Client::of(app).await;
        let (answer, stream) = client.open(http2::websocket("/")).await;
        assert!(!answer.headers().contains_key("sec-websocket-accept"));
        assert!(!answer.headers().contains_key("upgrade"));
        echoes_messages(stream.0).await;
    }
}

#[tokio::test]
async fn over_http2_a_key_is_answered_where_the_client_brought_one() {
    // Clients and proxies that bridge need it.
    for app in both(any(accept)) {
        let client = http2::Client::of(app).await;
        let offer = http2::websocket("/").header("sec-websocket-key", KEY);
        let (answer, _) = client.open(offer).await;
        assert_eq!(answer.headers()["sec-websocket-accept"], ACCEPT);
    }
}

#[tokio::test]
async fn it_works_behind_a_layer_that_leaves_the_handshake_to_the_handler() {
    // `hand_over_raw` is for axum's extractor, of which this is a drop-in.
    let raw = || Policy::require(tower_upgrade::WebSocket::new()).hand_over_raw();
    for policy in [raw(), raw().translate_connect()] {
        let app = Router::new().route("/", any(accept));
        let app = app.layer(UpgradeLayer::new(policy));
        opens_and_echoes(serve(app.clone())).await;
        let client = http2::Client::of(app).await;
        let (_, stream) = client.open(http2::websocket("/")).await;
        echoes_messages(stream.0).await;
    }
}

#[tokio::test]
async fn every_kind_of_message_arrives_as_what_it_is() {
    // Text, binary, ping, pong and close, both ways.
    let messages = || {
        let reason = "done".into();
        let code = close_code::NORMAL;
        [
            Message::Text("text".into()),
            Message::Binary(Bytes::from_static(b"\0\xff")),
            Message::Ping(Bytes::from_static(b"ping")),
            Message::Pong(Bytes::from_static(b"pong")),
            Message::Close(Some(CloseFrame { code, reason })),
        ]
    };
    let (send, receive) = oneshot::channel();
    let handler = Router::new().route(
        "/",
        any({
            let send = std::sync::Arc::new(std::sync::Mutex::new(Some(send)));
            async move |upgrade: WebSocketUpgrade| {
                let send = send.lock().unwrap().take().unwrap();
                upgrade.on_upgrade(async move |mut socket| {
                    let mut seen = Vec::new();
                    for message in messages() {
                        seen.push(socket.recv().await.unwrap().unwrap());
                        drop(socket.send(message).await);
                    }
                    assert!(socket.recv().await.is_none(), "a close is the last");
                    send.send(seen).unwrap();
                })
            }
        }),
    );
    let mut client = open_on(handler).await;
    let closing = tungstenite::protocol::CloseFrame {
        code: 1000.into(),
        reason: "done".into(),
    };
    let all = [
        tungstenite::Message::text("text"),
        tungstenite::Message::binary(&b"\0\xff"[..]),
        tungstenite::Message::Ping("ping".into()),
        tungstenite::Message::Pong("pong".into()),
        tungstenite::Message::Close(Some(closing)),
    ];
    for message in all.clone() {
        client.send(message).await.unwrap();
    }
    let mut echoes = Vec::new();
    while let Some(Ok(message)) = patiently("a message", client.next()).await {
        echoes.push(message);
    }
    for message in all {
        assert!(echoes.contains(&message), "{message:?} in {echoes:?}");
    }
    let seen = patiently("what was seen", receive).await.unwrap();
    assert_eq!(seen, messages());
}

#[tokio::test]
async fn it_splits_into_a_sink_and_a_stream_for_two_tasks() {
    // Each task is woken for its own half, also while the other waits for room to write.
    let mut client = open(async |socket: WebSocket| {
        let (mut sink, mut stream) = socket.split();
        let writer = tokio::spawn(async move {
            // More than fits into the connection, so that it has to wait.
            for _ in 0..8 {
                let large = Message::binary(vec![7; 64 << 10]);
                sink.send(large).await.unwrap();
            }
            sink
        });
        let first = stream.next().await.unwrap().unwrap();
        let mut sink = writer.await.unwrap();
        sink.send(first).await.unwrap();
        sink.close().await.unwrap();
    })
    .await;
    tokio::task::yield_now().await;
    client
        .send(tungstenite::Message::text("read meanwhile"))
        .await
        .unwrap();
    for _ in 0..8 {
        assert_eq!(next(&mut client).await.len(), 64 << 10);
    }
    let last = next(&mut client).await;
    assert_eq!(last, tungstenite::Message::text("read meanwhile"));
    assert!(next(&mut client).await.is_close());
}

#[tokio::test]
async fn a_stream_that_ended_says_so() {
    // `FusedStream`: after the end there is `None`, for ever.
    let (send, receive) = oneshot::channel();
    let send = std::sync::Arc::new(std::sync::Mutex::new(Some(send)));
    let client = open(move |mut socket: WebSocket| async move {
        assert!(!socket.is_terminated());
        let error = socket.recv().await.unwrap().unwrap_err();
        assert!(socket.is_terminated());
        assert!(socket.recv().await.is_none());
        assert!(socket.next().now_or_never().unwrap().is_none());
        send.lock().unwrap().take().unwrap().send(error).unwrap();
    })
    .await;
    drop(client);
    let error = patiently("the end", receive).await.unwrap();
    let source = error.into_inner();
    assert!(source.is::<tungstenite::Error>(), "{source:?}");
}

#[tokio::test]
async fn on_failed_upgrade_is_told_why_no_connection_comes() {
    // A server that does no upgrades fulfils no handle; the source is an `UpgradeError`.
    for with_layer in [true, false] {
        let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
        let handler = async move |upgrade: WebSocketUpgrade| {
            let failed = move |error: axum::Error| drop(send.send(error));
            let upgrade = upgrade.on_failed_upgrade(failed);
            upgrade.on_upgrade(async |_| unreachable!("there is no connection"))
        };
        let mut app = Router::new().route("/", any(handler));
        if with_layer {
            app = app.layer(layer());
        }
        let io = serve_without_upgrades(app);
        drop(client_async("ws://a.example/", io).await);
        let error = patiently("the error", receive.recv()).await.unwrap();
        let source = error.into_inner().downcast::<UpgradeError>().unwrap();
        assert!(source.is_connection(), "{source:?}");
    }
}

#[tokio::test]
async fn on_failed_upgrade_is_not_called_where_a_connection_comes() {
    // The twin, whose connection is handed over.
    let handler = async |upgrade: WebSocketUpgrade| {
        let upgrade = upgrade.on_failed_upgrade(|error| unreachable!("{error}"));
        upgrade.on_upgrade(echo)
    };
    opens_and_echoes(serve(Router::new().route("/", any(handler)))).await;
}
