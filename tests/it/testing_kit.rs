//! The testing kit: that it shows what a client would see, with nothing but a service.

mod answers;
mod connections;
mod offers;

use std::{
    convert::Infallible,
    fmt::Debug,
    panic::{AssertUnwindSafe, catch_unwind},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tower::{Layer, Service};
use tower_upgrade::{
    Policies, Policy, Protocol, RefusalKind, Upgrade, UpgradeLayer, WebSocket,
    testing::{Answer, Client, NotSwitched, TestOffer},
};

use crate::echo::Echo;

type Body = Full<Bytes>;

fn behind(policies: impl Into<Policies>) -> Upgrade<Echo> {
    UpgradeLayer::new(policies).layer(Echo::default())
}

fn websocket() -> Policy {
    Policy::require(WebSocket::new())
}

fn echo() -> Policy {
    Policy::require(Protocol::new("echo/1.0").unwrap())
}

/// Sends an offer to a service that answers at once, as nearly all here do.
#[track_caller]
fn answer<S, B, R>(offer: TestOffer<B>, service: S) -> Answer<R>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    let sent = offer.send(service).now_or_never();
    let Ok(answer) = sent.expect("an answer at once");
    answer
}

/// Sends an offer that switches, and returns the client's end.
#[track_caller]
fn switches<S, B, R>(offer: TestOffer<B>, service: S) -> Client
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    answer(offer, service).into_client()
}

/// Sends an offer that is refused for this reason, and returns what the answer says of it.
#[track_caller]
fn refuses<B>(
    kind: RefusalKind,
    offer: TestOffer<B>,
    policies: impl Into<Policies>,
) -> NotSwitched {
    let service = behind(policies);
    let answer = answer(offer, service.clone());
    assert_eq!(answer.refusal().kind(), kind);
    assert_eq!(answer.response.status(), answer.refusal().status());
    assert_eq!(service.get_ref().calls(), 0, "the service was called");
    let why = answer.client.unwrap_err();
    assert_eq!(why.status(), answer.response.status());
    assert_eq!(why.refusal().map(|refusal| refusal.kind()), Some(kind));
    assert!(!why.is_flawed());
    why
}

/// Reads to the end of the connection.
async fn rest(client: &mut Client) -> String {
    let mut rest = String::new();
    client.read_to_string(&mut rest).await.unwrap();
    rest
}

/// What a test is told that asks for what cannot be.
#[track_caller]
fn panic_of<T>(asks: impl FnOnce() -> T) -> String {
    let panicked = catch_unwind(AssertUnwindSafe(|| drop(asks())));
    match panicked.expect_err("it did not panic").downcast() {
        Ok(said) => *said,
        Err(said) => (*said.downcast::<&str>().expect("a text")).to_owned(),
    }
}

#[test]
fn what_is_public_can_be_kept_sent_and_shown() {
    // Offers are builders, a client's end is I/O, and an error is one.
    fn is_builder<T: Debug + Clone + Send + Sync + 'static>() {}
    is_builder::<TestOffer>();
    is_builder::<TestOffer<axum::body::Bytes>>();
    fn is_io<T: AsyncRead + AsyncWrite + Debug + Unpin + Send + Sync + 'static>() {}
    is_io::<Client>();
    fn is_error<T: std::error::Error + Clone + Send + Sync + 'static>() {}
    is_error::<NotSwitched>();
    fn is_shared<T: Debug + Send + Sync + 'static>() {}
    is_shared::<Answer<String>>();
    fn is_sent<T: Send>(_: T) {}
    is_sent(TestOffer::websocket("/").send(behind(websocket())));
}
