//! One source, compiled with axum's `use` line and with ours: an app changes that line and no other.

/// A module with an app, by the `use` lines it is given.
macro_rules! app {
    ($name:ident, $($line:item)+) => {
        mod $name {
            $($line)+

            use std::borrow::Cow;

            use axum::{Error, Router, body::Bytes, extract::State, response::Response, routing::any};
            use futures_util::{SinkExt, StreamExt, sink::Sink, stream::{FusedStream, SplitSink, SplitStream, Stream}};
            use http::HeaderValue;

            pub(super) fn app() -> Router {
                Router::new()
                    .route("/", any(echo))
                    .route("/closure", any(|ws: WebSocketUpgrade| async { ws.on_upgrade(handle_socket) }))
                    .route("/state", any(with_state))
                    .route("/options", any(with_options))
                    .route("/split", any(async |ws: WebSocketUpgrade| ws.on_upgrade(split)))
                    .route("/result", any(fallible))
                    .with_state("state".to_owned())
            }

            async fn echo(ws: WebSocketUpgrade) -> Response {
                ws.on_upgrade(handle_socket)
            }

            async fn handle_socket(mut socket: WebSocket) {
                while let Some(msg) = socket.recv().await {
                    let msg = if let Ok(msg) = msg {
                        msg
                    } else {
                        return;
                    };
                    match &msg {
                        Message::Text(text) => assert_eq!(text.as_str(), &**text),
                        Message::Binary(bytes) => assert!(bytes.len() < 1 << 20),
                        Message::Ping(_) | Message::Pong(_) => continue,
                        Message::Close(Some(CloseFrame { code, reason })) => {
                            assert!(*code == close_code::NORMAL, "{reason}");
                            return;
                        }
                        Message::Close(None) => return,
                    }
                    if socket.send(msg).await.is_err() {
                        return;
                    }
                }
            }

            async fn with_state(State(state): State<String>, ws: WebSocketUpgrade) -> Response {
                ws.on_upgrade(move |mut socket| async move {
                    let _ = socket.send(Message::Text(state.into())).await;
                    let reason = Utf8Bytes::from_static("done");
                    let code: CloseCode = close_code::NORMAL;
                    let _ = socket.send(Message::Close(Some(CloseFrame { code, reason }))).await;
                })
            }

            async fn with_options(ws: WebSocketUpgrade) -> Response {
                let mut ws = ws
                    .read_buffer_size(8 << 10)
                    .write_buffer_size(0)
                    .max_write_buffer_size(1 << 20)
                    .max_message_size(1 << 20)
                    .max_frame_size(1 << 20)
                    .accept_unmasked_frames(false)
                    .protocols(["v2", "v1"]);
                let selected = ws.selected_protocol().and_then(|name| name.to_str().ok());
                assert!(matches!(selected, Some("v2")));
                let first: HeaderValue = ws.requested_protocols().next().cloned().unwrap();
                ws.set_selected_protocol(first);
                ws.on_failed_upgrade(report).on_upgrade(tell_protocol)
            }

            async fn tell_protocol(mut socket: WebSocket) {
                let protocol = socket.protocol().and_then(|v| v.to_str().ok());
                let protocol = protocol.unwrap_or("none").to_owned();
                let _ = socket.send(protocol.into()).await;
            }

            fn report(_: Error) {}

            async fn fallible(ws: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Result<Response, WebSocketUpgradeRejection> {
                Ok(ws?.on_upgrade(handle_socket))
            }

            async fn split(socket: WebSocket) {
                let (sender, receiver) = socket.split();
                let sender = tokio::spawn(write(sender));
                let receiver = tokio::spawn(read(receiver));
                let _ = tokio::join!(sender, receiver);
            }

            async fn read(mut receiver: SplitStream<WebSocket>) {
                while let Some(Ok(_)) = receiver.next().await {}
            }

            async fn write(mut sender: SplitSink<WebSocket, Message>) {
                for text in ["a", "b"] {
                    sender.feed(Message::text(text)).await.unwrap();
                }
                sender.flush().await.unwrap();
                sender.close().await.unwrap();
            }

            #[test]
            fn messages_are_made_and_read_in_every_way() {
                // Every constructor, conversion and comparison of axum's messages.
                let texts: [Message; 5] = [
                    Message::text("a"),
                    Message::Text("a".into()),
                    "a".into(),
                    String::from("a").into(),
                    Message::Text(Utf8Bytes::from(&String::from("a"))),
                ];
                for text in texts {
                    assert_eq!(text, Message::text(String::from("a")));
                    assert_eq!(text.to_text().unwrap(), "a");
                    assert_eq!(text.clone().into_data(), Bytes::from_static(b"a"));
                    assert_eq!(Vec::<u8>::from(text.clone()), b"a");
                    assert_eq!(text.into_text().unwrap(), "a");
                }
                let binaries: [Message; 4] = [
                    Message::binary(vec![97]),
                    (&b"a"[..]).into(),
                    vec![97].into(),
                    Bytes::from_static(b"a").into(),
                ];
                for binary in binaries {
                    assert_eq!(binary, Message::Binary(Bytes::from_static(b"a")));
                    assert_eq!(binary.to_text().unwrap(), "a");
                }
                assert!(Message::binary(vec![0xff]).to_text().is_err());
                assert!(Message::Ping(vec![0xff].into()).into_text().is_err());
                assert_eq!(Message::Close(None).to_text().unwrap(), "");
                assert_eq!(Message::Close(None).into_text().unwrap(), Utf8Bytes::default());
                let (code, reason) = (close_code::AWAY, "gone".into());
                let close = Message::Close(Some(CloseFrame { code, reason }));
                assert_eq!(close.to_text().unwrap(), "gone");
                assert_eq!(close.into_data(), "gone");
            }

            #[test]
            fn texts_are_read_like_a_str() {
                // Every conversion and comparison of axum's `Utf8Bytes`.
                let text = Utf8Bytes::from_static("text");
                let (string, cow) = (String::from("text"), Cow::from("text"));
                assert!(text == "text" && text == string && text == cow);
                assert_eq!(format!("{text} {:?}", text.len()), "text 4");
                assert_eq!(Utf8Bytes::try_from(Bytes::from_static(b"text")).unwrap(), text);
                assert_eq!(Utf8Bytes::try_from(b"text".to_vec()).unwrap(), text);
                let invalid: Result<_, std::str::Utf8Error> = Utf8Bytes::try_from(vec![0xff]);
                assert!(invalid.is_err());
                assert_eq!(Bytes::from(text), "text");
            }

            #[test]
            fn types_promise_the_same() {
                // What a handler's signatures and bounds can ask for.
                fn is_sent<T: Send + Unpin + std::fmt::Debug + 'static>() {}
                fn is_socket<T: FusedStream + Stream<Item = Result<Message, Error>> + Sink<Message, Error = Error>>() {}
                fn is_callback<T: OnFailedUpgrade>(_: T) {}
                is_sent::<WebSocket>();
                is_socket::<WebSocket>();
                is_sent::<WebSocketUpgrade>();
                is_sent::<WebSocketUpgrade<DefaultOnFailedUpgrade>>();
                is_sent::<Message>();
                is_callback(report);
                is_callback(|_: Error| {});
                let codes: [CloseCode; 13] = [
                    close_code::NORMAL,
                    close_code::AWAY,
                    close_code::PROTOCOL,
                    close_code::UNSUPPORTED,
                    close_code::STATUS,
                    close_code::ABNORMAL,
                    close_code::INVALID,
                    close_code::POLICY,
                    close_code::SIZE,
                    close_code::EXTENSION,
                    close_code::ERROR,
                    close_code::RESTART,
                    close_code::AGAIN,
                ];
                assert_eq!(codes, [1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013]);
            }
        }
    };
}

app!(
    axums,
    use axum::extract::ws::{
        CloseCode, CloseFrame, DefaultOnFailedUpgrade, Message, OnFailedUpgrade, Utf8Bytes,
        WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection,
    };
);
app!(
    ours,
    use tower_upgrade::ws::{
        CloseCode, CloseFrame, DefaultOnFailedUpgrade, Message, OnFailedUpgrade, Utf8Bytes,
        WebSocket, WebSocketUpgrade, close_code, rejection::WebSocketUpgradeRejection,
    };
);

use axum::Router;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::{
    client_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::{server::serve, wire::patiently};

/// Sends a text to each route, and returns all that comes back.
async fn talk(app: Router, path: &str) -> Vec<String> {
    let uri = format!("ws://a.example{path}");
    let mut request = uri.into_client_request().unwrap();
    let offer = "v1, v2".parse().unwrap();
    request
        .headers_mut()
        .insert("sec-websocket-protocol", offer);
    if path != "/options" {
        request.headers_mut().remove("sec-websocket-protocol");
    }
    let handshake = client_async(request, serve(app));
    let (mut socket, _) = patiently("the handshake", handshake).await.unwrap();
    let _ = socket.send(Message::text("hello")).await;
    let _ = socket.close(None).await;
    let mut said = Vec::new();
    while let Some(Ok(message)) = patiently("a message", socket.next()).await {
        said.push(message.to_string());
    }
    said
}

#[tokio::test]
async fn both_apps_say_the_same() {
    // What a client hears does not tell which of the two it is.
    for path in ["/", "/closure", "/state", "/options", "/split", "/result"] {
        let said = talk(ours::app(), path).await;
        let mut theirs = talk(axums::app(), path).await;
        // axum's answers a close only if it is read on.
        if ["/", "/closure", "/result"].contains(&path) {
            theirs.push(String::new());
        }
        assert_eq!(said, theirs, "{path}");
        assert!(!said.is_empty(), "{path}");
    }
}
