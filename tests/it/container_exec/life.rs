//! How long a command lives, beside others and beside its client.

use super::engine::{Engine, STDOUT, bytes, exec, is_gone, streams, until, upgrade};
use crate::wire::Client;

/// The command may end before its input does, and nothing that it wrote is lost.
#[tokio::test]
async fn the_command_may_end_first() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let much = "i=0; while [ $i -lt 20000 ]; do echo 12345678; i=$((i+1)); done";
    let id = engine.create(exec(&["sh", "-c", much])).await;
    let mut client = engine.started(&id).await;
    // Unread at the end: a close would be a reset, and take away what the client did not get as yet.
    client.send(vec![b'x'; 200_000]).await;
    assert_eq!(engine.exit_code(&id).await, 0);
    let (out, _) = streams(&client.read_to_end().await);
    assert_eq!(out.len(), 9 * 20_000);
}

/// Ten megabytes come back in order, however they are cut into frames.
#[tokio::test]
async fn ten_megabytes_come_back() {
    let engine = Engine::start(&[]).await;
    // No period that a lost or doubled chunk could hide in.
    let next = |n: u32| n.wrapping_mul(0x9e37_79b1).to_be_bytes()[0];
    let much: Vec<u8> = (0..10_000_000).map(next).collect();
    let id = engine.create(exec(&["cat"])).await;
    let mut client = engine.started(&id).await;
    let mut back = Vec::new();
    // Fewer at once than buffers have room for, as nothing is read meanwhile.
    for chunk in much.chunks(50_000) {
        client.send(chunk).await;
        let until = back.len() + chunk.len();
        while back.len() < until {
            back.extend(content(&mut client).await);
        }
    }
    assert!(back == much, "{} bytes", back.len());
    client.finish().await;
    client.expect_end().await;
    assert_eq!(engine.exit_code(&id).await, 0);
}

/// Two commands at once have nothing to do with each other, nor with those over the limit.
#[tokio::test]
async fn two_run_at_once_and_no_third() {
    let engine = Engine::start(&["--limit", "2"]).await;
    let (one, two) = (
        engine.create(exec(&["cat"])).await,
        engine.create(exec(&["cat"])).await,
    );
    let third = engine.create(exec(&["cat"])).await;
    let (mut first, mut second) = (engine.started(&one).await, engine.started(&two).await);
    for line in ["a\n", "b\n"] {
        first.send(line).await;
        second.send(line.repeat(2)).await;
        first.expect(bytes(STDOUT, line.as_bytes())).await;
        second
            .expect(bytes(STDOUT, line.repeat(2).as_bytes()))
            .await;
    }
    let start = upgrade(&format!("/exec/{third}/start"));
    let refused = engine.ask(&start).await;
    refused.head.is(503);
    assert_eq!(refused.head.lines("retry-after").len(), 1, "{refused:?}");
    assert!(engine.get(&format!("/exec/{two}/json")).await["ExitCode"].is_null());
    first.finish().await;
    first.expect_end().await;
    assert_eq!(engine.exit_code(&one).await, 0);
    engine.until_admitted(&start).await;
}

/// A client that is gone takes with it all that its command started.
#[tokio::test]
async fn the_command_ends_with_its_client() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let family = "echo $$; sleep 1000 & echo $!; wait";
    for has_finished in [false, true] {
        let id = engine.create(exec(&["sh", "-c", family])).await;
        let mut client = engine.started(&id).await;
        let mut said = String::new();
        while said.lines().count() < 2 || !said.ends_with('\n') {
            said += std::str::from_utf8(&content(&mut client).await).unwrap();
        }
        assert!(said.lines().all(|process| !is_gone(process)), "{said}");
        if has_finished {
            client.finish().await;
        }
        drop(client);
        assert_eq!(engine.exit_code(&id).await, 128 + 9);
        for process in said.lines() {
            until(|| async { is_gone(process) }).await;
        }
    }
}

/// That a client is gone is seen where the command takes no more input, and nothing is read from the client.
#[tokio::test]
async fn the_command_that_does_not_read_ends_with_its_client() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let id = engine
        .create(exec(&["sh", "-c", "echo $$; sleep 1000"]))
        .await;
    let mut client = engine.started(&id).await;
    let process = String::from_utf8(content(&mut client).await).unwrap();
    // More than a pipe has room for.
    client.send(vec![b'x'; 200_000]).await;
    drop(client);
    until(|| async { is_gone(process.trim()) }).await;
    assert_eq!(engine.exit_code(&id).await, 128 + 9);
}

/// SIGTERM ends the input of all commands, and later those that are left.
#[tokio::test]
async fn a_drain_ends_the_input() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let polite = engine
        .create(exec(&["sh", "-c", "cat; echo goodbye"]))
        .await;
    let deaf = engine
        .create(exec(&["sh", "-c", "echo $$; exec sleep 1000"]))
        .await;
    let late = engine.create(exec(&["cat"])).await;
    let mut polite = engine.started(&polite).await;
    let mut deaf = engine.started(&deaf).await;
    polite.send("hello\n").await;
    polite.expect(bytes(STDOUT, b"hello\n")).await;
    let header = deaf.read_exact(8).await;
    let process = deaf.read_exact(usize::from(header[7])).await;
    let process = String::from_utf8(process).unwrap();

    engine.server.signal("TERM").await;
    polite.expect(bytes(STDOUT, b"goodbye\n")).await;
    polite.expect_end().await;
    drop(polite);
    let refused = engine.ask(&upgrade(&format!("/exec/{late}/start"))).await;
    refused.head.is(503).has("connection", "close");
    deaf.expect_end().await;
    let (code, last) = engine.server.end().await;
    let report = "1 ended, 1 closed at the deadline, 0 panicked, 1 turned away";
    assert!(code == Some(0) && last.ends_with(report), "{last}");
    until(|| async { is_gone(process.trim()) }).await;
}

/// Reads the content of a frame.
async fn content(client: &mut Client) -> Vec<u8> {
    let header = client.read_exact(8).await;
    let length = u32::from_be_bytes(header[4..].try_into().unwrap());
    client.read_exact(length as usize).await
}
