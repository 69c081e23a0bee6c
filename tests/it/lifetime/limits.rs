//! Limits: who is let in and who is not, and what a refused one is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use tower::{Layer, Service, service_fn};
use tower_upgrade::{
    Drain, Limit, OnUpgrade, Pending, Policy, Refusal, RefusalKind, UpgradeLayer, WebSocket,
};

use super::{
    offers::{
        Answer, Deciding, Offer, SECOND, connection, due, layer, offer, open, protocol, refuses,
        status,
    },
    record::Record,
};
use crate::{echo::Echo, server::AnyError};

#[tokio::test]
async fn as_many_get_in_as_may() {
    // "503 or 429 with `Retry-After` before the 101": ten get in, the eleventh does not.
    for (limit, refused, kind) in [
        (Limit::total(10), 503, RefusalKind::TotalLimit),
        (Limit::per_key(10, |_| "all"), 429, RefusalKind::KeyLimit),
    ] {
        let layer = layer().limit(limit.clone().retry_after(7 * SECOND));
        let mut live = Vec::new();
        for n in 0..10 {
            assert_eq!(limit.live(), n);
            live.push(open(&layer).await);
        }
        let response = refuses(&layer, refused).await;
        assert_eq!(response.headers()["retry-after"], "7");
        assert!(!response.headers().contains_key("upgrade"));
        assert!(!response.headers().contains_key("connection"));
        let refusal = response.extensions().get::<Refusal>().unwrap();
        assert_eq!(refusal.kind(), kind);
        assert_eq!(limit.live(), 10);
        // The twin: one place more.
        live.pop();
        live.push(open(&layer).await);
        refuses(&layer, refused).await;
        drop(live);
        assert_eq!(limit.live(), 0);
    }
}

#[tokio::test]
async fn an_offer_that_is_not_answered_has_its_permit_already() {
    // It is taken before the service is called, so that no more than may are being decided on.
    let limit = Limit::total(1);
    let layer = layer().limit(limit.clone());
    let (_client, handle) = connection();
    let deciding = Deciding::of(&layer, handle);
    refuses(&layer, 503).await;
    drop(deciding);
    assert_eq!(limit.live(), 0);
    open(&layer).await;
}

/// A key that the request names.
fn by_account() -> Limit {
    Limit::per_key(1, |head| head.headers.get("account").cloned())
}

fn of_account(account: &'static str, handle: Pending) -> Offer {
    let mut offer = offer(handle);
    let value = http::HeaderValue::from_static(account);
    offer.headers_mut().insert("account", value);
    offer
}

/// Sends offers of these accounts; returns their statuses, all that were accepted being live.
async fn statuses(layer: &UpgradeLayer, accounts: &[&'static str]) -> (Vec<u16>, Vec<OnUpgrade>) {
    let mut live = Vec::new();
    let mut statuses = Vec::new();
    let mut service = layer.layer(service_fn(|mut request: Offer| {
        live.extend(OnUpgrade::take(&mut request));
        async { Ok::<Response<String>, AnyError>(status(101)) }
    }));
    for account in accounts {
        let response = service.call(of_account(account, connection().1)).await;
        statuses.push(response.unwrap().status().as_u16());
    }
    drop(service);
    (statuses, live)
}

#[tokio::test]
async fn every_key_has_a_count_of_its_own() {
    // A client that has all it may takes nothing from another.
    let limit = by_account();
    let layer = layer().limit(limit.clone());
    let (got, live) = statuses(&layer, &["a", "b", "a", "c", "b"]).await;
    assert_eq!(got, [101, 101, 429, 101, 429]);
    assert_eq!(limit.live(), 3);
    drop(live);
    assert_eq!(limit.live(), 0);
    let (got, _live) = statuses(&layer, &["b", "a", "a"]).await;
    assert_eq!(got, [101, 101, 429]);
}

#[tokio::test]
async fn of_several_limits_the_first_that_is_full_refuses() {
    // "They are asked in the order they were given", and what was taken before one refused is returned.
    let (total, key) = (Limit::total(2), by_account());
    for (limits, expected) in [
        ([total.clone(), key.clone()], [101, 429, 101, 503, 503]),
        ([key.clone(), total.clone()], [101, 429, 101, 429, 503]),
    ] {
        let [first, second] = limits;
        let layer = layer().limit(first).limit(second);
        let (got, live) = statuses(&layer, &["a", "a", "b", "b", "c"]).await;
        assert_eq!(got, expected);
        assert_eq!((total.live(), key.live()), (2, 2));
        drop(live);
        assert_eq!((total.live(), key.live()), (0, 0));
    }
}

#[tokio::test]
async fn a_limit_of_two_layers_is_one() {
    // "Clones count together", whatever the layers differ in.
    let limit = Limit::total(2);
    let one = layer().limit(limit.clone().retry_after(SECOND));
    let other = layer().limit(limit.clone().retry_after(2 * SECOND));
    let _first = open(&one).await;
    let _second = open(&other).await;
    let response = refuses(&one, 503).await;
    assert_eq!(response.headers()["retry-after"], "1");
    let response = refuses(&other, 503).await;
    assert_eq!(response.headers()["retry-after"], "2");
}

/// A layer with this policy whose key is counted, and how often it was asked for.
fn counted(policy: Policy) -> (UpgradeLayer, Arc<AtomicUsize>, Limit) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let limit = Limit::per_key(0, move |_| count.fetch_add(1, Ordering::Relaxed));
    (UpgradeLayer::new(policy).limit(limit.clone()), asked, limit)
}

#[tokio::test]
async fn what_is_no_accepted_offer_takes_no_permit() {
    // Nobody gets in here at all, and these are none who want in.
    let offer = || offer(connection().1);
    let without_handle = || {
        let mut offer = offer();
        offer.extensions_mut().remove::<Pending>();
        offer
    };
    let websocket = WebSocket::new;
    for (policy, request, status) in [
        (Policy::offer(protocol()), Request::default(), 200),
        (Policy::require(protocol()), Request::default(), 426),
        (Policy::forbid(), offer(), 200),
        (Policy::offer(websocket()), offer(), 200),
        (Policy::require(websocket()), offer(), 426),
        (Policy::offer(protocol()), without_handle(), 200),
        (Policy::require(protocol()), without_handle(), 501),
        // The twin.
        (Policy::require(protocol()), offer(), 429),
        (Policy::offer(protocol()), offer(), 429),
    ] {
        let (layer, asked, limit) = counted(policy);
        let answer = layer.layer(Echo::default()).call(request).await.unwrap();
        assert_eq!(answer.status(), status);
        let expected = usize::from(status == 429);
        assert_eq!((asked.load(Ordering::Relaxed), limit.live()), (expected, 0));
    }
}

#[tokio::test]
async fn a_key_that_panics_keeps_nothing() {
    // Somebody else's code, between two limits.
    let (first, last) = (Limit::total(1), Limit::total(1));
    let record = Record::default();
    let broken = Limit::per_key(1, |head| {
        assert!(!head.headers.contains_key("account"), "on purpose");
    });
    let layer = layer()
        .limit(first.clone())
        .limit(broken.clone())
        .limit(last.clone())
        .drain(Drain::new())
        .observe(record.clone());
    let mut service = layer.layer(Echo::default());
    let call = async { service.call(of_account("a", connection().1)).await };
    let panicked = std::panic::AssertUnwindSafe(call).catch_unwind().await;
    assert!(panicked.is_err());
    assert_eq!((first.live(), broken.live(), last.live()), (0, 0, 0));
    open(&layer).await;
}

#[tokio::test]
async fn refuse_with_sees_them() {
    // Their status and fields are added to what it returns, as to any refusal.
    let drain = Drain::new();
    let respond = |refusal: &Refusal, _: &tower_upgrade::Head<'_>| {
        let mut response = Response::new(Bytes::from(refusal.kind().as_str()));
        *response.status_mut() = refusal.status();
        response
    };
    let full = layer().limit(Limit::total(0)).refuse_with(respond);
    let full_for_key = layer()
        .limit(Limit::per_key(0, |_| ()))
        .refuse_with(respond);
    let draining = layer().drain(drain.clone()).refuse_with(respond);
    drain.start();
    for (layer, status, kind, field, value) in [
        (full, 503, "total-limit", "retry-after", "10"),
        (full_for_key, 429, "key-limit", "retry-after", "10"),
        (draining, 503, "draining", "connection", "close"),
    ] {
        let response = refuses(&layer, status).await;
        assert_eq!(response.headers()[field], value);
        let content = http_body_util::BodyExt::collect(response.into_body());
        assert_eq!(due(content).await.unwrap().to_bytes(), kind);
    }
}

#[tokio::test]
async fn retry_after_is_in_whole_seconds_rounded_up() {
    // The field has no fractions (RFC 9110 10.2.3), and a client should not come too early.
    for (delay, expected) in [
        (Duration::ZERO, "0"),
        (Duration::from_nanos(1), "1"),
        (SECOND, "1"),
        (Duration::from_millis(1_001), "2"),
        (Duration::MAX, "18446744073709551615"),
    ] {
        let layer = layer().limit(Limit::total(0).retry_after(delay));
        let response = refuses(&layer, 503).await;
        assert_eq!(response.headers()["retry-after"], expected);
    }
}

#[tokio::test]
async fn an_answer_is_what_it_was() {
    // An offer that gets in sees nothing of the limits.
    let layer = layer().limit(Limit::total(1)).limit(by_account());
    let mut service = layer.layer(service_fn(async |mut request: Offer| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        Ok::<Response<String>, AnyError>(on_upgrade.accept(|_| async {}))
    }));
    let response: Answer = service.call(offer(connection().1)).await.unwrap();
    let names: Vec<_> = response.headers().keys().collect();
    assert_eq!(
        (response.status().as_u16(), names.len()),
        (101, 2),
        "{names:?}"
    );
}
