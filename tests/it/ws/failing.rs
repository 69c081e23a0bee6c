//! Connections that are failed: the code that the peer is told, and the time it has to read it; with paused
//! time, but for those over TCP.

use std::{io, time::Duration};

use axum::{Router, response::Response, routing::any};
use futures_util::{SinkExt, StreamExt};
use http::Version;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::{Instant, timeout},
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, protocol::Role},
};
use tower_upgrade::{
    Drain,
    testing::TestOffer,
    ws::{CloseCode, CloseFrame, DeadPeer, Heartbeat, Message, WebSocket, WebSocketUpgrade},
};

use super::{
    layer,
    peers::{Peer, VERSIONS, hears, open_over, soon},
};
use crate::{http2, sockets::Io, wire::patiently};

/// How long a peer has to read the close, as it is documented.
pub(super) const LINGER: Duration = Duration::from_secs(10);
/// The largest message of an app here.
const MAX: usize = 1 << 20;

/// An app with this handler of a connection.
pub(super) fn app<H, F>(handler: H) -> Router
where
    H: FnOnce(WebSocket) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    let accept = async |upgrade: WebSocketUpgrade| -> Response {
        let upgrade = upgrade.max_message_size(MAX).max_frame_size(MAX);
        upgrade.on_upgrade(handler)
    };
    Router::new().route("/", any(accept))
}

/// Receives until there is an error.
pub(super) async fn error(socket: &mut WebSocket) -> axum::Error {
    loop {
        if let Err(error) = socket.recv().await.expect("an error before the end") {
            return error;
        }
    }
}

/// An app that fails who makes an error, and tells how long that took.
pub(super) fn failing() -> (Router, UnboundedReceiver<Duration>) {
    let (send, receive) = unbounded_channel();
    let app = app(async move |mut socket| {
        let error = error(&mut socket).await;
        let start = Instant::now();
        socket.fail(&error).await;
        send.send(start.elapsed()).unwrap();
    });
    (app, receive)
}

pub(super) async fn took(receive: &mut UnboundedReceiver<Duration>) -> Duration {
    let took = timeout(LINGER * 10, receive.recv()).await;
    took.expect("an end").expect("no panic")
}

/// A masked frame.
pub(super) fn masked(first: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap() | 0x80;
    [&[first, length, 0, 0, 0, 0], content].concat()
}

/// The head of a frame that is too large by a byte.
pub(super) fn too_large() -> Vec<u8> {
    let length = u64::try_from(MAX + 1).unwrap();
    [&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()
}

/// What a client does wrong, and the code for that.
fn errors() -> Vec<(&'static str, Vec<u8>, CloseCode)> {
    let piece = |first| [masked(first, &[b'a'; 100]), masked(0x80, &[0xff])].concat();
    vec![
        ("not masked", b"\x81\x05hello".to_vec(), 1002),
        ("a reserved bit", masked(0xc1, b"a"), 1002),
        ("a reserved opcode", masked(0x83, b"a"), 1002),
        ("a reserved control", masked(0x8b, b""), 1002),
        ("nothing to go on with", masked(0x80, b"a"), 1002),
        ("a ping in pieces", masked(0x09, b""), 1002),
        ("half a code", masked(0x88, &[3]), 1002),
        ("text that is none", masked(0x81, b"\xff"), 1007),
        ("text in pieces that is none", piece(0x01), 1007),
        ("a reason that is none", masked(0x88, b"\x03\xe8\xff"), 1007),
        ("too large", too_large(), 1009),
    ]
}

pub(super) async fn write(peer: &mut Peer, bytes: &[u8]) {
    soon(peer.get_mut().write_all(bytes)).await.unwrap();
}

/// Reads a close and the end behind it.
pub(super) async fn is_told(peer: Peer, code: CloseCode, what: &str) -> String {
    let mut io = peer.into_inner();
    let mut read = Vec::new();
    soon(io.read_to_end(&mut read)).await.unwrap();
    let [0x88, length, first, second, reason @ ..] = &*read else {
        panic!("{what}: {read:?}");
    };
    assert_eq!(u16::from_be_bytes([*first, *second]), code, "{what}");
    assert_eq!(usize::from(*length), reason.len() + 2, "{what}: one frame");
    String::from_utf8(reason.to_vec()).unwrap()
}

/// Reads a close, and the end behind the answer to it.
async fn closes(mut peer: Peer) -> (CloseCode, String) {
    let tungstenite::Message::Close(Some(frame)) = hears(&mut peer).await else {
        panic!("a close");
    };
    let rest = soon(peer.next()).await;
    assert!(rest.is_none(), "{rest:?}");
    (frame.code.into(), frame.reason.to_string())
}

#[tokio::test(start_paused = true)]
async fn every_error_has_its_code() {
    // RFC 6455 7.4.1; whether the handler fails the connection or just returns.
    for is_failed in [true, false] {
        let (send, mut ended) = unbounded_channel();
        let app = app(async move |mut socket| {
            let error = error(&mut socket).await;
            if is_failed {
                socket.fail(&error).await;
            }
            assert!(socket.recv().await.is_none());
            let late = socket.send(Message::text("late")).await;
            assert!(late.is_err(), "nothing is sent behind a close");
            // Not reached in a panic.
            send.send(()).unwrap();
        });
        for version in VERSIONS {
            for (what, bytes, code) in errors() {
                let mut peer = open_over(version, &app).await;
                write(&mut peer, &masked(0x81, b"sound")).await;
                write(&mut peer, &bytes).await;
                if is_failed {
                    soon(peer.get_mut().shutdown()).await.unwrap();
                }
                let why = is_told(peer, code, what).await;
                assert!(!why.is_empty() && why.is_ascii(), "{what}: {why}");
                soon(ended.recv()).await.expect("no panic");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_handlers_own_have_codes_too() {
    // Bytes that are no text are 1007, and what is not known here 1011, of which nothing is told.
    let app = app(async |mut socket| {
        let message = socket.recv().await.unwrap().unwrap();
        let error = match message.to_text() {
            Ok(_) => axum::Error::new(io::Error::other("a secret")),
            Err(error) => error,
        };
        socket.fail(&error).await;
    });
    for version in VERSIONS {
        for (content, code) in [(b"\xff", 1007), (b"a", 1011)] {
            let mut peer = open_over(version, &app).await;
            write(&mut peer, &masked(0x82, content)).await;
            soon(peer.get_mut().shutdown()).await.unwrap();
            let why = is_told(peer, code, "own").await;
            assert_eq!(why.is_empty(), code == 1011, "{why}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_of_ones_own_is_sent_and_a_long_reason_cut() {
    // `close_with`, with at most 123 bytes of reason (RFC 6455 5.5), and no half of a letter.
    for (reason, told) in [
        ("not here".to_owned(), "not here".to_owned()),
        ("é".repeat(100), "é".repeat(61)),
        ("e".repeat(123), "e".repeat(123)),
    ] {
        for version in VERSIONS {
            let reason = reason.clone();
            let (send, mut ended) = unbounded_channel();
            let app = app(async move |mut socket| {
                let (code, reason) = (1008, reason.into());
                socket.send(Message::text("before")).await.unwrap();
                socket.close_with(CloseFrame { code, reason }).await;
                assert!(socket.recv().await.is_none());
                send.send(()).unwrap();
            });
            let mut peer = open_over(version, &app).await;
            assert!(hears(&mut peer).await.is_text());
            assert_eq!(closes(peer).await, (1008, told.clone()));
            soon(ended.recv()).await.expect("no panic");
        }
    }
}

/// Opens a WebSocket over TCP.
async fn open_tcp(version: Version, app: Router) -> Peer {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = TcpStream::connect(listener.local_addr().unwrap()).await;
    tokio::spawn(async move { axum::serve(listener, app).await });
    if version == Version::HTTP_11 {
        let io: Box<dyn Io> = Box::new(tcp.unwrap());
        let opened = patiently("the handshake", client_async("ws://a.example/", io)).await;
        return opened.unwrap().0;
    }
    let client = http2::Client::over(tcp.unwrap()).await;
    let (_, stream) = client.open(http2::websocket("/")).await;
    let io: Box<dyn Io> = Box::new(stream.0);
    WebSocketStream::from_raw_socket(io, Role::Client, None).await
}

#[tokio::test]
async fn a_client_that_sends_32_mib_before_it_reads_is_told() {
    // It is read on, for closed with bytes unread the connection would be reset.
    for version in VERSIONS {
        let (app, mut took) = failing();
        let mut peer = open_tcp(version, app).await;
        let message = tungstenite::Message::binary(vec![7; 32 << 20]);
        patiently("room to send", peer.send(message)).await.unwrap();
        match patiently("the close", peer.next()).await {
            Some(Ok(tungstenite::Message::Close(Some(frame)))) => {
                assert_eq!(u16::from(frame.code), 1009);
            }
            other => panic!("{version:?}: {other:?}"),
        }
        assert!(patiently("the end", peer.next()).await.is_none());
        drop(peer);
        patiently("the handler's end", took.recv()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_was_given_up_is_not_told() {
    // A dead one reads nothing.
    let (send, mut receive) = unbounded_channel();
    let handler = async move |upgrade: WebSocketUpgrade| {
        let upgrade = upgrade.heartbeat(Heartbeat::every(LINGER));
        upgrade.on_upgrade(async move |mut socket| {
            let error = error(&mut socket).await;
            assert!(DeadPeer::is_cause_of(&error));
            let start = Instant::now();
            socket.fail(&error).await;
            send.send(start.elapsed()).unwrap();
        })
    };
    let app = Router::new().route("/", any(handler));
    let peer = open_over(Version::HTTP_11, &app).await;
    assert_eq!(took(&mut receive).await, Duration::ZERO);
    let mut read = Vec::new();
    soon(peer.into_inner().read_to_end(&mut read))
        .await
        .unwrap();
    assert_eq!(read, b"\x89\x09heartbeat", "a ping and no close");
}

#[tokio::test(start_paused = true)]
async fn a_close_that_was_sent_is_not_sent_again() {
    // By the handler, or by a drain.
    for version in VERSIONS {
        for code in [1000, 1001] {
            let drain = Drain::new();
            let starts = drain.clone();
            let app = app(async move |mut socket| {
                if code == 1001 {
                    starts.start();
                } else {
                    let reason = "".into();
                    let own = Message::Close(Some(CloseFrame { code, reason }));
                    socket.send(own).await.unwrap();
                }
                let error = error(&mut socket).await;
                socket.fail(&error).await;
            });
            let app = app.layer(layer().drain(drain));
            let mut peer = open_over(version, &app).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            write(&mut peer, &masked(0x83, b"")).await;
            assert_eq!(closes(peer).await, (code, String::new()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_room_in_a_bounded_buffer() {
    // The message that fills it comes whole, and then the close.
    let handler = async |upgrade: WebSocketUpgrade| {
        let upgrade = upgrade.write_buffer_size(0).max_write_buffer_size(10_000);
        upgrade.on_upgrade(async |mut socket| {
            let full = Message::binary(vec![7; 9_996]);
            assert!(timeout(LINGER, socket.send(full)).await.is_err());
            let error = error(&mut socket).await;
            socket.fail(&error).await;
        })
    };
    let app = Router::new().route("/", any(handler));
    let offer = TestOffer::websocket("/").capacity(1);
    let io: Box<dyn Io> = Box::new(offer.send(app).await.unwrap().into_client());
    let mut peer = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    // The handler reads by then.
    tokio::time::sleep(LINGER * 3 / 2).await;
    write(&mut peer, &masked(0x83, b"")).await;
    assert_eq!(hears(&mut peer).await.len(), 9_996);
    assert_eq!(closes(peer).await.0, 1002);
}
