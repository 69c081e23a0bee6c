//! tokio-tungstenite's client against the gallery.

use std::fmt::Debug;

use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Response, StatusCode};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::Role},
};

use crate::{server, wire::patiently};

/// Speaks WebSocket over what a stream of HTTP/2 opened, and checks that it echoes messages.
pub(crate) async fn echoes_messages<I>(io: I)
where
    I: AsyncRead + AsyncWrite + Unpin + Debug,
{
    let socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    echoes(socket).await;
}

/// Checks a text, a binary message of many frames' worth of buffer, a ping, and the closing.
async fn echoes<I: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<I>) {
    for message in [
        Message::text("hello"),
        Message::binary(vec![7; 100_000]),
        Message::text(""),
    ] {
        patiently("room to send", socket.send(message.clone()))
            .await
            .unwrap();
        let echo = patiently("the echo", socket.next()).await.unwrap().unwrap();
        assert!(echo == message, "another message came back");
    }
    let ping = Message::Ping("are you there".into());
    patiently("room to send", socket.send(ping)).await.unwrap();
    let pong = patiently("the pong", socket.next()).await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("are you there".into()));

    patiently("room to send", socket.close(None)).await.unwrap();
    let close = patiently("the closing", socket.next())
        .await
        .unwrap()
        .unwrap();
    assert!(close.is_close(), "{close:?}");
}

/// Opens a WebSocket by HTTP/1.1, checks that it echoes messages, and returns the 101.
pub(crate) async fn opens_and_echoes<I>(io: I) -> Response<Option<Vec<u8>>>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let handshake = client_async("ws://a.example/", io);
    let (socket, answer) = patiently("the handshake", handshake).await.unwrap();
    echoes(socket).await;
    answer
}

type Opened = (WebSocketStream<TcpStream>, Response<Option<Vec<u8>>>);

/// Opens a WebSocket at a path of the gallery, offering these subprotocols.
async fn open(path: &str, subprotocols: Option<&'static str>) -> Result<Opened, Error> {
    let address = server::gallery().await;
    let mut request = format!("ws://{address}{path}").into_client_request()?;
    if let Some(subprotocols) = subprotocols {
        let subprotocols = HeaderValue::from_static(subprotocols);
        request
            .headers_mut()
            .insert("sec-websocket-protocol", subprotocols);
    }
    let io = TcpStream::connect(address).await?;
    patiently("the handshake", client_async(request, io)).await
}

#[tokio::test]
async fn ws_echoes_with_the_subprotocol_it_chose() {
    // The first of ours that the client offers too.
    let (socket, answer) = open("/ws", Some("v1, v2")).await.unwrap();
    assert_eq!(answer.headers()["sec-websocket-protocol"], "v2");
    echoes(socket).await;
}

#[tokio::test]
async fn ws_names_no_subprotocol_to_a_client_that_offers_none() {
    // A client fails if it is told one it did not offer.
    let (socket, answer) = open("/ws", None).await.unwrap();
    assert!(!answer.headers().contains_key("sec-websocket-protocol"));
    echoes(socket).await;
}

#[tokio::test]
async fn every_route_that_speaks_websocket_echoes() {
    // Through the layer, raw or translated, the client notices no difference.
    for path in ["/either", "/multi", "/multi-server", "/axum", "/get-only"] {
        let (socket, answer) = open(path, None).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SWITCHING_PROTOCOLS, "{path}");
        echoes(socket).await;
    }
}

#[tokio::test]
async fn a_route_that_speaks_another_protocol_refuses() {
    // 426 names what is spoken instead.
    let Err(Error::Http(answer)) = open("/exec", None).await else {
        panic!("it was opened");
    };
    assert_eq!(answer.status(), StatusCode::UPGRADE_REQUIRED);
    assert_eq!(answer.headers()["upgrade"], "echo/1.0");
}

#[tokio::test]
async fn a_handler_that_declines_is_the_one_who_answers() {
    // 403 of the handler, not of the layer.
    let Err(Error::Http(answer)) = open("/decline", None).await else {
        panic!("it was opened");
    };
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}
