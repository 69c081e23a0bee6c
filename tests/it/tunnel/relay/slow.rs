//! A side that does not read stops the one that writes, and nothing is lost by that.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use crate::{
    tunnel::{
        edge::layer,
        ends::{PAIRS, block, expect, join},
        memory,
    },
    wire::patiently,
};

/// Writes the block over and over until nothing more is taken, and returns how much was.
async fn fill(io: &mut (impl AsyncWrite + Unpin)) -> usize {
    let (block, mut written) = (block(), 0);
    let patience = Duration::from_millis(700);
    loop {
        let from = written % block.len();
        let writing = tokio::time::timeout(patience, io.write(&block[from..]));
        match writing.await {
            Ok(length) => written += length.unwrap(),
            Err(_) => return written,
        }
        assert!(written < BOUND, "nothing stops the writer");
    }
}

/// Far more than all the buffers of all sockets and streams on the way.
const BOUND: usize = 256 << 20;

async fn then_all_arrives(
    writer: &mut (impl AsyncWrite + Unpin),
    reader: &mut (impl AsyncRead + Unpin),
    written: usize,
) {
    patiently("what was on its way", async {
        tokio::join!(
            async {
                writer.flush().await.unwrap();
                writer.shutdown().await.unwrap();
            },
            async {
                crate::tunnel::ends::expect_bulk(reader, written).await;
                crate::tunnel::ends::expect_end(reader).await;
            }
        )
    })
    .await;
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_the_client() {
    for pair in PAIRS {
        let mut joined = join(&layer(), pair).await;
        let written = fill(&mut joined.client).await;
        // The other way is free.
        joined.upstream.write_all(b"answer").await.unwrap();
        expect(&mut joined.client, "answer").await;
        then_all_arrives(&mut joined.client, &mut joined.upstream, written).await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_upstream() {
    for pair in PAIRS {
        let mut joined = join(&layer(), pair).await;
        let written = fill(&mut joined.upstream).await;
        joined.client.write_all(b"question").await.unwrap();
        expect(&mut joined.upstream, "question").await;
        then_all_arrives(&mut joined.upstream, &mut joined.client, written).await;
    }
}

/// In memory, where all that is buffered is the relay's: no more than what a read brought.
#[tokio::test(start_paused = true)]
async fn no_more_is_held_than_one_read_brought() {
    const CAPACITY: usize = 1_000;
    for is_client in [true, false] {
        let (client, upstream) = memory::joined_by(&layer(), CAPACITY).await;
        let (mut writer, mut reader) = if is_client {
            (client, upstream)
        } else {
            (upstream, client)
        };
        let written = fill(&mut writer).await;
        // The room of either pipe, and what was read from the first.
        assert!(written <= 3 * CAPACITY, "{written}");
        assert!(written >= 2 * CAPACITY, "{written}");
        then_all_arrives(&mut writer, &mut reader, written).await;
    }
}
