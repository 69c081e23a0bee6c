//! Errors by the Tower service itself, whose client is any service.

use std::{
    convert::Infallible,
    error::Error,
    future::{Ready, pending, ready},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderValue, Request, Response, Uri};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::{
    io::{AsyncWriteExt, duplex},
    time::{Instant, sleep},
};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_upgrade::{
    Head, Pending,
    tunnel::{RequestBody, Tunnel, TunnelErrorKind},
};

use crate::tunnel::{
    edge::layer,
    ends::expect,
    memory::{Answer, Body, Broken, error_of, is, joined, offer, send, switching, tunnel},
};

type Sent = Request<RequestBody<Body>>;

fn plain() -> http::request::Builder {
    Request::get("/").header("host", "a.example")
}

/// A client that is never asked.
fn unasked(_: Sent) -> Ready<Result<Response<Body>, Broken>> {
    panic!("the upstream was asked")
}

async fn answered(answer: http::response::Builder, request: http::request::Builder) -> Answer {
    let answer = std::sync::Mutex::new(Some(answer));
    let client = service_fn(move |_: Sent| {
        let answer = answer.lock().unwrap().take().unwrap();
        ready(answer.body(Body::default()))
    });
    send(tunnel(client), request).await
}

/// A client whose `poll_ready` or whose call fails.
#[derive(Clone)]
struct Failing {
    is_ready: bool,
}

impl Service<Sent> for Failing {
    type Response = Response<Body>;
    type Error = Broken;
    type Future = Ready<Result<Response<Body>, Broken>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(if self.is_ready { Ok(()) } else { Err(Broken) })
    }

    fn call(&mut self, _: Sent) -> Self::Future {
        assert!(self.is_ready, "called though it was not ready");
        ready(Err(Broken))
    }
}

/// Whether a client service fails before its call or in it, the answer says so and holds the cause.
#[tokio::test]
async fn a_client_that_fails_is_answered_for() {
    for is_ready in [false, true] {
        let mut service = tunnel(Failing { is_ready });
        for _ in 0..2 {
            let service = service.ready().await.unwrap();
            let request = plain().body(Body::default()).unwrap();
            let answer: Answer = service.call(request).await.unwrap();
            let error = error_of(&answer);
            assert_eq!(error.kind(), TunnelErrorKind::Lost);
            assert!(error.source().is_some_and(|source| source.is::<Broken>()));
            assert!(error.kind().is_upstream_fault());
        }
        let answer: Answer = send(tunnel(Failing { is_ready }), offer()).await;
        is(&answer, TunnelErrorKind::Lost);
    }
}

/// One that is not ready yet is waited for.
#[tokio::test]
async fn a_client_that_is_busy_is_waited_for() {
    let client =
        service_fn(|_: Sent| ready(Ok::<_, Infallible>(Response::new(Body::from("late")))));
    let client = tower::limit::ConcurrencyLimit::new(client, 1);
    let mut first = tunnel(client);
    let mut second = first.clone();
    let held = first.ready().await.unwrap();
    assert!(second.ready().now_or_never().is_none());
    let request = plain().body(Body::default()).unwrap();
    let answer: Answer = held.call(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    drop(answer);
    assert!(second.ready().now_or_never().is_some());
}

#[tokio::test]
async fn no_upstream_is_chosen() {
    let none = |_: &Head<'_>| None::<Uri>;
    let answer: Answer = send(Tunnel::new(service_fn(unasked), none), plain()).await;
    is(&answer, TunnelErrorKind::NoUpstream);
    let no_scheme = |_: &Head<'_>| Some(Uri::from_static("upstream.example:81"));
    let answer: Answer = send(Tunnel::new(service_fn(unasked), no_scheme), plain()).await;
    is(&answer, TunnelErrorKind::NoUpstream);
}

#[tokio::test]
async fn the_request_itself_is_at_fault() {
    for (request, kind) in [
        (Request::get("/"), TunnelErrorKind::Host),
        (plain().header("host", "b.example"), TunnelErrorKind::Host),
        (
            plain().method("CONNECT").uri("a.example:80"),
            TunnelErrorKind::Connect,
        ),
    ] {
        let answer: Answer = send(tunnel(service_fn(unasked)), request).await;
        is(&answer, kind);
        assert!(!error_of(&answer).kind().is_upstream_fault());
    }
}

#[tokio::test]
async fn a_101_that_must_not_be_believed() {
    let answer = answered(switching(), plain()).await;
    is(&answer, TunnelErrorKind::Switch);
}

/// Its text never names the upstream or repeats what a peer said.
#[tokio::test]
async fn a_hint_is_the_same_for_all() {
    let wrong = switching().header("upgrade", HeaderValue::from_static("s3cret"));
    let answer = answered(wrong, plain()).await;
    let hint = error_of(&answer).hint();
    assert!(!hint.contains("s3cret") && !hint.ends_with('.'), "{hint}");
}

/// A client service that gives no connection, or a broken one, joins nothing; who reads problem details
/// gets them.
#[tokio::test]
async fn an_acceptance_without_a_connection() {
    for (accepted, told) in [
        ("*/*", "text/plain; charset=utf-8"),
        ("application/problem+json", "application/problem+json"),
    ] {
        for has_handle in [false, true] {
            let client = service_fn(move |_: Sent| {
                let mut answer = switching().body(Body::default()).unwrap();
                if has_handle {
                    let lost = async { Err::<tokio::io::DuplexStream, _>(Broken) };
                    answer.extensions_mut().insert(Pending::new(lost));
                }
                ready(Ok::<_, Infallible>(answer))
            });
            let (_client, server) = duplex(64);
            let request = offer().extension(Pending::ready(server));
            let request = request.header("accept", accepted);
            let answer = send(layer().layer(tunnel(client)), request).await;
            is(&answer, TunnelErrorKind::NotHandedOver);
            assert_eq!(error_of(&answer).source().is_some(), has_handle);
            assert_eq!(answer.headers()["content-type"], told, "{has_handle}");
        }
    }
}

/// One that never comes is waited for no longer than an answer, and told in details too.
#[tokio::test(start_paused = true)]
async fn an_acceptance_whose_connection_is_not_handed_over() {
    let never = Pending::new(pending::<Result<tokio::io::DuplexStream, Infallible>>());
    let client = service_fn(move |_: Sent| {
        let answer = switching().extension(never.clone()).body(Body::default());
        ready(answer)
    });
    let (_client, server) = duplex(64);
    let request = offer().extension(Pending::ready(server));
    let request = request.header("accept", "application/problem+json");
    let start = Instant::now();
    let answer = send(layer().layer(tunnel(client)), request).await;
    is(&answer, TunnelErrorKind::TimedOut);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(start.elapsed(), Duration::from_secs(60));
}

/// A minute unless it is set, on a clock that is paused.
#[tokio::test(start_paused = true)]
async fn silence_is_cut_short_on_time() {
    let silent = || service_fn(|_: Sent| pending::<Result<Response<Body>, Infallible>>());
    for (tunnel, seconds) in [
        (tunnel(silent()), 60),
        (tunnel(silent()).timeout(Duration::from_secs(7)), 7),
        (tunnel(silent()).timeout(Duration::ZERO), 0),
    ] {
        let start = Instant::now();
        let answer: Answer = send(tunnel, plain()).await;
        is(&answer, TunnelErrorKind::TimedOut);
        assert_eq!(start.elapsed().as_secs(), seconds);
    }
    let endless = tunnel(silent()).timeout(Duration::MAX);
    let waited = tokio::time::timeout(Duration::from_secs(1 << 30), send::<_, _>(endless, plain()));
    assert!(waited.await.is_err());
}

/// An answer's content takes longer than the timeout without harm, and so does an upgraded connection.
#[tokio::test(start_paused = true)]
async fn what_follows_the_head_takes_as_long_as_it_takes() {
    let hour = Duration::from_secs(3_600);
    let client = service_fn(move |_: Sent| {
        let late = Box::pin(async move {
            sleep(hour).await;
            Ok::<_, Infallible>(Frame::data(Bytes::from("late")))
        });
        let body = StreamBody::new(futures_util::stream::once(late));
        ready(Ok::<_, Infallible>(Response::new(body)))
    });
    let start = Instant::now();
    let answer = send(tunnel(client), plain()).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    let content = answer.into_body().collect().await.unwrap();
    assert_eq!(content.to_bytes(), "late");
    assert_eq!(start.elapsed(), hour);

    let (mut client, mut upstream) = joined(&layer()).await;
    sleep(hour).await;
    client.write_all(b"ping").await.unwrap();
    expect(&mut upstream, "ping").await;
}

/// A layer outside of the tunnel finds the reason, and so does one outside of the upgrade layer.
#[tokio::test]
async fn the_reason_gets_through_the_layer() {
    let request = offer();
    let (_client, server) = duplex(64);
    let request = request.extension(Pending::ready(server));
    let client = Failing { is_ready: true };
    let answer = send(layer().layer(tunnel(client)), request).await;
    is(&answer, TunnelErrorKind::Lost);
}
