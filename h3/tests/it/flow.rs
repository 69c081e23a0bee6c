//! Much data, and nobody who takes it.

use std::{sync::atomic::Ordering, time::Duration};

use crate::{
    client::{Client, WINDOW},
    server::start,
    soon, until,
    wire::{self, frame},
};

/// The octet at a place of a transfer.
const fn octet(at: usize) -> u8 {
    (at ^ (at >> 8) ^ (at >> 16)) as u8
}

#[tokio::test]
async fn ten_megabytes_are_echoed_as_they_were_sent() {
    const ALL: usize = 10 << 20;
    let server = start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/multi", "echo/1.0").await;
    let (mut send, mut reading) = (stream.send, stream.reading);
    let writer = tokio::spawn(async move {
        let mut at = 0;
        // Frames of all sizes, up to larger than the server's window.
        for size in (1..).map(|n: usize| n * n * 97 % 200_003) {
            let size = size.min(ALL - at);
            let piece: Vec<_> = (at..at + size).map(octet).collect();
            send.write_all(&frame(wire::DATA, &piece)).await.unwrap();
            at += size;
            if at == ALL {
                break;
            }
        }
        send.finish().unwrap();
    });
    let (mut at, mut buffer) = (0, vec![0; 64 << 10]);
    loop {
        let read = reading.read(&mut buffer).await.unwrap();
        if read == 0 {
            break;
        }
        for &got in &buffer[..read] {
            assert_eq!(got, octet(at), "at {at}");
            at += 1;
        }
    }
    assert_eq!(at, ALL);
    writer.await.unwrap();
    until(|| server.limit.live() == 0).await;
    // What it takes to borrow `stream` in two is over.
    stream = client.tunnel("/multi", "echo/1.0").await;
    stream.finish();
}

#[tokio::test]
async fn a_client_that_does_not_read_holds_the_handler_up() {
    let server = start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/flood", "echo/1.0").await;
    let mut before = 0;
    soon(async {
        // Until nothing is added to it.
        loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let now = server.flooded.load(Ordering::Relaxed);
            if now > 0 && now == before {
                break;
            }
            before = now;
        }
    })
    .await;
    // The client's window, and what the server has begun.
    assert!(before < 3 << 20, "{before} octets were taken");
    stream.read_exact(20 << 20).await;
    assert!(server.flooded.load(Ordering::Relaxed) >= 20 << 20);
    // Another stream of that connection is not held up meanwhile.
    let mut other = client.tunnel("/multi", "echo/1.0").await;
    other.write(b"ping").await;
    assert_eq!(other.read_exact(4).await, b"ping");
}

#[tokio::test]
async fn a_handler_that_does_not_read_holds_the_client_up() {
    let server = start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/deaf", "echo/1.0").await;
    let piece = frame(wire::DATA, &[0; 1000]);
    let mut written = 0;
    while let Ok(taken) =
        tokio::time::timeout(Duration::from_millis(500), stream.send.write(&piece)).await
    {
        written += taken.unwrap();
    }
    assert!(written <= 128 << 10, "{written} octets were taken");
    let mut other = client.tunnel("/multi", "echo/1.0").await;
    other.write(&vec![1; 1 << 20]).await;
}

#[tokio::test]
async fn what_was_written_goes_out_though_its_writer_now_reads() {
    // The echo does not flush. If the end of a frame stayed behind for want of room, both would wait.
    let server = start();
    let client = Client::connect(&server).await;
    let mut stream = client.tunnel("/multi", "echo/1.0").await;
    // More than our window holds, and less than it and the server's.
    let all = WINDOW as usize + 60_000;
    let mut sent = 0;
    while sent < all {
        stream.write(&[5; 20_000]).await;
        sent += 20_000;
    }
    assert_eq!(stream.read_exact(sent).await, vec![5; sent]);
}

#[tokio::test]
async fn who_takes_most_leaves_room_for_others() {
    let server = start();
    let client = Client::connect(&server).await;
    let mut floods = Vec::new();
    for _ in 0..20 {
        // Each is opened while those before it take all that they can get.
        let mut flood = client.tunnel("/flood", "echo/1.0").await;
        floods.push(tokio::spawn(async move {
            let mut buffer = vec![0; 64 << 10];
            while let Ok(1..) = flood.read(&mut buffer).await {}
        }));
    }
    for _ in 0..20 {
        let answer = soon(async { client.get("/").await.answer().await });
        assert_eq!(answer.await.status, "200");
    }
    for flood in floods {
        assert!(!flood.is_finished());
        flood.abort();
    }
}
