//! `OnUpgrade` and `Pending` step by step, without a server (rules 18, 21, 23).

use std::{
    future::{Future, pending, ready},
    io,
    pin::pin,
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use http_body_util::Full;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    sync::oneshot,
};
use tower::{Layer, Service, ServiceExt, service_fn, timeout::TimeoutLayer};
use tower_upgrade::{
    OnUpgrade, Pending, Policy, Protocol, Refusal, RefusalKind, UpgradeLayer, testing::TestOffer,
};

use crate::{server::AnyError, wire::patiently};

type Offer = Request<Full<Bytes>>;
type Answer = Result<Response<String>, AnyError>;

fn offer(pending: Pending) -> Offer {
    Request::get("/")
        .header("connection", "upgrade")
        .header("upgrade", "echo/1.0")
        .extension(pending)
        .body(Full::default())
        .unwrap()
}

fn layer() -> UpgradeLayer {
    UpgradeLayer::new(Policy::require(Protocol::new("echo/1.0").unwrap()))
}

fn answer(status: u16) -> Response<String> {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// Sends an offer through the layer to a service that gives out its `OnUpgrade` and then answers
/// what `then` yields; returns both, the answer not yet polled.
async fn offered<F>(pending: Pending, then: F) -> (OnUpgrade, impl Future<Output = u16>)
where
    F: Future<Output = u16>,
{
    let (send, receive) = oneshot::channel();
    let mut parts = Some((send, then));
    let mut service = layer().layer(service_fn(move |mut request: Offer| {
        let (send, then) = parts.take().expect("one request");
        let taken = send.send(OnUpgrade::take(&mut request).unwrap());
        assert!(taken.is_ok());
        async move { Answer::Ok(answer(then.await)) }
    }));
    let response = service.call(offer(pending));
    let on_upgrade = due(receive).await.unwrap();
    (on_upgrade, async {
        response.await.unwrap().status().as_u16()
    })
}

/// Waits for what is due now.
async fn due<F: Future>(future: F) -> F::Output {
    patiently("what is due", future).await
}

/// Reads the end of a connection that was dropped.
async fn ends(client: &mut DuplexStream) {
    assert_eq!(due(client.read(&mut [0])).await.unwrap(), 0);
}

fn connection() -> (DuplexStream, Pending) {
    let (client, server) = duplex(64);
    (client, Pending::ready(server))
}

#[tokio::test]
async fn the_connection_comes_only_after_the_101_was_returned() {
    // Rule 18: "it is awaited only after our 101 or 200 was returned".
    let (mut client, pending) = connection();
    let (send, status) = oneshot::channel();
    let (on_upgrade, answer) = offered(pending, status.map(Result::unwrap)).await;
    let (mut on_upgrade, mut answer) = (pin!(on_upgrade), pin!(answer));
    assert!(on_upgrade.as_mut().now_or_never().is_none());
    assert!(answer.as_mut().now_or_never().is_none());
    assert!(on_upgrade.as_mut().now_or_never().is_none());
    send.send(101).unwrap();
    assert!(on_upgrade.as_mut().now_or_never().is_none());
    assert_eq!(due(answer).await, 101);
    let mut io = on_upgrade.as_mut().now_or_never().unwrap().unwrap();
    io.write_all(b"ping").await.unwrap();
    drop(io);
    let mut read = String::new();
    due(client.read_to_string(&mut read)).await.unwrap();
    assert_eq!(read, "ping");
    // Rule 21: "`OnUpgrade` can be awaited once"; no panic after that.
    assert!(due(on_upgrade.as_mut()).await.unwrap_err().is_taken());
    assert!(due(on_upgrade).await.unwrap_err().is_taken());
}

#[tokio::test]
async fn it_wakes_the_task_that_polled_last() {
    // Cancel safety: it may be polled, left and polled again, from another task too.
    let (_client, pending) = connection();
    let (mut on_upgrade, answer) = offered(pending, ready(101)).await;
    assert!((&mut on_upgrade).now_or_never().is_none());
    let task = tokio::spawn(async move { on_upgrade.await.map(drop) });
    tokio::task::yield_now().await;
    assert_eq!(due(answer).await, 101);
    due(task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_decline_is_told_and_drops_the_connection() {
    // Rule 18: "dropped on every other path".
    let (mut client, pending) = connection();
    let (mut on_upgrade, answer) = offered(pending, ready(403)).await;
    assert_eq!(due(answer).await, 403);
    assert!(due(&mut on_upgrade).await.unwrap_err().is_declined());
    assert!(due(on_upgrade).await.unwrap_err().is_taken());
    ends(&mut client).await;
}

#[tokio::test]
async fn a_request_that_is_given_up_is_told_and_drops_the_connection() {
    // Rule 21, for a layer outside that drops the response's future.
    let (mut client, pending) = connection();
    let (on_upgrade, answer) = offered(pending, std::future::pending()).await;
    drop(answer);
    assert!(due(on_upgrade).await.unwrap_err().is_canceled());
    ends(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn a_timeout_outside_cancels() {
    // Measured on hyper: "`Timeout`'s clock [ends] at the 101"; before it, a timeout ends the offer.
    let (mut client, waiting) = connection();
    let (send, receive) = oneshot::channel();
    let mut send = Some(send);
    let service = service_fn(move |mut request: Offer| {
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        drop(send.take().unwrap().send(on_upgrade));
        pending::<Answer>()
    });
    let timeout = TimeoutLayer::new(Duration::from_secs(5));
    let service = timeout.layer(layer().layer(service));
    assert!(due(service.oneshot(offer(waiting))).await.is_err());
    let on_upgrade = due(receive).await.unwrap();
    assert!(due(on_upgrade).await.unwrap_err().is_canceled());
    ends(&mut client).await;
}

#[tokio::test]
async fn a_second_taker_gets_an_error() {
    // Rule 21: "a second taker gets a typed error, never a panic."
    let service = layer().layer(service_fn(async |mut request: Offer| {
        let mut clone = request.clone();
        let first = OnUpgrade::take(&mut request).unwrap();
        let mut second = OnUpgrade::take(&mut clone).unwrap();
        assert!(OnUpgrade::take(&mut clone).is_none());
        assert_eq!(second.protocol(), first.protocol());
        assert!(due(&mut second).await.unwrap_err().is_taken());
        assert!(due(&mut second).await.unwrap_err().is_taken());
        // That it is dropped takes nothing from the first.
        drop(second);
        Answer::Ok(first.accept(|_| async {}))
    }));
    let offer = TestOffer::new("/", "echo/1.0");
    let _ = due(offer.send(service)).await.unwrap().into_client();
}

#[tokio::test]
async fn dropped_before_the_answer_it_declines() {
    // Rule 21: "Dropping it declines." A 101 after that is a fault of the service.
    for (status, expected) in [(101, 500), (200, 200), (403, 403)] {
        let (mut client, pending) = connection();
        let (on_upgrade, answer) = offered(pending, ready(status)).await;
        drop(on_upgrade);
        assert_eq!(due(answer).await, expected);
        ends(&mut client).await;
    }
}

#[tokio::test]
async fn dropped_after_the_answer_it_closes_the_connection() {
    // Cancel safety: "closes the connection if the 101 is out already".
    let (mut client, pending) = connection();
    let (on_upgrade, answer) = offered(pending, ready(101)).await;
    assert_eq!(due(answer).await, 101);
    drop(on_upgrade);
    ends(&mut client).await;
}

#[tokio::test]
async fn a_clone_of_the_request_does_not_stand_in_for_it() {
    // Rule 21, where something else, such as a log, keeps what was in the request.
    for (drops_first, status) in [(true, 500), (false, 101)] {
        let (mut client, pending) = connection();
        let mut kept = None;
        let mut on_upgrade = None;
        let mut service = layer().layer(service_fn(|mut request: Offer| {
            kept = Some(request.clone());
            on_upgrade = OnUpgrade::take(&mut request);
            if drops_first {
                on_upgrade = None;
            }
            ready(Answer::Ok(answer(101)))
        }));
        let response = due(service.call(offer(pending))).await.unwrap();
        assert_eq!(response.status(), status);
        drop(on_upgrade);
        ends(&mut client).await;
        let second = OnUpgrade::take(&mut kept.unwrap()).unwrap();
        assert!(due(second).await.unwrap_err().is_taken());
    }
}

#[tokio::test]
async fn the_head_of_the_101_speaks_of_no_content() {
    // Rule 15: "`Content-Length` and `Transfer-Encoding` are taken off", whatever server it is for.
    let service = layer().layer(service_fn(async |mut request: Offer| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        let mut response: Response<String> = on_upgrade.accept(|_| async {});
        for (name, value) in [
            ("content-length", "7"),
            ("transfer-encoding", "chunked"),
            ("connection", "close"),
            ("connection", "Upgrade"),
        ] {
            let value = http::HeaderValue::from_static(value);
            response.headers_mut().append(name, value);
        }
        *response.body_mut() = "content".into();
        Answer::Ok(response)
    }));
    let offer = TestOffer::new("/", "echo/1.0");
    let answer = due(offer.send(service)).await.unwrap();
    assert!(answer.client.is_ok(), "{:?}", answer.client);
    let response = answer.response;
    let mut head: Vec<_> = response.headers().iter().collect();
    head.sort_by_key(|(name, _)| name.as_str());
    let head: Vec<_> = head.iter().map(|(n, v)| format!("{n}: {v:?}")).collect();
    assert_eq!(head, ["connection: \"upgrade\"", "upgrade: \"echo/1.0\""]);
    assert!(response.body().is_end_stream());
}

#[tokio::test]
async fn of_clones_of_a_pending_one_gets_the_connection() {
    // Rule 23, where an outer layer sends a request twice.
    let (mut client, pending) = connection();
    let again = offer(pending.clone());
    let mut service = layer().layer(service_fn(async |mut request: Offer| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        Answer::Ok(on_upgrade.accept(|mut io| async move {
            drop(io.write_all(b"once").await);
        }))
    }));
    assert_eq!(service.call(offer(pending)).await.unwrap().status(), 101);
    let response = service.call(again).await.unwrap();
    assert_eq!(response.status(), 501);
    let refusal = response.extensions().get::<Refusal>().unwrap();
    assert_eq!(refusal.kind(), RefusalKind::NotUpgradable);
    let mut read = String::new();
    due(client.read_to_string(&mut read)).await.unwrap();
    assert_eq!(read, "once");
}

#[tokio::test]
async fn what_a_pending_fails_with_is_the_source() {
    // Rule 21, where the server lost the connection after the 101.
    let lost = Pending::new(async { Err::<DuplexStream, _>(io::Error::other("lost it")) });
    let (on_upgrade, answer) = offered(lost, ready(101)).await;
    assert_eq!(due(answer).await, 101);
    let error = due(on_upgrade).await.unwrap_err();
    assert!(error.is_connection());
    assert_eq!(
        std::error::Error::source(&error).unwrap().to_string(),
        "lost it"
    );
}

#[tokio::test]
async fn a_pending_in_a_request_that_passes_is_dropped() {
    // Rule 7: "the handle is dropped, the request passes."
    let (mut client, waiting) = connection();
    let layer = UpgradeLayer::new(Policy::forbid());
    let service = layer.layer(service_fn(async |request: Offer| {
        assert!(request.extensions().get::<Pending>().is_none());
        Answer::Ok(answer(200))
    }));
    assert_eq!(service.oneshot(offer(waiting)).await.unwrap().status(), 200);
    ends(&mut client).await;
}
