//! When the connection reaches whoever awaits `OnUpgrade`, and when it must not (rules 16, 18, 21).
//!
//! `on_upgrade` steps through the same without a server; `upgraded` is about the I/O.

mod answers;

use http::{HeaderValue, Response, StatusCode, header::UPGRADE};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::{
    io::AsyncWriteExt,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tower::{Layer, service_fn};
use tower_upgrade::{OnUpgrade, Policy, Protocol, UpgradeError, UpgradeLayer};

use crate::{
    server::{AnyError, serve, serve_without_upgrades},
    spy::Spy,
    wire::{Client, Request, patiently},
};

type Body = Full<bytes::Bytes>;
type Answer = Result<Response<Body>, AnyError>;

/// What an `OnUpgrade` yielded, the connection left out.
type Yielded = Result<(), UpgradeError>;

fn policy() -> Policy {
    Policy::require(Protocol::new("echo/1.0").unwrap())
}

fn offer() -> Request {
    Request::upgrade("/", "echo/1.0")
}

fn answer(status: u16) -> Response<Body> {
    let mut response = Response::new(Body::default());
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    response
}

/// What a service does with an offer that was let through.
#[derive(Clone, Copy, Debug)]
enum Does {
    /// Awaits the connection in a task, and answers with this status.
    Answers(u16),
    /// Answers 101 and names this protocol.
    Names(&'static str),
    /// Drops its `OnUpgrade`, and answers 101.
    DropsIt,
    /// Leaves it in the request, and answers 101.
    NeverTakesIt,
    /// Awaits the connection in a task, and fails.
    Fails,
}

/// A service that writes `LEAK` to any connection it gets, and tells what its `OnUpgrade` yielded.
fn service(does: Does) -> (Client, UnboundedReceiver<Yielded>) {
    let (told, yielded) = unbounded_channel();
    let service = service_fn(move |request| act(request, does, told.clone()));
    let client = serve(UpgradeLayer::new(policy()).layer(service));
    (Client::over(client), yielded)
}

async fn act(
    mut request: http::Request<Incoming>,
    does: Does,
    told: UnboundedSender<Yielded>,
) -> Answer {
    if matches!(does, Does::NeverTakesIt) {
        return Ok(answer(101));
    }
    let Some(on_upgrade) = OnUpgrade::take(&mut request) else {
        return Ok(answer(200));
    };
    if matches!(does, Does::DropsIt) {
        drop(on_upgrade);
        return Ok(answer(101));
    }
    tokio::spawn(async move {
        let yielded = match on_upgrade.await {
            Ok(mut io) => {
                let _ = io.write_all(b"LEAK").await;
                Ok(())
            }
            Err(error) => Err(error),
        };
        let _ = told.send(yielded);
    });
    match does {
        Does::Answers(status) => Ok(answer(status)),
        Does::Names(protocol) => {
            let mut response = answer(101);
            let value = HeaderValue::from_static(protocol);
            response.headers_mut().insert(UPGRADE, value);
            Ok(response)
        }
        _ => Err("the service failed".into()),
    }
}

async fn next(yielded: &mut UnboundedReceiver<Yielded>) -> Yielded {
    let next = patiently("what the `OnUpgrade` yields", yielded.recv()).await;
    next.expect("an `OnUpgrade` was awaited")
}

#[tokio::test]
async fn an_acceptance_hands_the_connection_over() {
    // Rule 18: the twin of all that follows.
    let (mut client, mut yielded) = service(Does::Answers(101));
    client.offer(&offer()).await.is(101);
    client.expect("LEAK").await;
    client.expect_end().await;
    next(&mut yielded).await.unwrap();
}

#[tokio::test]
async fn an_answer_that_declines_never_yields_the_connection() {
    // Rule 18: the server's handle is "awaited only after our 101 or 200 was returned, and dropped on
    // every other path". hyper fulfils its own behind a complete 403, see below.
    for status in [200, 204, 302, 403, 500] {
        for connection in ["Upgrade", "close, Upgrade"] {
            let (mut client, mut yielded) = service(Does::Answers(status));
            let head = client.offer(&offer().set("Connection", connection)).await;
            head.is(status).lacks("upgrade");
            assert!(next(&mut yielded).await.unwrap_err().is_declined());
            client.finish().await;
            client.expect_end().await;
        }
    }
}

#[tokio::test]
async fn hypers_own_handle_is_fulfilled_behind_a_403() {
    // What hyper does, and why rule 18 is there: if this fails, hyper has changed.
    let (told, mut yielded) = unbounded_channel();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        let (on_upgrade, told) = (hyper::upgrade::on(&mut request), told.clone());
        tokio::spawn(async move {
            if let Ok(io) = on_upgrade.await {
                drop(TokioIo::new(io).write_all(b"LEAK").await);
                let _ = told.send(());
            }
        });
        async { Answer::Ok(answer(403)) }
    });
    let mut client = Client::over(serve(service));
    client
        .offer(&offer().set("Connection", "close, Upgrade"))
        .await
        .is(403);
    assert_eq!(patiently("the handle", yielded.recv()).await, Some(()));
    client.expect("LEAK").await;
}

#[tokio::test]
async fn the_connection_stays_http_after_a_decline() {
    // Rule 18: nobody holds the handle, so that the next request is served.
    let (mut client, mut yielded) = service(Does::Answers(403));
    let pipelined = [offer().to_bytes(), Request::get("/").to_bytes()].concat();
    client.send(pipelined).await;
    client.response().await.head.is(403);
    client.response().await.head.is(426);
    assert!(next(&mut yielded).await.unwrap_err().is_declined());
}

#[tokio::test]
async fn a_client_that_goes_away_cancels() {
    // Rule 21: whoever awaits a connection is told that none will come.
    let (send, mut offers) = unbounded_channel();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        let _ = send.send(OnUpgrade::take(&mut request));
        std::future::pending::<Answer>()
    });
    let mut client = Client::over(serve(UpgradeLayer::new(policy()).layer(service)));
    client.send(offer().to_bytes()).await;
    let on_upgrade = patiently("an offer", offers.recv()).await.flatten();
    drop(client);
    let error = patiently("an error", on_upgrade.unwrap())
        .await
        .unwrap_err();
    assert!(error.is_canceled());
}

#[tokio::test]
async fn a_service_that_fails_cancels() {
    // Rule 21: the request ended before it was answered.
    let (mut client, mut yielded) = service(Does::Fails);
    client.send(offer().to_bytes()).await;
    client.expect_end().await;
    assert!(next(&mut yielded).await.unwrap_err().is_canceled());
}

#[tokio::test]
async fn a_server_without_upgrades_is_named_by_the_error() {
    // Measured on hyper: "Served without upgrades (`with_upgrades` missing) the client still sees a 101, then EOF;
    // the handle says `ManualUpgrade`."
    let (told, mut yielded) = unbounded_channel();
    let service = service_fn(move |request| act(request, Does::Answers(101), told.clone()));
    let server = serve_without_upgrades(UpgradeLayer::new(policy()).layer(service));
    let mut client = Client::over(server);
    client.offer(&offer()).await.is(101);
    client.expect_end().await;
    let error = next(&mut yielded).await.unwrap_err();
    assert!(error.is_connection());
    let source = std::error::Error::source(&error).unwrap().to_string();
    assert!(source.contains("low level API"), "{source}");
}

#[tokio::test]
async fn bytes_pipelined_behind_the_head_arrive_in_order() {
    // Measured on hyper: "Pipelined bytes behind the head arrive in order (64 KiB tried), also after a pipelined
    // request."
    let bytes: Vec<u8> = (0..64 << 10_u32).map(|n: u32| (n % 253) as u8).collect();
    let policy = Policy::offer(Protocol::new("echo/1.0").unwrap());
    for before in [
        vec![],
        Request::get("/").method("POST").content("first").to_bytes(),
    ] {
        let (mut client, spy) = Spy::behind(policy.clone());
        client
            .send([&before[..], &offer().to_bytes(), &bytes].concat())
            .await;
        if !before.is_empty() {
            assert_eq!(client.response().await.content, "first");
        }
        client.head().await.is(101);
        client.expect(&bytes).await;
        assert_eq!(
            spy.seen().last().unwrap().protocol.as_deref(),
            Some("echo/1.0")
        );
    }
}

#[tokio::test]
async fn either_half_may_end_first() {
    // The client's end reaches the service, and what the service still sends reaches the client.
    let (mut client, _spy) = Spy::behind(policy());
    client
        .send([&offer().to_bytes()[..], b"ping"].concat())
        .await;
    client.finish().await;
    client.head().await.is(101);
    client.expect("ping").await;
    client.expect_end().await;
}
