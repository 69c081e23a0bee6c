//! Servers that take a WebSocket of one of the peers' engines.

use std::io::Result;

use axum::{
    Router,
    extract::{WebSocketUpgrade, ws::WebSocket},
    response::Response as AxumResponse,
    routing::any,
};
use bytes::Bytes;
use fastwebsockets::{
    FragmentCollector, OpCode, WebSocketError,
    upgrade::{UpgradeFut, upgrade},
};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use tower::service_fn;

use super::candidate::Candidate;
use crate::loopback::server::serve;

/// The peers, as they come and as thrifty as they can be told to be.
pub const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: "axum's `WebSocketUpgrade`",
        goal: None,
        serve: || axum(|upgrade| upgrade),
    },
    Candidate {
        name: "axum's `WebSocketUpgrade`, a read buffer of 4 KiB",
        goal: None,
        serve: || axum(|upgrade| upgrade.read_buffer_size(4 << 10)),
    },
    Candidate {
        name: "fastwebsockets",
        goal: None,
        serve: || serve(service_fn(fastwebsockets)),
    },
];

fn axum(set: fn(WebSocketUpgrade) -> WebSocketUpgrade) -> Result<()> {
    let handler =
        async move |upgrade: WebSocketUpgrade| -> AxumResponse { set(upgrade).on_upgrade(receive) };
    serve(Router::new().route("/chat/{room}", any(handler)))
}

async fn receive(mut socket: WebSocket) {
    while let Some(Ok(_)) = socket.recv().await {}
}

async fn fastwebsockets(
    mut request: Request<Incoming>,
) -> std::result::Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, socket) = upgrade(&mut request)?;
    tokio::spawn(read_frames(socket));
    Ok(response)
}

async fn read_frames(socket: UpgradeFut) -> std::result::Result<(), WebSocketError> {
    let mut frames = FragmentCollector::new(socket.await?);
    while frames.read_frame().await?.opcode != OpCode::Close {}
    Ok(())
}
