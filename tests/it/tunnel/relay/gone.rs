//! An end that is gone takes the other with it, but not what that was still to get.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    net::TcpStream,
};
use tower_upgrade::{Limit, UpgradeLayer};

use super::{is_given_back, join_ends};
use crate::{
    tunnel::{
        edge::{layer, serve, tunnel},
        ends::{
            PAIRS, block, expect, expect_bulk, expect_end, join, open, read_until_gone, reset,
            send_bulk, sockets, try_send_bulk,
        },
        upstream::{Upstream, switching},
    },
    wire::patiently,
};

fn limited() -> (UpgradeLayer, Limit) {
    let limit = Limit::total(1);
    (layer().limit(limit.clone()), limit)
}

/// A client whose connection is dropped closes the upstream's, and nothing is held any more.
#[tokio::test]
async fn a_client_that_is_gone() {
    for pair in PAIRS {
        let (layer, limit) = limited();
        let mut joined = join(&layer, pair).await;
        joined.client.write_all(b"last words").await.unwrap();
        expect(&mut joined.upstream, "last words").await;
        drop(joined.client);
        assert_eq!(read_until_gone(&mut joined.upstream).await, 0);
        drop(joined.upstream);
        is_given_back(&limit).await;
    }
}

/// An upstream whose connection is dropped closes the client's.
#[tokio::test]
async fn an_upstream_that_is_gone() {
    for pair in PAIRS {
        let (layer, limit) = limited();
        let mut joined = join(&layer, pair).await;
        joined.upstream.write_all(b"last words").await.unwrap();
        expect(&mut joined.client, "last words").await;
        drop(joined.upstream);
        assert_eq!(read_until_gone(&mut joined.client).await, 0);
        drop(joined.client);
        is_given_back(&limit).await;
    }
}

/// A reset by either end closes the other, whether it was idle or not, though the relay stays half open to
/// a mere end.
#[tokio::test]
async fn a_reset_is_passed_on_as_the_end() {
    for is_client in [true, false] {
        for is_busy in [false, true] {
            let (layer, limit) = limited();
            let (client, peer) = sockets(layer).await;
            let (mut gone, mut left) = if is_client {
                (client, peer)
            } else {
                (peer, client)
            };
            if is_busy {
                let _ = tokio::join!(
                    send_bulk(&mut gone, 1 << 20),
                    expect_bulk(&mut left, 1 << 20)
                );
                // What lies unread makes a reset of the close; so does this, for sure.
                left.write_all(b"unread").await.unwrap();
            }
            reset(gone);
            assert_eq!(read_until_gone(&mut left).await, 0);
            drop(left);
            is_given_back(&limit).await;
        }
    }
}

/// A connection that takes no byte and still has some to give, as one that was reset behind what it sent.
struct Deaf(DuplexStream);

impl AsyncRead for Deaf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Deaf {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()))
    }
}

/// Who takes no more may still have something to say, in either direction: all of it arrives.
#[tokio::test]
async fn who_takes_no_more_is_still_heard() {
    for is_client in [true, false] {
        let (deaf, mut speaker) = duplex(1_000);
        let (mut other, near) = duplex(1_000);
        let joined = if is_client {
            join_ends(Deaf(deaf), near).await
        } else {
            join_ends(near, Deaf(deaf)).await
        };
        assert_eq!(joined, 101);
        // This is lost, and is all that is.
        other.write_all(b"unwanted").await.unwrap();
        speaker.write_all(b"first").await.unwrap();
        expect(&mut other, "first").await;
        tokio::join!(
            async {
                send_bulk(&mut speaker, 100_000).await;
                speaker.shutdown().await.unwrap();
            },
            expect_bulk(&mut other, 100_000)
        );
        expect_end(&mut other).await;
    }
}

/// A client that does not read, and is then gone, does not hold what the upstream sends for it.
#[tokio::test]
async fn a_client_that_does_not_read_and_is_gone() {
    let (layer, limit) = limited();
    let (client, mut peer) = sockets(layer).await;
    fill(&mut peer).await;
    reset(client);
    patiently("the upstream's end", async {
        while peer.write_all(&block()).await.is_ok() {}
    })
    .await;
    drop(peer);
    is_given_back(&limit).await;
}

/// Writes until nothing more is taken.
async fn fill(io: &mut TcpStream) -> usize {
    let (block, mut written) = (block(), 0);
    while let Ok(length) = tokio::time::timeout(Duration::from_millis(500), io.write(&block)).await
    {
        written += length.unwrap();
        assert!(written < 1 << 30, "nothing stops the writer");
    }
    written
}

/// An upstream that answers and closes while the client still sends: the client gets all of the answer.
#[tokio::test]
async fn an_upstream_that_answers_and_closes_while_the_client_sends() {
    for length in [10_usize, 100_000, 8 << 20] {
        let (client, mut peer) = sockets(layer()).await;
        let (mut read, mut write) = client.into_split();
        let sending = tokio::spawn(async move {
            let block = block();
            while write.write_all(&block).await.is_ok() {}
        });
        let mut some = vec![0; 1_000];
        peer.read_exact(&mut some).await.unwrap();
        // It reads on, as a server does that wants its answer to arrive, but does not wait for an end.
        let (mut up_read, mut up_write) = peer.into_split();
        let reading = tokio::spawn(async move {
            let mut sink = tokio::io::sink();
            let _ = tokio::io::copy(&mut up_read, &mut sink).await;
        });
        tokio::join!(
            async {
                send_bulk(&mut up_write, length).await;
                up_write.shutdown().await.unwrap();
            },
            expect_bulk(&mut read, length)
        );
        expect_end(&mut read).await;
        sending.abort();
        reading.abort();
    }
}

/// The ends of a tunnel whose client has left before the upstream answered are nobody's: see
/// `errors`. Here it leaves right after the answer was on its way.
#[tokio::test]
async fn a_client_that_leaves_at_once() {
    let upstream = Upstream::new().await;
    let limit = Limit::total(8);
    let layer = layer().limit(limit.clone());
    let edge = serve(layer, tunnel(upstream.address(), http::Version::HTTP_11)).await;
    for _ in 0..8 {
        let opening = tokio::spawn(open(edge, http::Version::HTTP_11));
        let (mut peer, _) = upstream.asked().await;
        peer.send(switching("echo/1.0")).await;
        drop(opening.await.unwrap());
        peer.0.expect_end().await;
    }
    is_given_back(&limit).await;
}

/// Rule 24, "nothing a peer sends can hold a permit for ever": a client that was reset is noticed, though the
/// upstream does not read what it sent.
#[tokio::test]
async fn a_reset_is_noticed_while_the_upstream_does_not_read() {
    let limit = Limit::total(1);
    let (mut client, peer) = sockets(layer().limit(limit.clone())).await;
    let filled = try_send_bulk(&mut client, 64 << 20);
    assert!(
        tokio::time::timeout(Duration::from_secs(2), filled)
            .await
            .is_err()
    );
    reset(client);
    patiently("the permit", async {
        while limit.live() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    drop(peer);
}

/// An upstream has answered and closed, while the client was still sending and had read nothing: the answer
/// was taken by the proxy, and must not be lost there to a reset (RFC 9112 9.6).
#[tokio::test]
async fn an_answer_is_not_lost_to_what_the_client_still_sends() {
    const LENGTH: usize = 1 << 20;
    let (client, mut peer) = sockets(layer()).await;
    send_bulk(&mut peer, LENGTH).await;
    // All of it is with the proxy now, which has passed it to the client's socket.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(peer);
    let (mut read, mut write) = client.into_split();
    tokio::spawn(async move { while write.write_all(&block()).await.is_ok() {} });
    tokio::time::sleep(Duration::from_millis(500)).await;
    expect_bulk(&mut read, LENGTH).await;
}

/// The same where the upstream's end is a reset, which is read behind the answer.
#[tokio::test]
async fn an_answer_is_not_lost_to_a_reset_behind_it() {
    const LENGTH: usize = 1 << 20;
    let (client, mut peer) = sockets(layer()).await;
    let (mut read, mut write) = client.into_split();
    tokio::spawn(async move {
        while write.write_all(&[7; 100]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    patiently("input", peer.read_exact(&mut [0; 100]))
        .await
        .unwrap();
    send_bulk(&mut peer, LENGTH).await;
    // With input unread, closing it resets its connection.
    tokio::time::sleep(Duration::from_millis(500)).await;
    drop(peer);
    tokio::time::sleep(Duration::from_millis(500)).await;
    expect_bulk(&mut read, LENGTH).await;
}
