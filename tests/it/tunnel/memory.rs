//! A tunnel in memory, without a server or a socket, so that time can be paused.

use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::Full;
use tokio::io::{DuplexStream, duplex};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_upgrade::{
    Pending, ResponseBody, UpgradeLayer,
    tunnel::{RequestBody, Tunnel, TunnelError, TunnelErrorKind},
};

pub(crate) type Body = Full<Bytes>;
pub(crate) type Answer = Response<ResponseBody<Body>>;

/// Offers `echo/1.0` through a tunnel whose client accepts it, and returns both far ends.
pub(crate) async fn joined(layer: &UpgradeLayer) -> (DuplexStream, DuplexStream) {
    joined_by(layer, CAPACITY).await
}

/// The same with so many bytes on the way at most, on either side.
pub(crate) async fn joined_by(
    layer: &UpgradeLayer,
    capacity: usize,
) -> (DuplexStream, DuplexStream) {
    let (upstream, near) = duplex(capacity);
    let (client, server) = duplex(capacity);
    let near = Pending::ready(near);
    let service = service_fn(move |_: Request<RequestBody<Body>>| {
        let accepted = switching().extension(near.clone()).body(Body::default());
        std::future::ready(accepted)
    });
    let request = offer().extension(Pending::ready(server));
    let answer = send(layer.layer(tunnel(service)), request).await;
    assert_eq!(answer.status(), 101);
    (client, upstream)
}

/// Sends an offer, or whatever it is, without a server.
pub(crate) async fn send<S, B>(service: S, request: http::request::Builder) -> Response<B>
where
    S: Service<Request<Body>, Response = Response<B>, Error = Infallible>,
{
    let request = request.body(Body::default()).unwrap();
    let answered = service.oneshot(request).await;
    answered.unwrap_or_else(|never| match never {})
}

/// The error in a response's extensions, which all of the response must agree with.
#[track_caller]
pub(crate) fn error_of<B>(answer: &Response<B>) -> &TunnelError {
    let error = answer.extensions().get::<TunnelError>().unwrap();
    assert_eq!(error.status(), answer.status());
    assert_eq!(error.kind().status(), answer.status());
    assert_eq!(error.to_string(), error.hint());
    error
}

#[track_caller]
pub(crate) fn is<B>(answer: &Response<B>, kind: TunnelErrorKind) {
    assert_eq!(error_of(answer).kind(), kind);
}

/// A tunnel by this client.
pub(crate) fn tunnel<C>(client: C) -> Tunnel<C, Uri> {
    Tunnel::new(client, Uri::from_static("http://upstream.example:81"))
}

pub(crate) fn offer() -> http::request::Builder {
    Request::get("/")
        .header("host", "a.example")
        .header("connection", "upgrade")
        .header("upgrade", "echo/1.0")
}

pub(crate) fn switching() -> http::response::Builder {
    Response::builder()
        .status(101)
        .header("connection", "upgrade")
        .header("upgrade", "echo/1.0")
}

/// What a client service fails with that says no more.
#[derive(Debug)]
pub(crate) struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken")
    }
}

impl Error for Broken {}

const CAPACITY: usize = 64 << 10;
