//! Connections that outlive the runtime they came in.

use futures_util::FutureExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    runtime::{Builder, Runtime},
    sync::oneshot,
};
use tower_upgrade::{Drain, Limit, UpgradeLayer, Upgraded};

use super::{
    offers::{SECOND, due, layer, open, serve},
    record::Record,
};

fn runtimes() -> [Runtime; 2] {
    [Builder::new_current_thread(), Builder::new_multi_thread()]
        .map(|mut builder| builder.enable_all().build().unwrap())
}

/// A layer with everything on, none of which runs out by itself.
fn guarded(limit: &Limit, drain: &Drain, record: &Record) -> UpgradeLayer {
    layer()
        .limit(limit.clone())
        .first_byte_timeout(1000 * SECOND)
        .idle_timeout(1000 * SECOND)
        .max_lifetime(1000 * SECOND)
        .drain(drain.clone())
        .observe(record.clone())
}

/// Does what needs no runtime, for nothing has to be waited for.
#[track_caller]
fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("it is there already")
}

/// A connection whose runtime is gone.
fn left_behind(runtime: Runtime, layer: &UpgradeLayer) -> (DuplexStream, Upgraded) {
    let connection = runtime.block_on(async {
        let (client, mut io) = open(layer).await;
        // So that a task of the runtime is who waits for it.
        assert!(io.read(&mut [0]).now_or_never().is_none());
        (client, io)
    });
    drop(runtime);
    connection
}

#[test]
fn a_connection_outlives_its_runtime_without_a_clock() {
    // A runtime that ends fires all of its timers: that is neither a deadline nor a panic.
    for runtime in runtimes() {
        let (limit, drain, record) = (Limit::total(1), Drain::new(), Record::default());
        let layer = guarded(&limit, &drain, &record);
        let (mut client, mut io) = left_behind(runtime, &layer);
        now(async {
            client.write_all(b"in").await.unwrap();
            let mut read = [0; 2];
            io.read_exact(&mut read).await.unwrap();
            io.write_all(&read).await.unwrap();
            client.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"in");
        });
        assert_eq!((limit.live(), drain.live()), (1, 1));
        drop(io);
        assert_eq!((limit.live(), drain.live()), (0, 0));
        assert_eq!(record.only_closing().0, "Dropped");
        assert_eq!(now(client.read(&mut [0])).unwrap(), 0);
    }
}

#[test]
fn it_can_be_asked_for_its_type_after_its_runtime() {
    // The clocks of a connection that is given back are those of a runtime that is no more.
    for runtime in runtimes() {
        let layer = guarded(&Limit::total(1), &Drain::new(), &Record::default());
        let (mut client, io) = left_behind(runtime, &layer);
        let io = io.downcast::<tokio::net::TcpStream>().unwrap_err();
        let mut parts = io.downcast::<DuplexStream>().unwrap();
        now(parts.io.write_all(b"x")).unwrap();
        assert_eq!(now(client.read(&mut [0])).unwrap(), 1);
    }
}

#[test]
fn a_runtime_that_ends_drops_the_handlers_in_it() {
    // What a task holds goes with the task.
    for runtime in runtimes() {
        let (limit, drain, record) = (Limit::total(1), Drain::new(), Record::default());
        let layer = guarded(&limit, &drain, &record);
        let mut client = runtime.block_on(async {
            let (begins, begun) = oneshot::channel();
            let client = serve(&layer, |mut io| async move {
                let _ = begins.send(());
                let _ = io.read(&mut [0]).await;
            });
            let client = client.await;
            due(begun).await.unwrap();
            client
        });
        assert_eq!((limit.live(), drain.live()), (1, 1));
        drop(runtime);
        assert_eq!((limit.live(), drain.live()), (0, 0));
        assert_eq!(record.only_closing().0, "Dropped");
        assert_eq!(now(client.read(&mut [0])).unwrap(), 0);
    }
}
