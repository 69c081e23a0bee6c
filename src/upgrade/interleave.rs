//! The hand-over in every order of its events, by loom:
//!
//! ```text
//! RUSTFLAGS='--cfg interleave' cargo test --release --lib interleave
//! ```
//!
//! In each, a service and whoever awaits the connection (and a drain, a second taker) run against each
//! other. Whatever the order, nobody may wait for ever, and in the end the connection must be dropped
//! and its permit be back.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
};

use http::{Extensions, Request};
use loom::{future::block_on, thread};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Handle, Io, Kind, OnUpgrade, Pending, Slot};
use crate::{
    head::Head,
    lifetime::{Guard, Limit, Terms},
    negotiate::{Acceptance, Decision, Offer, Policy},
    observe::{Cause, Connection, Observer},
    protocol::Protocol,
};

/// One request between its offer and its end.
struct Exchange {
    limit: Limit,
    is_dropped: Arc<AtomicBool>,
    is_declined: Arc<AtomicBool>,
    guard: Arc<Guard<Io>>,
    slot: Slot,
    handle: Handle,
    extensions: Extensions,
}

impl Exchange {
    fn new() -> Self {
        let request = Request::get("/")
            .header("connection", "upgrade")
            .header("upgrade", "a")
            .body(())
            .unwrap();
        let acceptance = accept(&request);
        let limit = Limit::total(1);
        let mut terms = Terms::default();
        terms.clocks.hand_over = None;
        terms.limits.push(limit.clone());
        let is_declined = Arc::new(AtomicBool::new(false));
        terms
            .observers
            .push(Arc::new(Spy(Arc::clone(&is_declined))));
        let admitted = Arc::new(terms).admit(&Head::from(&request), acceptance.agreed());
        let guard: Arc<Guard<Io>> = admitted.unwrap();
        let is_dropped = Arc::new(AtomicBool::new(false));
        let slot = Slot::new(acceptance, Some(Arc::clone(&guard)));
        let mut extensions = Extensions::new();
        extensions.insert(Pending::ready(Probe(Arc::clone(&is_dropped))));
        let handle = Handle::take(&mut extensions).unwrap();
        OnUpgrade::insert(&slot, &mut extensions);
        Self {
            limit,
            is_dropped,
            is_declined,
            guard,
            slot,
            handle,
            extensions,
        }
    }
}

fn accept(request: &Request<()>) -> Acceptance {
    let policy = Arc::new(Policy::require(Protocol::new("a").unwrap()));
    match policy.decide(&Offer::read(request)) {
        Decision::Accept(acceptance) => acceptance,
        other => panic!("{other:?}"),
    }
}

/// Notes that an offer was declined.
struct Spy(Arc<AtomicBool>);

impl Observer for Spy {
    fn declined(&self, _: &Connection<'_>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection that tells when it is dropped.
struct Probe(Arc<AtomicBool>);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl AsyncRead for Probe {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Probe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, b: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(b.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[track_caller]
fn assert_all_is_over(limit: &Limit, is_dropped: &AtomicBool) {
    assert_eq!(limit.live(), 0, "a permit is left");
    assert!(is_dropped.load(Ordering::Relaxed), "the connection is left");
}

#[test]
fn accepted_and_awaited() {
    loom::model(|| {
        let mut exchange = Exchange::new();
        let on_upgrade = OnUpgrade::take_from(&mut exchange.extensions).unwrap();
        let task = thread::spawn(move || block_on(on_upgrade));
        assert!(exchange.slot.hand_over(exchange.handle));
        let io = task.join().unwrap().unwrap();
        assert_eq!(exchange.limit.live(), 1);
        drop(io);
        assert_all_is_over(&exchange.limit, &exchange.is_dropped);
    });
}

#[test]
fn declined_and_awaited() {
    loom::model(|| {
        let mut exchange = Exchange::new();
        let on_upgrade = OnUpgrade::take_from(&mut exchange.extensions).unwrap();
        let task = thread::spawn(move || block_on(on_upgrade));
        drop(exchange.handle);
        exchange.slot.close(Kind::Declined);
        exchange.guard.decline();
        assert!(task.join().unwrap().unwrap_err().is_declined());
        assert_all_is_over(&exchange.limit, &exchange.is_dropped);
    });
}

#[test]
fn accepted_and_dropped() {
    loom::model(|| {
        let mut exchange = Exchange::new();
        let on_upgrade = OnUpgrade::take_from(&mut exchange.extensions).unwrap();
        let task = thread::spawn(move || drop(on_upgrade));
        if !exchange.slot.hand_over(exchange.handle) {
            exchange.guard.decline();
        }
        task.join().unwrap();
        assert_all_is_over(&exchange.limit, &exchange.is_dropped);
    });
}

#[test]
fn accepted_and_never_taken() {
    loom::model(|| {
        let exchange = Exchange::new();
        let request = exchange.extensions;
        let task = thread::spawn(move || drop(request));
        if !exchange.slot.hand_over(exchange.handle) {
            exchange.guard.decline();
        }
        drop(exchange.slot);
        task.join().unwrap();
        assert_all_is_over(&exchange.limit, &exchange.is_dropped);
    });
}

#[test]
fn accepted_and_taken_twice() {
    loom::model(|| {
        let exchange = Exchange::new();
        let take = |mut extensions: Extensions| {
            thread::spawn(move || block_on(OnUpgrade::take_from(&mut extensions).unwrap()))
        };
        let tasks = [take(exchange.extensions.clone()), take(exchange.extensions)];
        assert!(exchange.slot.hand_over(exchange.handle));
        let outcomes = tasks.map(|task| task.join().unwrap());
        let taken = |outcome: &&Result<_, super::UpgradeError>| {
            outcome.as_ref().is_err_and(super::UpgradeError::is_taken)
        };
        assert_eq!(outcomes.iter().filter(taken).count(), 1);
        assert_eq!(exchange.limit.live(), 1);
        drop(outcomes);
        assert_all_is_over(&exchange.limit, &exchange.is_dropped);
    });
}

#[test]
fn accepted_awaited_and_closed_by_force() {
    let mut model = loom::model::Builder::new();
    // Three threads have more orders than anybody waits for; few faults need more turns than these.
    model.preemption_bound = Some(3);
    model.check(|| {
        let mut exchange = Exchange::new();
        let on_upgrade = OnUpgrade::take_from(&mut exchange.extensions).unwrap();
        let task = thread::spawn(move || block_on(on_upgrade));
        let guard = Arc::clone(&exchange.guard);
        let drain = thread::spawn(move || guard.close(Cause::Drained));
        let is_handed_over = exchange.slot.hand_over(exchange.handle);
        if !is_handed_over {
            exchange.slot.close(Kind::Drained);
        }
        drop(exchange.slot);
        drain.join().unwrap();
        match task.join().unwrap() {
            // It was there before it was closed, and is an empty shell now.
            Ok(_) => {}
            Err(error) => assert!(error.is_drained(), "{error}"),
        }
        let is_declined = exchange.is_declined.load(Ordering::Relaxed);
        assert_ne!(
            is_declined, is_handed_over,
            "a 101 for what was told as declined"
        );
        assert_all_is_over(&exchange.limit, &exchange.is_dropped);
    });
}
