//! What a route of the gallery does, in whichever way a client writes and sends its request.

use crate::{
    server::gallery,
    wire::{ACCEPT, Client, KEY, Request},
};

/// The ways a client's bytes may arrive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    Whole,
    Bytewise,
    Lines,
}

pub(crate) const WAYS: [Way; 3] = [Way::Whole, Way::Bytewise, Way::Lines];

pub(crate) async fn send(client: &mut Client, bytes: &[u8], way: Way) {
    match way {
        Way::Whole => client.send(bytes).await,
        Way::Bytewise => client.send_bytewise(bytes).await,
        Way::Lines => {
            client
                .send_pieces(bytes.split_inclusive(|b| *b == b'\n'))
                .await
        }
    }
}

/// The same handshake as one client or another would write it.
pub(crate) fn websockets(target: &str) -> [Request; 5] {
    let plain = Request::websocket(target);
    let lines = Request::get(target)
        .add("sec-websocket-key", KEY)
        .add("Upgrade", "h2c, foo/1")
        .add("CONNECTION", "keep-alive,,")
        .add("upgrade", ", WebSocket")
        .add("Connection", "x,UPGRADE")
        .add("Sec-WebSocket-Version", "13");
    [
        plain.clone(),
        plain.clone().set("Connection", "close, Upgrade"),
        plain.clone().set("Origin", "http://a.example"),
        plain.content(""),
        lines,
    ]
}

/// A text frame of a client (RFC 6455 5.2), masked.
pub(crate) fn masked(text: &str) -> Vec<u8> {
    let mask = [0x1a, 0x2b, 0x3c, 0x4d];
    let length = u8::try_from(text.len()).unwrap();
    let mut frame = vec![0x81, 0x80 | length];
    frame.extend_from_slice(&mask);
    frame.extend(
        text.bytes()
            .zip(mask.into_iter().cycle())
            .map(|(b, m)| b ^ m),
    );
    frame
}

/// The same of a server.
pub(crate) fn unmasked(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    [&[0x81, length], text.as_bytes()].concat()
}

/// The route opens a WebSocket for every way of asking, frames behind the head included.
pub(crate) async fn echoes_messages(target: &str) {
    let address = gallery().await;
    for request in websockets(target) {
        for way in WAYS {
            let mut client = Client::connect(address).await;
            let bytes = [request.to_bytes(), masked("one"), masked("two")].concat();
            send(&mut client, &bytes, way).await;
            let head = client.head().await;
            let connection = if request.to_bytes().windows(5).any(|w| w == b"close") {
                "upgrade, close"
            } else {
                "upgrade"
            };
            head.is(101)
                .has("connection", connection)
                .has("upgrade", "websocket");
            head.has("sec-websocket-accept", ACCEPT)
                .lacks("sec-websocket-protocol");
            head.lacks("sec-websocket-extensions")
                .lacks("content-length");
            client
                .expect([unmasked("one"), unmasked("two")].concat())
                .await;
            client.send(masked("three")).await;
            client.expect(unmasked("three")).await;
            client.finish().await;
            client.read_to_end().await;
        }
    }
}

/// The route answers so, whichever way the bytes arrive, and the connection serves another.
pub(crate) async fn answers(request: &Request, status: u16, content: &str) {
    let address = gallery().await;
    for way in WAYS {
        let mut client = Client::connect(address).await;
        for _ in 0..2 {
            send(&mut client, &request.to_bytes(), way).await;
            let response = client.response().await;
            response.head.is(status).lacks("sec-websocket-accept");
            assert!(
                response.content.contains(content),
                "{request:?} {response:?}"
            );
        }
    }
}

/// What stands in every refusal of a route that requires WebSocket.
pub(crate) async fn refuses_all_but_websocket(target: &str, listed: &str) {
    let address = gallery().await;
    for (request, status) in [
        (Request::get(target), 426),
        (Request::upgrade(target, "h2c"), 426),
        (
            Request::websocket(target).set("Connection", "xupgradey"),
            426,
        ),
        (Request::websocket(target).version("HTTP/1.0"), 426),
        (
            Request::websocket(target).set("Sec-WebSocket-Version", "12"),
            426,
        ),
        (
            Request::websocket(target).set("Sec-WebSocket-Key", "AAAA"),
            400,
        ),
        (
            Request::websocket(target).add("Sec-WebSocket-Key", KEY),
            400,
        ),
        (
            Request::websocket(target).set("Origin", "http://b.example"),
            403,
        ),
        (Request::websocket(target).method("POST").content("x"), 405),
        (Request::websocket(target).content("x"), 400),
    ] {
        let mut client = Client::connect(address).await;
        let response = client.ask(&request).await;
        assert_eq!(response.head.status, status, "{request:?} {response:?}");
        if status == 426 {
            response
                .head
                .has("upgrade", listed)
                .has("connection", "upgrade");
        }
    }
}

/// The route switches to this protocol, and gives bytes back as `change` says.
pub(crate) async fn echoes_bytes(request: &Request, protocol: &str, greeting: &str, answer: &str) {
    let address = gallery().await;
    for way in WAYS {
        let mut client = Client::connect(address).await;
        let bytes = [&request.to_bytes()[..], b"Some "].concat();
        send(&mut client, &bytes, way).await;
        let head = client.head().await;
        head.is(101)
            .has("upgrade", protocol)
            .has("connection", "upgrade");
        client.expect(greeting).await;
        client.send("Bytes").await;
        client.finish().await;
        client.expect(answer).await;
        client.expect_end().await;
    }
}
