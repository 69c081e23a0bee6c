//! The server's end: first the layer's drain, then GOAWAY.

use std::time::Duration;

use crate::{
    client::{CANCELLED, Client, head},
    server::{start, start_with},
    soon, until, wire,
};

#[tokio::test]
async fn a_drain_refuses_offers_with_503_and_serves_requests() {
    let server = start();
    let client = Client::connect(&server).await;
    let mut tunnel = client.tunnel("/multi", "echo/1.0").await;
    server.drain.start();
    let mut refused = client.offer("/multi", "echo/1.0").await;
    assert_eq!(refused.answer().await.status, "503");
    assert_eq!(client.get("/").await.answer().await.status, "200");
    tunnel.write(b"ping").await;
    assert_eq!(tunnel.read_exact(4).await, b"ping");
    let drain = server.drain.clone();
    let waiting = tokio::spawn(async move { drain.wait(Duration::from_secs(30)).await });
    tunnel.finish();
    tunnel.read_to_end().await.unwrap();
    let report = soon(waiting).await.unwrap();
    assert_eq!((report.ended, report.closed, report.refused), (1, 0, 1));
}

#[tokio::test]
async fn a_drains_deadline_closes_what_is_left() {
    let server = start();
    let client = Client::connect(&server).await;
    let mut tunnel = client.tunnel("/multi", "echo/1.0").await;
    let report = soon(server.drain.wait(Duration::from_millis(50))).await;
    assert_eq!((report.ended, report.closed), (0, 1));
    assert_eq!(tunnel.read_to_end().await.unwrap(), b"");
    assert_eq!(soon(tunnel.send.stopped()).await.unwrap(), Some(CANCELLED));
}

#[tokio::test]
async fn goaway_names_the_first_stream_not_served_and_waits_for_the_others() {
    let mut server = start();
    let client = Client::connect(&server).await;
    let mut control = client.server_control().await;
    assert_eq!(control.next().await.unwrap(), Some(wire::SETTINGS));
    control.payload().await;
    client.get("/").await.answer().await;
    let mut tunnel = client.tunnel("/multi", "echo/1.0").await;

    server.stop();
    assert_eq!(control.next().await.unwrap(), Some(wire::GOAWAY));
    // Streams 0 and 4 were served.
    assert_eq!(wire::number(&control.payload().await), 8);
    let mut late = client.request(&head("POST", "/length")).await;
    assert_eq!(late.reset_code().await, 0x10b);
    let stopped = soon(late.send.stopped()).await.unwrap().unwrap();
    assert_eq!(stopped.into_inner(), 0x10b);
    tunnel.write(b"still served").await;
    assert_eq!(tunnel.read_exact(12).await, b"still served");
    tunnel.finish();
    assert_eq!(tunnel.read_to_end().await.unwrap(), b"");
    assert_eq!(client.close_code().await, 0x100);
    soon(server.ended()).await;
    until(|| server.limit.live() == 0).await;
}

#[tokio::test]
async fn what_was_written_last_arrives_before_the_connection_closes() {
    let mut server = start();
    let client = Client::connect(&server).await;
    // Said at once, and more than a connection sends at once when it is new.
    let mut tunnel = client.tunnel("/parting/900000", "echo/1.0").await;
    server.stop();
    assert_eq!(tunnel.read_to_end().await.unwrap().len(), 900_000);
    soon(server.ended()).await;
}

#[tokio::test]
async fn nobody_waits_for_what_was_reset() {
    let mut server = start();
    let client = Client::connect(&server).await;
    let malformed = client
        .request(&[(":method", "GET")])
        .await
        .reset_code()
        .await;
    assert_eq!(malformed, 0x10e);
    assert_eq!(client.get("/fails").await.reset_code().await, 0x102);
    let mut cancelled = client.tunnel("/multi", "echo/1.0").await;
    cancelled.send.reset(CANCELLED).unwrap();
    cancelled.recv.stop(CANCELLED).unwrap();
    server.stop();
    soon(server.ended()).await;
    assert_eq!(client.close_code().await, 0x100);
}

#[tokio::test]
async fn at_the_end_of_its_time_a_server_closes_what_is_left() {
    let mut server = start_with(Duration::from_millis(50), |server| server);
    let client = Client::connect(&server).await;
    let mut tunnel = client.tunnel("/watch", "echo/1.0").await;
    tunnel.write(b"12345").await;
    server.stop();
    assert_eq!(client.close_code().await, 0x100);
    soon(server.ended()).await;
    let (_, why) = soon(server.ends.recv()).await.unwrap();
    assert_eq!(why, Some(std::io::ErrorKind::ConnectionAborted));
    until(|| server.limit.live() == 0).await;
}

#[tokio::test]
async fn a_server_that_is_dropped_closes_its_connections() {
    let server = start();
    let client = Client::connect(&server).await;
    let _tunnel = client.tunnel("/multi", "echo/1.0").await;
    let limit = server.limit.clone();
    drop(server);
    assert_eq!(client.close_code().await, 0x100);
    until(|| limit.live() == 0).await;
}

#[tokio::test]
async fn a_connection_with_nothing_on_it_is_told_before_it_is_closed() {
    for round in 0..10 {
        let mut server = start();
        let client = Client::connect(&server).await;
        let mut control = client.server_control().await;
        assert_eq!(control.next().await.unwrap(), Some(wire::SETTINGS));
        control.payload().await;
        client.get("/").await.answer().await;
        server.stop();
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        // Sent before it has heard: served, or rejected so that it can go elsewhere.
        let mut late = client.request(&head("POST", "/length")).await;
        late.finish();
        match late.next().await {
            Ok(kind) => assert_eq!(kind, Some(wire::HEADERS)),
            Err(error) => assert!(
                matches!(&error, quinn::ReadError::Reset(code) if code.into_inner() == 0x10b),
                "{error}"
            ),
        }
        assert_eq!(control.next().await.unwrap(), Some(wire::GOAWAY));
        assert_eq!(client.close_code().await, 0x100);
    }
}

#[tokio::test]
async fn who_has_no_room_for_goaway_is_closed_all_the_same() {
    let server = start_with(Duration::ZERO, |s| s.max_requests_in_all(1));
    let mut control = Client::connect(&server).await.server_control().await;
    control.next().await.unwrap();
    let settings = control.payload().await.len() as u32;
    // The stream's type, the frame's head, and the settings.
    let client = Client::with_window(&server, settings + 3).await;
    client.get("/").await;
    assert_eq!(client.close_code().await, 0x107);
}
