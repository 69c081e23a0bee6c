//! What the public types promise by their traits: these tests fail to compile.

use std::{
    error::Error,
    fmt::{Debug, Display},
    hash::Hash,
};

use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{Layer, Service};
use tower_upgrade::{
    ContentBody, InvalidProtocol, Io, OnUpgrade, Parts, PeerAddress, Pending, Policy, Protocol,
    Refusal, RefusalKind, ResponseBody, ResponseFuture, Routes, Upgrade, UpgradeError,
    UpgradeLayer, Upgraded, WebSocket,
    grammar::{InvalidParams, List, Members, Param, Params},
    negotiate::{Acceptance, ConnectProtocol, Decision, Offer, Spoken},
    websocket::{ExtensionOffers, MalformedExtensions},
};

use crate::echo::Echo;

fn is_debug<T: Debug>() {}
fn is_send<T: Debug + Send + 'static>() {}
fn is_shared<T: Debug + Send + Sync + 'static>() {}
fn is_kept<T: Debug + Clone + Send + Sync + 'static>() {}
fn is_error<T: Error + Send + Sync + 'static>() {}

#[test]
fn what_is_configured_once_is_shared_and_cloned() {
    // Layers, services and policies are `Clone`, `Debug`, `Send` and `Sync`.
    is_kept::<UpgradeLayer>();
    is_kept::<Upgrade<Echo>>();
    is_kept::<Policy>();
    is_kept::<Routes>();
    is_kept::<Spoken>();
    is_kept::<WebSocket>();
    is_kept::<Protocol>();
    fn is_value<T: Eq + Hash + Display>() {}
    is_value::<Protocol>();
}

#[test]
fn what_is_decided_is_shared_and_cloned() {
    // Decisions and refusals can be kept, sent and printed.
    is_kept::<Acceptance>();
    is_kept::<Decision>();
    is_kept::<Refusal>();
    is_kept::<RefusalKind>();
    is_kept::<Pending>();
    is_kept::<PeerAddress>();
    is_kept::<ConnectProtocol>();
    is_kept::<ExtensionOffers>();
    fn is_name<T: Copy + Eq + Hash + Display>() {}
    is_name::<RefusalKind>();
}

#[test]
fn what_borrows_from_a_head_can_be_shown() {
    // Readers of fields are `Debug`.
    is_debug::<Offer<'_>>();
    is_debug::<List<'_>>();
    is_debug::<Members<'_>>();
    is_debug::<Param<'_>>();
    is_debug::<Params<'_>>();
}

#[test]
fn what_is_awaited_and_relayed_goes_to_another_task() {
    // Futures, connections and bodies are `Send` and need no pinning.
    is_shared::<OnUpgrade>();
    is_send::<Upgraded>();
    is_send::<Io>();
    is_send::<Parts<tokio::net::TcpStream>>();
    is_send::<ContentBody<String>>();
    is_shared::<ResponseBody<String>>();
    is_send::<ResponseFuture<std::future::Ready<()>>>();
    fn is_io<T: AsyncRead + AsyncWrite + hyper::rt::Read + hyper::rt::Write + Unpin>() {}
    is_io::<Upgraded>();
    fn is_future<T: Future<Output = Result<Upgraded, UpgradeError>> + Unpin>() {}
    is_future::<OnUpgrade>();
    fn is_plain_io<T: AsyncRead + AsyncWrite + Unpin>() {}
    is_plain_io::<Io>();
    fn is_awaited<T: IntoFuture<Output = Result<Io, UpgradeError>, IntoFuture: Send + Unpin>>() {}
    is_awaited::<Pending>();
}

#[test]
fn errors_are_those_of_std() {
    // Every error can be boxed and sent.
    is_error::<UpgradeError>();
    is_error::<Refusal>();
    is_error::<InvalidProtocol>();
    is_error::<InvalidParams>();
    is_error::<MalformedExtensions>();
}

#[test]
fn neither_body_of_a_request_nor_of_an_answer_is_bound() {
    // A body that can be neither sent nor cloned, and is none of ours.
    struct Own;
    fn serves<B, S: Service<http::Request<B>>>(_: S) {}
    let layer = UpgradeLayer::new(Policy::forbid());
    serves::<Own, _>(layer.layer(Echo::default()));
    let local = tower::service_fn(async |_: http::Request<Own>| {
        Ok::<_, ()>(http::Response::new(std::rc::Rc::new(())))
    });
    serves::<Own, _>(layer.layer(local));
    fn is_body<T: Body>() {}
    is_body::<ResponseBody<http_body_util::Empty<bytes::Bytes>>>();
    is_body::<ContentBody<http_body_util::Full<bytes::Bytes>>>();
}
