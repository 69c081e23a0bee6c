//! What a connection keeps alive of its request: nothing (rule 22).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use tower::{Layer, Service, service_fn};
use tower_upgrade::{Drain, Limit, OnUpgrade, Policy, UpgradeLayer, WebSocket};

use super::{
    offers::{SECOND, connection, due, settle},
    record::Record,
};
use crate::{server::AnyError, wire::KEY};

/// Counts what is left of a request: every part of it holds a clone.
type Part = Arc<()>;

/// Octets of a request, which may be part of a larger buffer.
struct Octets {
    text: &'static str,
    _part: Part,
}

impl Octets {
    fn of(text: &'static str, part: &Part) -> Bytes {
        let _part = Arc::clone(part);
        Bytes::from_owner(Self { text, _part })
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

fn field(value: &'static str, part: &Part) -> HeaderValue {
    HeaderValue::from_maybe_shared(Octets::of(value, part)).unwrap()
}

/// A request every part of which is counted: its target, its fields, an extension and its body.
fn request(part: &Part) -> Request<Part> {
    let target = Octets::of("/chat?with=somebody", part);
    let mut request = Request::builder()
        .uri(Uri::from_maybe_shared(target).unwrap())
        .extension(Arc::clone(part))
        .body(Arc::clone(part))
        .unwrap();
    for (name, value) in [
        ("host", "here.example"),
        ("connection", "Upgrade"),
        ("upgrade", "WebSocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", KEY),
        ("sec-websocket-protocol", "chat.v1"),
        ("origin", "http://here.example"),
        ("account", "somebody"),
    ] {
        request.headers_mut().insert(name, field(value, part));
    }
    request
}

/// A layer with nothing on, and one with everything.
fn layers() -> [UpgradeLayer; 2] {
    let spoken = WebSocket::new().subprotocols(["chat.v2", "chat.v1"]);
    let bare = UpgradeLayer::new(Policy::require(spoken));
    let all = bare
        .clone()
        .limit(Limit::total(10))
        .limit(Limit::per_key(10, |head| {
            head.headers.get("account").cloned()
        }))
        .limit(Limit::per_key(10, |head| head.uri.clone()))
        .hand_over_timeout(SECOND)
        .first_byte_timeout(SECOND)
        .idle_timeout(SECOND)
        .max_lifetime(SECOND)
        .drain(Drain::new())
        .observe(Record::default());
    [bare, all]
}

#[tokio::test(start_paused = true)]
async fn nothing_of_the_request_is_kept_alive_by_its_connection() {
    // Rule 22: "no request part, header value or read-ahead buffer is kept alive by it".
    for layer in layers() {
        let part = Part::default();
        let (_client, handle) = connection();
        let mut taken = None;
        let mut service = layer.layer(service_fn(|mut request: Request<Part>| {
            taken = OnUpgrade::take(&mut request);
            let mut response = Response::<String>::default();
            *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
            async { Ok::<_, AnyError>(response) }
        }));
        let mut request = request(&part);
        request.extensions_mut().insert(handle);
        assert_eq!(Arc::strong_count(&part), 12, "every part is counted");
        let response = service.call(request).await.unwrap();
        drop(service);
        // From here on, with the answer not sent and the connection not awaited.
        assert_eq!(Arc::strong_count(&part), 1);
        assert_eq!(response.headers()["sec-websocket-protocol"], "chat.v1");
        let io = due(taken.unwrap()).await.unwrap();
        assert_eq!(io.subprotocol(), Some("chat.v1"));
        assert_eq!(Arc::strong_count(&part), 1);
        drop((io, response));
    }
}

#[tokio::test(start_paused = true)]
async fn nor_by_the_task_of_accept() {
    // The handler has the connection and nothing else, unless it takes it along.
    for layer in layers() {
        let part = Part::default();
        let (_client, handle) = connection();
        let mut service = layer.layer(service_fn(async |mut request: Request<Part>| {
            let on_upgrade = OnUpgrade::take(&mut request).unwrap();
            Ok::<Response<String>, AnyError>(on_upgrade.accept(|io| async move {
                let _io = io;
                std::future::pending::<()>().await;
            }))
        }));
        let mut request = request(&part);
        request.extensions_mut().insert(handle);
        let response = service.call(request).await.unwrap();
        settle().await;
        assert_eq!(
            (response.status().as_u16(), Arc::strong_count(&part)),
            (101, 1)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_connection_is_kept_alive_after_it() {
    // Not by its clocks, its drain or its limits: the I/O is dropped with the last of its holders.
    struct Token;
    let token = Arc::new(Token);
    for layer in layers() {
        for runs_out in [true, false] {
            let held = Arc::clone(&token);
            let (client, server) = tokio::io::duplex(64);
            let io = super::offers::Dropping::new(server, move || drop(held));
            let mut taken = None;
            let mut service = layer.layer(service_fn(|mut request: Request<Part>| {
                taken = OnUpgrade::take(&mut request);
                async { Ok::<_, AnyError>(super::offers::status(101)) }
            }));
            let mut request = request(&Part::default());
            let handle = tower_upgrade::Pending::ready(io);
            request.extensions_mut().insert(handle);
            drop(service.call(request).await.unwrap());
            drop(service);
            let io = due(taken.unwrap()).await.unwrap();
            assert_eq!(Arc::strong_count(&token), 2);
            if runs_out {
                tokio::time::sleep(2 * SECOND).await;
            }
            drop(io);
            assert_eq!(Arc::strong_count(&token), 1);
            drop(client);
        }
    }
}
