//! What a client must not do, and what it costs: its stream, or its connection.

use crate::{
    client::{Client, head},
    server::{Site, start, start_with},
    soon, until,
    wire::{self, frame},
};

/// A whole head, and then some.
async fn opens(server: &Site, octets: &[u8]) -> Client {
    let client = Client::connect(server).await;
    let mut stream = client.open().await;
    stream.send.write_all(octets).await.unwrap();
    stream.finish();
    client
}

#[tokio::test]
async fn a_flood_of_fields_is_answered_431() {
    let server = start();
    let client = Client::connect(&server).await;
    let value = "x".repeat(1000);
    let names: Vec<_> = (0..20).map(|n| format!("x-{n}")).collect();
    let mut fields = head("GET", "/").to_vec();
    fields.extend(names.iter().map(|name| (&**name, &*value)));
    let mut stream = client.request(&fields).await;
    assert_eq!(stream.answer().await.status, "431");
    // Small on the wire, large in memory: 1,000 times `:path /`, of 38 octets each.
    let mut stream = client.open().await;
    let block = [&[0, 0][..], &[0xc1; 1000]].concat();
    stream
        .send
        .write_all(&frame(wire::HEADERS, &block))
        .await
        .unwrap();
    assert_eq!(stream.answer().await.status, "431");
    assert_eq!(client.get("/").await.answer().await.status, "200");
    // More than four times of what is allowed, only announced and in the table's terms.
    let announced = wire::frame_head(wire::HEADERS, 1 << 40);
    let unpacked = frame(wire::HEADERS, &[&[0, 0][..], &[0xc1; 2000]].concat());
    for octets in [announced, unpacked] {
        let client = opens(&server, &octets).await;
        assert_eq!(client.close_code().await, 0x107);
    }

    let server = start_with(std::time::Duration::ZERO, |s| s.max_header_size(64 << 10));
    let client = Client::connect(&server).await;
    assert_eq!(client.request(&fields).await.answer().await.status, "200");
}

#[tokio::test]
async fn a_malformed_head_ends_its_stream_alone() {
    let server = start();
    let client = Client::connect(&server).await;
    let get = head("GET", "/");
    for more in [
        (":path", "/"),
        (":status", "200"),
        (":protocol", "websocket"),
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("content-length", "some"),
        ("x", "a\nb"),
    ] {
        let mut stream = client.request(&[&get[..], &[more]].concat()).await;
        assert_eq!(stream.reset_code().await, 0x10e, "{more:?}");
    }
    assert_eq!(client.request(&get[..3]).await.reset_code().await, 0x10e);
    for cut in [&[][..], &[1], &[1, 10, 0, 0]] {
        let mut stream = client.open().await;
        stream.send.write_all(cut).await.unwrap();
        stream.finish();
        assert_eq!(stream.reset_code().await, 0x10d, "{cut:?}");
    }
    assert_eq!(client.get("/").await.answer().await.status, "200");
}

#[tokio::test]
async fn unexpected_frames_end_the_connection() {
    let server = start();
    for (octets, code) in [
        // DATA first.
        (frame(wire::DATA, b"a"), 0x105),
        (frame(wire::SETTINGS, b""), 0x105),
        // PUSH_PROMISE.
        (frame(5, b"\0\0\0"), 0x105),
        // A block that refers to a dynamic table.
        (frame(wire::HEADERS, &[1, 0, 0x80]), 0x200),
        (frame(wire::HEADERS, &[]), 0x200),
    ] {
        let client = opens(&server, &octets).await;
        assert_eq!(client.close_code().await, code, "{octets:02x?}");
    }
}

#[tokio::test]
async fn a_tunnel_carries_data_alone() {
    let mut server = start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/watch", "echo/1.0").await;
    stream.write(b"1").await;
    // Unknown types are skipped, whatever their size.
    stream
        .send
        .write_all(&frame(0x21, &[0; 5000]))
        .await
        .unwrap();
    stream.write(b"2").await;
    stream
        .send
        .write_all(&frame(wire::HEADERS, b"\0\0"))
        .await
        .unwrap();
    let (read, why) = soon(server.ends.recv()).await.unwrap();
    assert_eq!((read, why), (2, Some(std::io::ErrorKind::InvalidData)));
    assert_eq!(client.close_code().await, 0x105);
    until(|| server.limit.live() == 0).await;
}

#[tokio::test]
async fn what_is_wrong_with_a_control_stream_ends_the_connection() {
    let server = start();
    for (octets, code) in [
        // No settings first; settings twice; one of HTTP/2.
        (&[0, 7, 1, 0][..], 0x10a),
        (&[0, 4, 0, 4, 0], 0x105),
        (&[0, 4, 2, 2, 0], 0x109),
        // A push stream.
        (&[1], 0x103),
    ] {
        let mut client = Client::bare(&server).await;
        client.control.write_all(octets).await.unwrap();
        assert_eq!(client.close_code().await, code, "{octets:02x?}");
    }
    for kind in [0, 2, 3] {
        let mut client = Client::bare(&server).await;
        client.control.write_all(&[kind]).await.unwrap();
        client.control.finish().unwrap();
        assert_eq!(client.close_code().await, 0x104, "stream {kind} ends");
        let client = Client::connect(&server).await;
        let mut streams = Vec::new();
        for _ in 0..2 {
            let mut stream = client.connection.open_uni().await.unwrap();
            stream.write_all(&[kind]).await.unwrap();
            streams.push(stream);
        }
        assert_eq!(client.close_code().await, 0x103, "stream {kind} twice");
    }
}

#[tokio::test]
async fn streams_of_unknown_types_are_not_wanted_and_do_no_harm() {
    let server = start();
    let client = Client::connect(&server).await;
    for _ in 0..4 {
        let mut stream = soon(client.connection.open_uni()).await.unwrap();
        stream.write_all(&[0x40, 0x54, 1, 2, 3]).await.unwrap();
        assert_eq!(
            soon(stream.stopped()).await.unwrap().unwrap().into_inner(),
            0x100
        );
    }
    // GOAWAY, MAX_PUSH_ID and what is not known say nothing to a server.
    let mut client = client;
    client
        .control
        .write_all(&[7, 1, 0, 0xd, 1, 9, 0x21, 3, 1, 2, 3])
        .await
        .unwrap();
    assert_eq!(client.get("/").await.answer().await.status, "200");
}

#[tokio::test]
async fn a_stream_that_is_reset_before_its_type_does_no_harm() {
    let server = start();
    let client = Client::connect(&server).await;
    for _ in 0..20 {
        let mut stream = soon(client.connection.open_uni()).await.unwrap();
        stream.reset(crate::client::CANCELLED).unwrap();
        assert_eq!(client.get("/").await.answer().await.status, "200");
    }
}

#[tokio::test]
async fn an_answer_that_nobody_wants_is_not_waited_for() {
    let server = start();
    let client = Client::connect(&server).await;
    // It says so before it asks.
    let mut stream = client.open().await;
    stream.recv.stop(crate::client::CANCELLED).unwrap();
    assert_eq!(client.get("/").await.answer().await.status, "200");
    let offer = [&head("CONNECT", "/slow")[..], &[(":protocol", "echo/1.0")]].concat();
    let offer = frame(wire::HEADERS, &wire::encode(&offer));
    stream.send.write_all(&offer).await.unwrap();
    // And after it has asked.
    let mut other = client.offer("/slow", "echo/1.0").await;
    until(|| server.limit.live() > 0).await;
    other.recv.stop(crate::client::CANCELLED).unwrap();
    until(|| server.limit.live() == 0).await;
    assert_eq!(client.get("/").await.answer().await.status, "200");
}

#[tokio::test]
async fn random_octets_end_in_an_answer_or_an_error() {
    let server = start();
    let mut state = 7u32;
    let mut random = move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    for round in 0..300 {
        let mut octets: Vec<_> = (0..round % 97).map(|_| random()).collect();
        if round % 2 == 0 {
            // A head's frame, with a block of noise.
            octets = frame(wire::HEADERS, &[&[0, 0][..], &octets].concat());
            octets.extend(frame(wire::DATA, &[random(); 3]));
        }
        let client = opens(&server, &octets).await;
        let mut stream = client.connection.open_uni().await.unwrap();
        let _ = stream.write_all(&octets).await;
    }
    until(|| server.limit.live() == 0).await;
    let client = Client::connect(&server).await;
    assert_eq!(client.get("/").await.answer().await.status, "200");
}

#[tokio::test]
async fn more_connections_than_allowed_are_refused() {
    let server = start_with(std::time::Duration::ZERO, |s| s.max_connections(2));
    let first = Client::connect(&server).await;
    let second = Client::connect(&server).await;
    let third = Client::bare(&server).await;
    match soon(third.connection.closed()).await {
        quinn::ConnectionError::ConnectionClosed(close) => {
            assert_eq!(u64::from(close.error_code), 2, "CONNECTION_REFUSED");
        }
        other => panic!("{other}"),
    }
    assert_eq!(first.get("/").await.answer().await.status, "200");
    second.connection.close(0x100u32.into(), b"");
    soon(async {
        loop {
            let client = Client::connect(&server).await;
            let mut stream = client.get("/").await;
            if stream.next().await.is_ok() {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn streams_that_the_server_ends_first_are_given_back() {
    let server = start_with(std::time::Duration::ZERO, |s| s.max_requests(10));
    let client = Client::connect(&server).await;
    for round in 0..100 {
        let mut stream = client.tunnel("/parting/10", "echo/1.0").await;
        assert_eq!(stream.read_to_end().await.unwrap().len(), 10);
        if round % 2 == 0 {
            stream.finish();
        } else {
            stream.send.reset(crate::client::CANCELLED).unwrap();
        }
    }
    for _ in 0..100 {
        let mut refused = client.offer("/multi", "another").await;
        assert_eq!(refused.answer().await.status, "501");
        refused.send.reset(crate::client::CANCELLED).unwrap();
    }
    for _ in 0..100 {
        let mut cancelled = client.request(&head("POST", "/length")).await;
        cancelled.send.reset(crate::client::CANCELLED).unwrap();
        cancelled.recv.stop(crate::client::CANCELLED).unwrap();
    }
    assert_eq!(client.get("/").await.answer().await.status, "200");
}

#[tokio::test]
async fn after_so_many_requests_a_client_is_sent_to_another_connection() {
    let server = start_with(std::time::Duration::ZERO, |s| s.max_requests_in_all(3));
    let client = Client::connect(&server).await;
    let mut control = client.server_control().await;
    assert_eq!(control.next().await.unwrap(), Some(wire::SETTINGS));
    control.payload().await;
    let mut tunnel = client.tunnel("/multi", "echo/1.0").await;
    for _ in 0..2 {
        assert_eq!(client.get("/").await.answer().await.status, "200");
    }
    assert_eq!(control.next().await.unwrap(), Some(wire::GOAWAY));
    assert_eq!(wire::number(&control.payload().await), 12);
    assert_eq!(client.get("/").await.reset_code().await, 0x10b);
    tunnel.write(b"as long as it likes").await;
    assert_eq!(tunnel.read_exact(19).await, b"as long as it likes");
    tunnel.finish();
    assert_eq!(tunnel.read_to_end().await.unwrap(), b"");
    assert_eq!(client.close_code().await, 0x100);
}
