//! Permits: every way in which they return.

use std::{future::pending, io};

use futures_util::FutureExt;
use http::{HeaderValue, Response, header::UPGRADE};
use tokio::io::{AsyncReadExt, DuplexStream};
use tower::{Layer, Service, service_fn};
use tower_upgrade::{Drain, Limit, OnUpgrade, Pending, Policy, UpgradeLayer, observe::Cause};

use super::{
    offers::{
        Deciding, Dropping, Offer, SECOND, connection, due, ends, layer, offer, open, protocol,
        refuses, serve, settle, status,
    },
    record::Record,
};
use crate::server::AnyError;

/// A layer of one place, and everything that keeps count of it.
struct OnePlace {
    layer: UpgradeLayer,
    total: Limit,
    key: Limit,
    drain: Drain,
    record: Record,
}

impl OnePlace {
    fn new() -> Self {
        Self::of(layer())
    }

    fn of(layer: UpgradeLayer) -> Self {
        let (total, key) = (Limit::total(1), Limit::per_key(1, |_| ()));
        let (drain, record) = (Drain::new(), Record::default());
        let layer = layer
            .limit(total.clone())
            .limit(key.clone())
            .drain(drain.clone())
            .observe(record.clone());
        Self {
            layer,
            total,
            key,
            drain,
            record,
        }
    }

    #[track_caller]
    fn counts(&self, live: usize) {
        let counted = (self.total.live(), self.key.live(), self.drain.live());
        assert_eq!(counted, (live, live, live), "{:?}", self.record.events());
    }

    /// An offer that the service has in its hands.
    #[track_caller]
    fn deciding(&self) -> (DuplexStream, Deciding) {
        self.deciding_on(connection())
    }

    #[track_caller]
    fn deciding_on(&self, (client, handle): (DuplexStream, Pending)) -> (DuplexStream, Deciding) {
        self.counts(0);
        let deciding = Deciding::of(&self.layer, handle);
        self.counts(1);
        (client, deciding)
    }

    /// All is as if nobody had come; the client's end, if it is here, is closed, and the next gets in.
    #[track_caller]
    fn leaves_room(
        self,
        client: impl Into<Option<DuplexStream>>,
        event: &str,
    ) -> impl Future<Output = ()> {
        self.counts(0);
        assert_eq!(self.record.events().last().unwrap(), event);
        let client = client.into();
        async move {
            if let Some(mut client) = client {
                ends(&mut client).await;
            }
            let _live = open(&self.layer).await;
            self.counts(1);
            refuses(&self.layer, 503).await;
        }
    }
}

#[tokio::test]
async fn a_declined_offer_returns_it() {
    // Whatever the service answers that is no 101.
    for status in [200, 204, 302, 403, 500] {
        let place = OnePlace::new();
        let (client, deciding) = place.deciding();
        let (on_upgrade, answered) = deciding.answer(status).await;
        assert_eq!(answered, status);
        // At once, even if the handler keeps what it took.
        place.leaves_room(client, "declined").await;
        assert!(due(on_upgrade).await.unwrap_err().is_declined());
    }
}

#[tokio::test]
async fn a_failed_service_returns_it() {
    // An error of the service is no answer.
    let place = OnePlace::new();
    let (client, deciding) = place.deciding();
    deciding.answer.send(Err("it failed".into())).unwrap();
    assert!(due(deciding.answering).await.is_err());
    place.leaves_room(client, "declined").await;
    assert!(due(deciding.on_upgrade).await.unwrap_err().is_canceled());
}

#[tokio::test]
async fn an_offer_that_is_given_up_returns_it() {
    // The client went away, or a timeout around the layer struck; before or while the service thinks.
    for polls in [0, 1] {
        let place = OnePlace::new();
        let (client, mut deciding) = place.deciding();
        for _ in 0..polls {
            assert!((&mut deciding.answering).now_or_never().is_none());
        }
        drop(deciding.answering);
        place.leaves_room(client, "declined").await;
        assert!(due(deciding.on_upgrade).await.unwrap_err().is_canceled());
    }
}

#[tokio::test]
async fn an_offer_that_is_accepted_and_given_up_returns_it() {
    // The task of `accept` was spawned, and the answer never left.
    let place = OnePlace::new();
    let (client, deciding) = place.deciding();
    let _: Response<String> = deciding.on_upgrade.accept(|_| async { unreachable!() });
    settle().await;
    place.counts(1);
    drop(deciding.answering);
    settle().await;
    place.leaves_room(client, "declined").await;
}

#[tokio::test]
async fn a_panic_of_the_service_returns_it() {
    // In `call`, or while its answer is awaited.
    for in_call in [true, false] {
        let place = OnePlace::new();
        let (client, handle) = connection();
        let mut service = place.layer.layer(service_fn(move |_: Offer| {
            assert!(!in_call, "on purpose");
            async { std::future::ready(Ok::<_, AnyError>(status(0))).await }
        }));
        let call = async { service.call(offer(handle)).await.map(drop) };
        let panicked = std::panic::AssertUnwindSafe(call).catch_unwind().await;
        assert!(panicked.is_err());
        place.leaves_room(client, "declined").await;
    }
}

#[tokio::test]
async fn a_fault_of_the_service_returns_it() {
    // Its 101 cannot be let through: it names another protocol, or there is nobody to hand over to.
    let place = OnePlace::new();
    let (client, deciding) = place.deciding();
    let mut response = status(101);
    let other = HeaderValue::from_static("other");
    response.headers_mut().insert(UPGRADE, other);
    assert!(deciding.answer.send(Ok(response)).is_ok());
    assert_eq!(due(deciding.answering).await.unwrap().status(), 500);
    place.leaves_room(client, "refused other-protocol").await;
    assert!(due(deciding.on_upgrade).await.unwrap_err().is_refused());

    let place = OnePlace::new();
    let (client, deciding) = place.deciding();
    drop(deciding.on_upgrade);
    assert!(deciding.answer.send(Ok(status(101))).is_ok());
    assert_eq!(due(deciding.answering).await.unwrap().status(), 500);
    place.leaves_room(client, "refused abandoned").await;

    let place = OnePlace::new();
    let (client, handle) = connection();
    let never_taken = service_fn(async |_: Offer| Ok::<_, AnyError>(status(101)));
    let answering = place.layer.layer(never_taken).call(offer(handle));
    assert_eq!(answering.await.unwrap().status(), 500);
    place.leaves_room(client, "refused abandoned").await;
}

#[tokio::test]
async fn content_that_was_not_read_returns_it() {
    // Rule 12: the acceptance is turned into a 500.
    let policy = Policy::require(protocol().content_limit(64));
    let place = OnePlace::of(UpgradeLayer::new(policy));
    let (client, handle) = connection();
    let mut request = offer(handle);
    let length = HeaderValue::from_static("5");
    request.headers_mut().insert("content-length", length);
    let mut service = place.layer.layer(service_fn(async |mut request: Offer| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        Ok::<Response<String>, AnyError>(on_upgrade.accept(|_| async { unreachable!() }))
    }));
    assert_eq!(service.call(request).await.unwrap().status(), 500);
    settle().await;
    place.leaves_room(client, "refused content-unread").await;
}

#[tokio::test]
async fn an_accepted_offer_that_nobody_awaits_returns_it() {
    // The `OnUpgrade` is dropped when the 101 is out, before or after it was polled.
    for polls in [0, 1] {
        let place = OnePlace::new();
        let (client, server) = tokio::io::duplex(64);
        let handle = Pending::new(async {
            tokio::task::yield_now().await;
            io::Result::Ok(server)
        });
        let (client, deciding) = place.deciding_on((client, handle));
        let mut on_upgrade = deciding.accept().await;
        for _ in 0..polls {
            assert!((&mut on_upgrade).now_or_never().is_none());
        }
        place.counts(1);
        drop(on_upgrade);
        place.leaves_room(client, "closed NotHandedOver").await;
    }
}

#[tokio::test]
async fn an_accepted_offer_in_a_clone_that_is_dropped_returns_it() {
    // A log, say, kept the request, and nobody ever took the `OnUpgrade` out of it.
    let place = OnePlace::new();
    let (client, handle) = connection();
    let mut kept = None;
    let mut service = place.layer.layer(service_fn(|request: Offer| {
        kept = Some(request);
        async { Ok::<_, AnyError>(status(101)) }
    }));
    assert_eq!(service.call(offer(handle)).await.unwrap().status(), 101);
    drop(service);
    place.counts(1);
    drop(kept);
    place.leaves_room(client, "closed NotHandedOver").await;
}

#[tokio::test]
async fn a_connection_that_is_lost_returns_it() {
    // The server's promise fails after the 101.
    let place = OnePlace::new();
    let (client, server) = tokio::io::duplex(64);
    let handle = Pending::new(async move {
        drop(server);
        Err::<DuplexStream, _>(io::Error::other("lost it"))
    });
    let (client, deciding) = place.deciding_on((client, handle));
    let on_upgrade = deciding.accept().await;
    assert!(due(on_upgrade).await.unwrap_err().is_connection());
    place.leaves_room(client, "closed NotHandedOver").await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_never_comes_returns_it() {
    // By the clock that every layer with a limit has.
    let place = OnePlace::new();
    let never = Pending::new(pending::<io::Result<DuplexStream>>());
    let (_client, deciding) = place.deciding_on((connection().0, never));
    let on_upgrade = deciding.accept().await;
    place.counts(1);
    tokio::time::sleep(31 * SECOND).await;
    place.leaves_room(None, "closed Expired(HandOver)").await;
    drop(on_upgrade);
}

#[tokio::test]
async fn a_connection_that_is_dropped_returns_it() {
    // Rule 20: "The guard lives in the I/O: when it is dropped, the permit returns".
    let place = OnePlace::new();
    let (client, deciding) = place.deciding();
    let io = due(deciding.accept().await).await.unwrap();
    place.counts(1);
    drop(io);
    place.leaves_room(client, "closed Dropped").await;
}

#[tokio::test]
async fn a_handler_that_ends_returns_it() {
    // The task of `accept`, by its own end, a panic, or that of its client.
    let place = OnePlace::new();
    let client = serve(&place.layer, |_| async {}).await;
    place.leaves_room(client, "closed Dropped").await;

    let place = OnePlace::new();
    let client = serve(&place.layer, |io| async move {
        let _io = io;
        panic!("on purpose");
    })
    .await;
    place.leaves_room(client, "closed Panicked").await;

    let place = OnePlace::new();
    let client = serve(&place.layer, |_| {
        panic!("on purpose") as std::future::Ready<()>
    })
    .await;
    place.leaves_room(client, "closed Panicked").await;

    let place = OnePlace::new();
    let client = serve(&place.layer, |mut io| async move {
        assert_eq!(io.read(&mut [0]).await.unwrap(), 0);
    });
    drop(client.await);
    settle().await;
    place.leaves_room(None, "closed PeerEnded").await;
}

#[tokio::test]
async fn halves_return_it_with_the_last() {
    // A connection that was split is gone when both halves are.
    let place = OnePlace::new();
    let (client, deciding) = place.deciding();
    let (read, write) = tokio::io::split(due(deciding.accept().await).await.unwrap());
    drop(read);
    place.counts(1);
    drop(write);
    place.leaves_room(client, "closed Dropped").await;
}

#[tokio::test]
async fn it_returns_after_the_connection_was_closed() {
    // "The connection first: who takes the permit next must not find it open."
    let (limit, record) = (Limit::total(1), Record::default());
    let layer = layer().limit(limit.clone()).observe(record.clone());
    let (_client, server) = tokio::io::duplex(64);
    let io = Dropping::new(server, {
        let limit = limit.clone();
        move || assert_eq!(limit.live(), 1, "it is still open")
    });
    let on_upgrade = Deciding::of(&layer, Pending::ready(io)).accept().await;
    drop(due(on_upgrade).await.unwrap());
    assert_eq!(limit.live(), 0);
    assert!(matches!(record.closings()[0].cause, Cause::Dropped));
}
