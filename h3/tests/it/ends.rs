//! Ends that are none of the protocol's: resets, lost connections, dropped handlers.

use std::{io::ErrorKind, time::Duration};

use quinn::VarInt;
use tokio::runtime::{Builder, Runtime};

use crate::{
    client::{CANCELLED, Client, WINDOW, config},
    server::{start, start_with},
    soon, until,
};

#[tokio::test]
async fn a_reset_ends_the_handler_and_gives_the_permit_back() {
    let mut server = start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/watch", "echo/1.0").await;
    stream.write(b"12345").await;
    until(|| server.limit.live() == 1).await;
    stream.send.reset(CANCELLED).unwrap();
    stream.recv.stop(CANCELLED).unwrap();
    let (_, why) = soon(server.ends.recv()).await.unwrap();
    assert_eq!(why, Some(ErrorKind::ConnectionReset));
    until(|| server.limit.live() == 0).await;
    // The connection is none the worse for it.
    assert_eq!(client.get("/").await.answer().await.status, "200");
}

#[tokio::test]
async fn a_client_that_reads_no_more_fails_the_writer() {
    let server = start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/flood", "echo/1.0").await;
    stream.read_exact(100_000).await;
    stream.recv.stop(CANCELLED).unwrap();
    until(|| server.limit.live() == 0).await;
}

#[tokio::test]
async fn a_closed_connection_ends_all_its_handlers() {
    let mut server = start();
    let client = Client::connect(&server).await;
    let _streams = (
        client.tunnel("/watch", "echo/1.0").await,
        client.tunnel("/flood", "echo/1.0").await,
        client.offer("/slow", "echo/1.0").await,
    );
    until(|| server.limit.live() == 3).await;
    client.connection.close(VarInt::from_u32(0x100), b"");
    let end = soon(server.ends.recv()).await.unwrap();
    assert_eq!(end, (0, Some(ErrorKind::ConnectionAborted)));
    until(|| server.limit.live() == 0).await;
}

#[test]
fn a_client_that_is_gone_without_a_word_is_found_out() {
    let ours = Runtime::new().unwrap();
    // Of one thread: outside of `block_on`, nobody drives it.
    let theirs = Builder::new_current_thread().enable_all().build().unwrap();
    let lost_after = Duration::from_secs(2);
    let mut server = ours.block_on(async { start_with(lost_after, |s| s.lost_after(lost_after)) });
    let left = theirs.block_on(async {
        let client = Client::connect(&server).await;
        let streams = (
            client.tunnel("/watch", "echo/1.0").await,
            client.tunnel("/flood", "echo/1.0").await,
            client.offer("/slow", "echo/1.0").await,
        );
        until(|| server.limit.live() == 3).await;
        (client, streams)
    });
    let end = ours.block_on(soon(server.ends.recv())).unwrap();
    assert_eq!(end, (0, Some(ErrorKind::TimedOut)));
    ours.block_on(until(|| server.limit.live() == 0));
    let _in_our_runtime = ours.enter();
    drop((server, left));
}

#[tokio::test]
async fn a_tunnel_without_traffic_lives_on() {
    let lost_after = Duration::from_millis(1500);
    let server = start_with(lost_after, |s| {
        s.lost_after(lost_after).idle_timeout(lost_after)
    });
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/multi", "echo/1.0").await;
    tokio::time::sleep(2 * lost_after).await;
    stream.write(b"still here").await;
    assert_eq!(stream.read_exact(10).await, b"still here");
    // And a connection without one does not.
    stream.finish();
    stream.read_to_end().await.unwrap();
    assert_eq!(client.close_code().await, 0x100);
}

#[tokio::test]
async fn a_client_that_takes_its_offer_back_frees_the_handler() {
    let server = start();
    let client = Client::connect(&server).await;
    let mut stream = client.offer("/slow", "echo/1.0").await;
    until(|| server.limit.live() == 1).await;
    stream.send.reset(CANCELLED).unwrap();
    stream.recv.stop(CANCELLED).unwrap();
    until(|| server.limit.live() == 0).await;
}

#[tokio::test]
async fn a_handler_that_drops_its_end_has_said_all_and_hears_no_more() {
    let server = start();
    let client = Client::connect(&server).await;
    // What our window holds, so that for the frames' heads it lacks a little.
    let path = format!("/parting/{WINDOW}");
    let mut stream = client.tunnel(&path, "echo/1.0").await;
    // It has left, and the last of what it wrote is still to come.
    until(|| server.limit.live() == 0).await;
    assert_eq!(stream.read_to_end().await.unwrap().len(), WINDOW as usize);
    assert_eq!(soon(stream.send.stopped()).await.unwrap(), Some(CANCELLED));
}

#[tokio::test]
async fn whoever_speaks_another_protocol_does_not_get_in() {
    let server = start();
    let mut tls = crate::client::tls(&server);
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let tls = quinn::crypto::rustls::QuicClientConfig::try_from(tls).unwrap();
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let wrong = quinn::ClientConfig::new(std::sync::Arc::new(tls));
    let connecting = endpoint
        .connect_with(wrong, server.address, "localhost")
        .unwrap();
    assert!(soon(connecting).await.is_err());
    let connecting = endpoint
        .connect_with(config(&server), server.address, "localhost")
        .unwrap();
    assert!(soon(connecting).await.is_ok());
}

#[tokio::test]
async fn a_connection_that_is_used_now_and_then_is_not_idle() {
    let idle = Duration::from_secs(1);
    let server = start_with(Duration::ZERO, |s| {
        s.idle_timeout(idle).lost_after(3 * idle)
    });
    let client = Client::connect(&server).await;
    // None of them is there when the clock looks.
    for _ in 0..40 {
        assert_eq!(client.get("/").await.answer().await.status, "200");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
