//! A peer that ends its half and is silent then: which clock ends it, and what observers are told.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::{Instant, sleep},
};
use tower_upgrade::{
    UpgradeLayer, Upgraded,
    observe::{Cause, Clock},
};

use super::{
    clocks::{is_after, is_of},
    offers::{SECOND, due, ends, layer, open},
    record::Record,
};

/// A connection whose client sent these bytes and, three seconds later, ended its half, as the handler has read.
async fn half_closed(layer: &UpgradeLayer, bytes: &str) -> (DuplexStream, Upgraded) {
    let (mut client, mut io) = open(layer).await;
    client.write_all(bytes.as_bytes()).await.unwrap();
    let mut read = vec![0; bytes.len()];
    due(io.read_exact(&mut read)).await.unwrap();
    sleep(3 * SECOND).await;
    client.shutdown().await.unwrap();
    assert_eq!(due(io.read(&mut [0; 8])).await.unwrap(), 0);
    (client, io)
}

#[tokio::test(start_paused = true)]
async fn the_clock_that_runs_ends_it() {
    // The idle clock from the last byte, that of the first byte only if none came, a lifetime in any case.
    for (layer, bytes, clock) in [
        (layer().idle_timeout(5 * SECOND), "bytes", Clock::Idle),
        (layer().idle_timeout(5 * SECOND), "", Clock::Idle),
        (layer().first_byte_timeout(5 * SECOND), "", Clock::FirstByte),
        (layer().max_lifetime(5 * SECOND), "bytes", Clock::Lifetime),
    ] {
        let record = Record::default();
        let layer = layer.observe(record.clone());
        let start = Instant::now();
        let (mut client, mut io) = half_closed(&layer, bytes).await;
        ends(&mut client).await;
        is_after(start, 5 * SECOND);
        is_of(io.write(b"x").await, clock);
        assert_eq!(record.closings()[0].cause, Cause::Expired(clock));
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_handler_still_writes_puts_idleness_off() {
    // The answer to a client that has said all may take as long as it takes.
    let (mut client, mut io) = half_closed(&layer().idle_timeout(5 * SECOND), "bytes").await;
    for pause in [1, 4, 4, 4] {
        sleep(pause * SECOND).await;
        io.write_all(b"x").await.unwrap();
        assert_eq!(due(client.read(&mut [0; 8])).await.unwrap(), 1);
    }
    let last = Instant::now();
    ends(&mut client).await;
    is_after(last, 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn without_a_clock_it_lives_for_as_long_as_it_is_held() {
    // A first byte that came stops its clock, and an end starts none.
    let record = Record::default();
    let layer = layer()
        .first_byte_timeout(5 * SECOND)
        .observe(record.clone());
    let (mut client, mut io) = half_closed(&layer, "bytes").await;
    sleep(Duration::from_secs(100_000)).await;
    io.write_all(b"still here").await.unwrap();
    drop(io);
    let mut read = String::new();
    due(client.read_to_string(&mut read)).await.unwrap();
    assert_eq!(read, "still here");
    assert_eq!(record.closings()[0].cause, Cause::PeerEnded);
}
