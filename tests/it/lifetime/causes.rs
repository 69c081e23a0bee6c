//! Causes: why a connection was closed, as observers are told.

use std::{
    future::pending,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::sleep,
};
use tower_upgrade::{
    Drain, Pending, UpgradeLayer,
    observe::{Cause, Clock},
};

use super::{
    offers::{Deciding, SECOND, TICK, due, layer, open},
    record::Record,
};

const OPEN: [&str; 3] = ["offered /", "accepted", "handed over"];

/// What observers are told of a connection that this is done with.
async fn told_of_open<Fut>(
    layer: UpgradeLayer,
    doing: impl FnOnce(DuplexStream, tower_upgrade::Upgraded) -> Fut,
) -> (Record, Vec<String>)
where
    Fut: Future<Output = ()>,
{
    let record = Record::default();
    let (client, io) = open(&layer.observe(record.clone())).await;
    assert_eq!(record.events(), OPEN);
    doing(client, io).await;
    let told = record.events().split_off(OPEN.len());
    assert_eq!(record.connections(), 1);
    (record, told)
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_for_every_cause() {
    // Each once, last, and with what was read and written.
    let (record, told) = told_of_open(layer(), |mut client, mut io| async move {
        client.write_all(b"12345").await.unwrap();
        io.read_exact(&mut [0; 3]).await.unwrap();
        io.write_all(b"1234567").await.unwrap();
        io.flush().await.unwrap();
        sleep(3 * SECOND).await;
        drop(io);
    })
    .await;
    assert_eq!(told, ["closed Dropped"]);
    let closing = record.closings()[0];
    // What was read, not what was sent to be read.
    assert_eq!((closing.received, closing.sent), (3, 7));
    assert!(closing.duration >= 3 * SECOND && closing.duration <= 3 * SECOND + TICK);

    let (_, told) = told_of_open(layer(), |client, mut io| async move {
        drop(client);
        assert_eq!(io.read(&mut [0]).await.unwrap(), 0);
    })
    .await;
    assert_eq!(told, ["closed PeerEnded"]);

    let (_, told) = told_of_open(layer(), |client, mut io| async move {
        drop(client);
        assert!(io.write(b"x").await.is_err());
    })
    .await;
    assert_eq!(told, ["closed Failed(BrokenPipe)"]);

    for (layer, cause) in [
        (layer().first_byte_timeout(SECOND), "Expired(FirstByte)"),
        (layer().idle_timeout(SECOND), "Expired(Idle)"),
        (layer().max_lifetime(SECOND), "Expired(Lifetime)"),
    ] {
        let (_, told) = told_of_open(layer, |_client, io| async move {
            sleep(2 * SECOND).await;
            drop(io);
        })
        .await;
        assert_eq!(told, [format!("closed {cause}")]);
    }

    let drain = Drain::new();
    let (_, told) = told_of_open(layer().drain(drain.clone()), |_client, io| async move {
        drain.wait(SECOND).await;
        drop(io);
    })
    .await;
    assert_eq!(told, ["closed Drained"]);

    let (_, told) = told_of_open(layer(), |_client, io| async move {
        let task = tokio::spawn(async move {
            let _io = io;
            panic!("on purpose");
        });
        assert!(task.await.unwrap_err().is_panic());
    })
    .await;
    assert_eq!(told, ["closed Panicked"]);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_never_handed_over_is_closed() {
    // "`accepted` ... `closed`: the connection never came".
    let never = || Pending::new(pending::<io::Result<DuplexStream>>());
    let lost = || Pending::new(async { Err::<DuplexStream, _>(io::Error::other("lost")) });
    let drain = Drain::new();
    for (layer, handle, cause) in [
        (layer(), lost(), "NotHandedOver"),
        (
            layer().hand_over_timeout(SECOND),
            never(),
            "Expired(HandOver)",
        ),
        (layer().drain(drain.clone()), never(), "Drained"),
    ] {
        let record = Record::default();
        let layer = layer.observe(record.clone());
        let on_upgrade = Deciding::of(&layer, handle).accept().await;
        assert_eq!(record.events(), OPEN[..2]);
        let (yielded, _) = tokio::join!(due(on_upgrade), async {
            if cause == "Drained" {
                drain.wait(SECOND).await;
            }
        });
        assert!(yielded.is_err());
        let closed = format!("closed {cause}");
        assert_eq!(record.events(), ["offered /", "accepted", &closed]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_duration_begins_with_the_acceptance() {
    // "The time since it was accepted."
    let late = |comes: bool| {
        Pending::new(async move {
            sleep(3 * SECOND).await;
            if comes {
                Ok(duplex(64).1)
            } else {
                Err(io::Error::other("lost"))
            }
        })
    };
    for (comes, expected) in [(true, 7 * SECOND), (false, 3 * SECOND)] {
        let record = Record::default();
        let layer = layer().observe(record.clone());
        let deciding = Deciding::of(&layer, late(comes));
        sleep(SECOND).await;
        let on_upgrade = deciding.accept().await;
        let yielded = due(on_upgrade).await;
        if comes {
            sleep(4 * SECOND).await;
        }
        drop(yielded);
        let (_, duration) = record.only_closing();
        assert!(
            duration >= expected && duration <= expected + 2 * TICK,
            "{duration:?}"
        );
    }
}

/// A connection whose every read and write fails so.
struct Fails(io::ErrorKind);

impl AsyncRead for Fails {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}

impl AsyncWrite for Fails {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(self.0.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}

#[tokio::test]
async fn a_failure_is_told_by_its_kind() {
    // "Reading or writing failed, last with an error of this kind", which is the I/O's own error.
    for kind in [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::TimedOut,
        io::ErrorKind::NotConnected,
    ] {
        for operation in 0..4 {
            let record = Record::default();
            let layer = layer().observe(record.clone());
            let handle = Pending::ready(Fails(kind));
            let mut io = due(Deciding::of(&layer, handle).accept().await)
                .await
                .unwrap();
            let failed = match operation {
                0 => io.read(&mut [0]).await.map(drop),
                1 => io.write(b"x").await.map(drop),
                2 => io.flush().await,
                _ => io.shutdown().await,
            };
            let error = failed.unwrap_err();
            assert_eq!((error.kind(), Cause::of(&error)), (kind, None));
            drop(io);
            assert_eq!(record.closings()[0].cause, Cause::Failed(kind));
        }
    }
}

#[test]
fn causes_have_names_for_logs_and_metrics() {
    // `as_str` and `Display`, in lower case with hyphens, no two the same.
    let causes = [
        (Cause::Dropped, "dropped"),
        (Cause::PeerEnded, "peer-ended"),
        (Cause::Failed(io::ErrorKind::BrokenPipe), "failed"),
        (Cause::Expired(Clock::HandOver), "hand-over-timeout"),
        (Cause::Expired(Clock::FirstByte), "first-byte-timeout"),
        (Cause::Expired(Clock::Idle), "idle-timeout"),
        (Cause::Expired(Clock::Lifetime), "max-lifetime"),
        (Cause::Drained, "drained"),
        (Cause::Panicked, "panicked"),
        (Cause::NotHandedOver, "not-handed-over"),
    ];
    for (cause, name) in causes {
        assert_eq!((cause.as_str(), cause.to_string().as_str()), (name, name));
    }
}
