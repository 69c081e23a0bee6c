//! How long a connection that is failed is read on, whatever the peer does; with paused time.

use std::{
    io,
    pin::Pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll},
    time::Duration,
};

use futures_util::FutureExt;
use http::Version;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    sync::mpsc::unbounded_channel,
    time::{Instant, advance, timeout},
};
use tokio_tungstenite::{WebSocketStream, tungstenite::protocol::Role};
use tower_upgrade::{Drain, testing::TestOffer};

use super::{
    failing::{LINGER, app, error, failing, is_told, masked, too_large, took, write},
    layer,
    peers::{VERSIONS, hears, large, open_over, soon},
};
use crate::{server::serve_on, sockets::Io, wire::Request};

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_end_has_ten_seconds() {
    // Whether it reads the close and stays, or reads nothing and the close is stuck, or goes on sending.
    for version in VERSIONS {
        for (is_stuck, sends) in [(false, false), (true, false), (false, true), (true, true)] {
            let (send, mut receive) = unbounded_channel();
            let app = app(async move |mut socket| {
                if is_stuck {
                    let stuck = timeout(LINGER, socket.send(large())).await;
                    assert!(stuck.is_err() || version == Version::HTTP_2);
                }
                let error = error(&mut socket).await;
                let start = Instant::now();
                socket.fail(&error).await;
                send.send(start.elapsed()).unwrap();
            });
            let mut peer = open_over(version, &app).await;
            let io = peer.get_mut();
            // The handler reads by then.
            tokio::time::sleep(LINGER * 3 / 2).await;
            io.write_all(&too_large()).await.unwrap();
            let mut sent = 0;
            let took = loop {
                if let Ok(took) = timeout(Duration::from_secs(1), receive.recv()).await {
                    break took.unwrap();
                }
                if sends {
                    // Fails where it has ended by now.
                    let _ = soon(io.write_all(&[7; 200_000])).await;
                }
                sent += 1;
                assert!(sent < 100, "no end");
            };
            assert_eq!(took.as_secs(), LINGER.as_secs(), "{version:?} {is_stuck}");
        }
    }
}

/// A client that is always ready to be read, of which nobody knows that others want their turn.
struct Flood {
    head: Vec<u8>,
    reads: AtomicUsize,
}

impl AsyncRead for Flood {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let reads = this.reads.fetch_add(1, Ordering::Relaxed);
        assert!(reads < 200_000, "it is read without end");
        let length = this.head.len().min(buf.remaining());
        buf.put_slice(&this.head[..length]);
        this.head.drain(..length);
        if length == 0 {
            buf.put_slice(&[0xff; 1 << 10][..buf.remaining().min(1 << 10)]);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_without_end_ends_and_leaves_others_their_turn() {
    // Though its bytes are always there, the clock goes on.
    let (app, mut receive) = failing();
    let flood = Flood {
        head: Request::websocket("/").to_bytes(),
        reads: AtomicUsize::new(0),
    };
    serve_on(flood, app);
    let mut seconds = 0;
    let took = loop {
        if let Some(took) = receive.recv().now_or_never() {
            break took.expect("no panic");
        }
        advance(Duration::from_secs(1)).await;
        seconds += 1;
        assert!(seconds < 100, "no end");
    };
    assert!(LINGER <= took && took < 2 * LINGER, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_is_not_waited_for() {
    // Before the error, which it is, or behind it.
    for version in VERSIONS {
        for bytes in [masked(0x81, b"sound"), b"\x81".to_vec(), masked(0x83, b"")] {
            let (app, mut receive) = failing();
            let mut peer = open_over(version, &app).await;
            write(&mut peer, &bytes).await;
            drop(peer);
            assert_eq!(took(&mut receive).await, Duration::ZERO, "{bytes:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_drains_deadline_and_a_clock_end_it_sooner() {
    // The connection is closed under it, and the handler goes on.
    const SOONER: Duration = Duration::from_secs(3);
    for version in VERSIONS {
        let (failing, mut receive) = failing();
        let drain = Drain::new();
        let app = failing.layer(layer().drain(drain.clone()));
        let mut peer = open_over(version, &app).await;
        write(&mut peer, &too_large()).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        let report = drain.wait(SOONER).await;
        assert_eq!((report.closed, report.panicked), (1, 0), "{report}");
        assert_eq!(took(&mut receive).await.as_secs(), SOONER.as_secs());

        let (failing, mut receive) = super::failing::failing();
        let app = failing.layer(layer().idle_timeout(SOONER));
        let mut peer = open_over(version, &app).await;
        write(&mut peer, &too_large()).await;
        let took = took(&mut receive).await;
        assert!(SOONER <= took && took < 2 * SOONER, "{took:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn left_alone_it_is_gone_on_with_or_dropped() {
    // Cancel safety: another call has ten seconds more, and dropping the socket closes.
    const MOMENT: Duration = Duration::from_secs(1);
    for is_called_again in [true, false] {
        let app = app(async move |mut socket| {
            let error = error(&mut socket).await;
            assert!(timeout(MOMENT, socket.fail(&error)).await.is_err());
            if is_called_again {
                socket.fail(&error).await;
            }
        });
        let mut peer = open_over(Version::HTTP_11, &app).await;
        write(&mut peer, &too_large()).await;
        let start = Instant::now();
        // The client's half is open until the server's other half is closed too.
        while timeout(MOMENT, peer.get_mut().write(&[7]))
            .await
            .unwrap()
            .is_ok()
        {
            tokio::time::sleep(MOMENT / 10).await;
        }
        let expected = MOMENT.as_secs() + u64::from(is_called_again) * LINGER.as_secs();
        assert_eq!(start.elapsed().as_secs(), expected);
        is_told(peer, 1009, "once").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_was_read_no_further_is_read_on() {
    // It asked so much that it was not read any more, made an error, and reads when it has sent all.
    let app = app(async |mut socket| {
        let full = timeout(LINGER, socket.send(large())).await;
        assert!(full.is_err());
        let error = error(&mut socket).await;
        socket.fail(&error).await;
    });
    let offer = TestOffer::websocket("/").capacity(64 << 10);
    let io: Box<dyn Io> = Box::new(offer.send(app).await.unwrap().into_client());
    let mut peer = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
    // As many as are owed 16 KiB, and the error among what is read with the last of them.
    let pings = masked(0x89, &[7; 125]).repeat(130);
    write(&mut peer, &[pings, masked(0x83, b"")].concat()).await;
    tokio::time::sleep(LINGER + LINGER / 2).await;
    write(&mut peer, &[7; 1 << 20]).await;
    assert_eq!(hears(&mut peer).await.len(), 1 << 20);
    for _ in 0..130 {
        assert!(hears(&mut peer).await.is_pong());
    }
    assert!(hears(&mut peer).await.is_close());
}
