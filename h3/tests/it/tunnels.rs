//! Extended CONNECT (RFC 9220), from the offer to an orderly end.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, protocol::Role},
};

use crate::{
    client::{Client, Stream, head},
    server, soon, until, wire,
};

/// A client's stream as I/O, for a WebSocket engine.
fn io(stream: Stream) -> tokio::io::DuplexStream {
    let (ours, theirs) = tokio::io::duplex(64 << 10);
    let (mut from, mut to) = tokio::io::split(theirs);
    let Stream {
        mut send,
        mut reading,
    } = stream;
    tokio::spawn(async move {
        let mut buffer = vec![0; 8 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let data = wire::frame(wire::DATA, &buffer[..length]);
            if send.write_all(&data).await.is_err() {
                return;
            }
        }
        let _ = send.finish();
    });
    tokio::spawn(async move {
        let mut buffer = vec![0; 8 << 10];
        while let Ok(length @ 1..) = reading.read(&mut buffer).await {
            if to.write_all(&buffer[..length]).await.is_err() {
                return;
            }
        }
        let _ = to.shutdown().await;
    });
    ours
}

#[tokio::test]
async fn extended_connect_is_announced() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut control = client.server_control().await;
    assert_eq!(control.next().await.unwrap(), Some(wire::SETTINGS));
    let mut settings = &control.payload().await[..];
    let mut read = Vec::new();
    while let Some((identifier, value, length)) = wire::pair(settings) {
        if !wire::is_grease(identifier) {
            read.push((identifier, value));
        }
        settings = &settings[length..];
    }
    // The largest head that is answered, QPACK without a table, and extended CONNECT.
    assert_eq!(read, [(6, 64 << 10), (1, 0), (7, 0), (8, 1)]);
}

#[tokio::test]
async fn a_websocket_echoes_messages() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let stream = client.tunnel("/ws", "websocket").await;
    let mut socket = WebSocketStream::from_raw_socket(io(stream), Role::Client, None).await;
    for size in [0, 1, 125, 126, 65_536, 300_000] {
        let message = Message::binary(vec![size as u8; size]);
        soon(socket.send(message.clone())).await.unwrap();
        assert_eq!(soon(socket.next()).await.unwrap().unwrap(), message);
    }
    assert_eq!(server.limit.live(), 1);
    socket.close(None).await.unwrap();
    while soon(socket.next()).await.is_some() {}
    drop(socket);
    until(|| server.limit.live() == 0).await;
}

#[tokio::test]
async fn a_protocol_is_selected_among_several_by_its_name_without_case() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/multi", "Echo/1.0").await;
    stream.write(b"ping").await;
    assert_eq!(stream.read_exact(4).await, b"ping");
    stream.finish();
    assert_eq!(stream.read_to_end().await.unwrap(), b"");
    until(|| server.limit.live() == 0).await;
    client.tunnel("/multi", "WebSocket").await;
}

#[tokio::test]
async fn an_unknown_protocol_is_answered_501_and_its_stream_ends() {
    let server = server::start();
    let client = Client::connect(&server).await;
    for (path, protocol) in [
        ("/multi", "echo/2.0"),
        ("/ws", "echo/1.0"),
        ("/ws", "webtransport"),
    ] {
        let mut stream = client.offer(path, protocol).await;
        assert_eq!(stream.answer().await.status, "501", "{protocol}");
        stream.read_to_end().await.unwrap();
        assert_eq!(soon(stream.send.stopped()).await.unwrap(), Some(NO_ERROR));
    }
    assert_eq!(server.limit.live(), 0);
}

#[tokio::test]
async fn a_route_that_requires_an_upgrade_tells_a_get_what_it_needs() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let answer = client.get("/ws").await.answer().await;
    assert_eq!(
        (&*answer.status, answer.field("allow")),
        ("405", Some("CONNECT"))
    );
    assert_eq!(answer.field("upgrade"), None);
}

#[tokio::test]
async fn a_route_that_knows_get_alone_is_shown_one() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/get-only", "echo/1.0").await;
    stream.write(b"ping").await;
    assert_eq!(stream.read_exact(4).await, b"ping");
}

#[tokio::test]
async fn a_page_of_another_site_gets_no_websocket() {
    let server = server::start();
    let client = Client::connect(&server).await;
    for (origin, status) in [
        ("https://localhost", "200"),
        ("https://elsewhere.example", "403"),
    ] {
        let fields = [
            &head("CONNECT", "/ws")[..],
            &[
                (":protocol", "websocket"),
                ("sec-websocket-version", "13"),
                ("origin", origin),
            ],
        ];
        let mut stream = client.request(&fields.concat()).await;
        assert_eq!(stream.answer().await.status, status, "{origin}");
    }
}

#[tokio::test]
async fn a_2xx_without_acceptance_opens_nothing() {
    let server = server::start();
    let client = Client::connect(&server).await;
    // Behind the layer, and without one.
    for path in ["/unaware", "/bare-200"] {
        let mut stream = client.offer(path, "echo/1.0").await;
        assert_eq!(stream.answer().await.status, "501", "{path}");
        stream.read_to_end().await.unwrap();
        assert_eq!(soon(stream.send.stopped()).await.unwrap(), Some(NO_ERROR));
    }
    let mut stream = client.offer("/bare-101", "echo/1.0").await;
    assert_eq!(stream.answer().await.status, "500");
    // A CONNECT that names no protocol, and that nobody serves.
    let mut plain = client
        .request(&[(":method", "CONNECT"), (":authority", "localhost:1")])
        .await;
    let status = plain.answer().await.status;
    assert!(status.starts_with('4') || status == "501", "{status}");
    assert_eq!(server.limit.live(), 0);
}

#[tokio::test]
async fn a_forward_proxy_takes_a_plain_connect_itself() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let connect = [(":method", "CONNECT"), (":authority", "echo.example:7")];
    let mut stream = client.request(&connect).await;
    assert_eq!(stream.answer().await.status, "200");
    stream.write(b"ping").await;
    assert_eq!(stream.read_exact(4).await, b"ping");
    stream.finish();
    assert_eq!(stream.read_to_end().await.unwrap(), b"");
}

#[tokio::test]
async fn an_accepted_answer_has_no_field_of_http_1() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let answer = client.offer("/ws", "websocket").await.answer().await;
    assert_eq!(answer.status, "200");
    for name in [
        "upgrade",
        "connection",
        "content-length",
        "transfer-encoding",
    ] {
        assert_eq!(answer.field(name), None, "{name}");
    }
}

#[tokio::test]
async fn what_was_sent_ahead_of_the_answer_arrives() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.offer("/multi", "echo/1.0").await;
    stream.write(b"early").await;
    stream.finish();
    assert_eq!(stream.answer().await.status, "200");
    assert_eq!(stream.read_to_end().await.unwrap(), b"early");
}

#[tokio::test]
async fn either_half_may_end_first() {
    let mut server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/hello", "echo/1.0").await;
    // The server's first.
    assert_eq!(stream.read_to_end().await.unwrap(), b"hello");
    assert_eq!(server.limit.live(), 1);
    stream.write(b"good").await;
    stream.write(b"bye").await;
    stream.finish();
    until(|| server.limit.live() == 0).await;

    // The client's first: what is in the stream is echoed all the same.
    let mut stream = client.tunnel("/multi", "echo/1.0").await;
    stream.write(&[3; 50_000]).await;
    stream.finish();
    assert_eq!(stream.read_to_end().await.unwrap(), [3; 50_000]);

    let mut stream = client.tunnel("/watch", "echo/1.0").await;
    stream.write(b"12345").await;
    stream.finish();
    assert_eq!(soon(server.ends.recv()).await, Some((5, None)));
}

#[tokio::test]
async fn a_hundred_tunnels_live_side_by_side() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(client.tunnel("/multi", "echo/1.0").await);
    }
    assert_eq!(server.limit.live(), 100);
    for (n, stream) in streams.iter_mut().enumerate() {
        stream.write(format!("{n:03}").as_bytes()).await;
    }
    for (n, stream) in streams.iter_mut().enumerate().rev() {
        assert_eq!(stream.read_exact(3).await, format!("{n:03}").as_bytes());
    }
    for stream in &mut streams {
        stream.finish();
    }
    for stream in &mut streams {
        assert_eq!(stream.read_to_end().await.unwrap(), b"");
    }
    until(|| server.limit.live() == 0).await;
    // There is room again.
    client.tunnel("/multi", "echo/1.0").await;
}

#[tokio::test]
async fn content_is_not_what_a_connect_has() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let offer = [&head("CONNECT", "/multi")[..], &[(":protocol", "echo/1.0")]].concat();
    let none = [&offer[..], &[("content-length", "0")]].concat();
    assert_eq!(client.request(&none).await.answer().await.status, "200");
    let some = [&offer[..], &[("content-length", "5")]].concat();
    assert_eq!(client.request(&some).await.reset_code().await, 0x10e);
}

#[tokio::test]
async fn clients_do_not_wait_for_each_other() {
    static DONE: AtomicUsize = AtomicUsize::new(0);
    let server = server::start();
    let mut clients = Vec::new();
    for _ in 0..8 {
        let client = Client::connect(&server).await;
        clients.push(tokio::spawn(async move {
            let mut stream = client.tunnel("/multi", "echo/1.0").await;
            for round in 0..20 {
                stream.write(&[round; 2000]).await;
                assert_eq!(stream.read_exact(2000).await, [round; 2000]);
            }
            DONE.fetch_add(1, Ordering::Relaxed);
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!(DONE.load(Ordering::Relaxed), 8);
}

const NO_ERROR: quinn::VarInt = quinn::VarInt::from_u32(0x100);
