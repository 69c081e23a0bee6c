//! Much at once: over TCP so much that the kernel moves it.

use http::Version;
use tokio::io::AsyncWriteExt;
use tower_upgrade::observe::Cause;

use super::{exchange, is_given_back};
use crate::{
    tunnel::{
        edge::layer,
        ends::{PAIRS, expect, expect_bulk, expect_end, join, send_bulk},
        record::Record,
    },
    wire::patiently,
};

const BULK: usize = 32 << 20;

/// How much goes where, between two sockets and where HTTP/2 frames it.
fn length((from, to): (Version, Version)) -> usize {
    if from == Version::HTTP_11 && to == Version::HTTP_11 {
        BULK
    } else {
        BULK / 4
    }
}

#[tokio::test]
async fn to_the_upstream() {
    for pair in PAIRS {
        let joined = join(&layer(), pair).await;
        let length = length(pair);
        tokio::join!(
            exchange(joined.client, length, 5),
            exchange(joined.upstream, 5, length)
        );
    }
}

#[tokio::test]
async fn to_the_client() {
    for pair in PAIRS {
        let joined = join(&layer(), pair).await;
        let length = length(pair);
        tokio::join!(
            exchange(joined.client, 5, length),
            exchange(joined.upstream, length, 5)
        );
    }
}

/// Both ways at once, on the threads of a runtime that has several, and all of it is counted.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn both_ways_at_once_and_counted() {
    for pair in PAIRS {
        let record = Record::default();
        let joined = join(&layer().observe(record.clone()), pair).await;
        let (up, down) = (length(pair) - 1, length(pair) / 2 + 3);
        let client = tokio::spawn(exchange(joined.client, up, down));
        let upstream = tokio::spawn(exchange(joined.upstream, down, up));
        let (_client, _upstream) = (client.await.unwrap(), upstream.await.unwrap());
        let closing = record.closings(1).await[0];
        assert_eq!(closing.received, u64::try_from(up).unwrap());
        assert_eq!(closing.sent, u64::try_from(down).unwrap());
        assert_eq!(closing.cause, Cause::PeerEnded);
    }
}

/// Bulk one way, and short messages the other while it lasts; then the other way round.
#[tokio::test]
async fn beside_short_messages() {
    for pair in PAIRS {
        let joined = join(&layer(), pair).await;
        let (mut read, mut write) = tokio::io::split(joined.client);
        let (mut up_read, mut up_write) = tokio::io::split(joined.upstream);
        let bulk = 8 << 20;
        tokio::join!(
            send_bulk(&mut write, bulk),
            expect_bulk(&mut up_read, bulk),
            async {
                for n in 0..50 {
                    let message = format!("message {n};");
                    up_write.write_all(message.as_bytes()).await.unwrap();
                    patiently("a message", expect(&mut read, &message)).await;
                }
            }
        );
        tokio::join!(
            send_bulk(&mut up_write, bulk),
            expect_bulk(&mut read, bulk),
            async {
                for n in 0..50 {
                    let message = format!("message {n};");
                    write.write_all(message.as_bytes()).await.unwrap();
                    patiently("a message", expect(&mut up_read, &message)).await;
                }
            }
        );
    }
}

/// Fast and slow by turns, so that whatever is done for the one is undone for the other.
#[tokio::test]
async fn by_turns_with_single_bytes() {
    for pair in PAIRS {
        let joined = join(&layer(), pair).await;
        let (mut client, mut upstream) = (joined.client, joined.upstream);
        for turn in 0..6 {
            let bulk = (1 << 20) + turn;
            tokio::join!(
                send_bulk(&mut client, bulk),
                expect_bulk(&mut upstream, bulk)
            );
            for _ in 0..20 {
                client.write_all(b"x").await.unwrap();
                expect(&mut upstream, "x").await;
            }
        }
    }
}

/// An end right behind bulk is an end and cuts nothing off, and the other way still goes on.
#[tokio::test]
async fn and_the_end_within_the_other_ways_bulk() {
    for pair in PAIRS {
        let joined = join(&layer(), pair).await;
        let (mut read, mut write) = tokio::io::split(joined.client);
        let (mut up_read, mut up_write) = tokio::io::split(joined.upstream);
        let bulk = 8 << 20;
        tokio::join!(
            async {
                send_bulk(&mut write, bulk / 2).await;
                write.shutdown().await.unwrap();
            },
            async {
                expect_bulk(&mut up_read, bulk / 2).await;
                expect_end(&mut up_read).await;
            },
            async {
                send_bulk(&mut up_write, bulk).await;
                up_write.shutdown().await.unwrap();
            },
            async {
                expect_bulk(&mut read, bulk).await;
                expect_end(&mut read).await;
            }
        );
    }
}

/// What a tunnel held comes back when both sides have ended.
#[tokio::test]
async fn and_then_the_permit_is_back() {
    for pair in PAIRS {
        let limit = tower_upgrade::Limit::total(1);
        let joined = join(&layer().limit(limit.clone()), pair).await;
        assert_eq!(limit.live(), 1);
        tokio::join!(
            exchange(joined.client, 1 << 20, 5),
            exchange(joined.upstream, 5, 1 << 20)
        );
        is_given_back(&limit).await;
    }
}
