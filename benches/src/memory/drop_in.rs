//! Servers that take a WebSocket of ours.

use std::io::Result;

use axum::{Router, response::Response, routing::any};
use tower_upgrade::{
    UpgradeLayer,
    ws::{WebSocket, WebSocketUpgrade},
};

use super::candidate::{Candidate, Goal};
use crate::{handshake::lifetime, loopback::server::serve};

/// As it comes, and behind a layer with everything on.
pub const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: "tower-upgrade's `WebSocketUpgrade`",
        goal: Some(Goal::AtMost(6144.0)),
        serve: || serve(router()),
    },
    Candidate {
        name: "tower-upgrade's `WebSocketUpgrade`, everything on",
        goal: Some(Goal::AtMost(6144.0)),
        serve: || behind(lifetime::everything()),
    },
];

fn behind(layer: UpgradeLayer) -> Result<()> {
    serve(router().route_layer(layer))
}

fn router() -> Router {
    let handler = async |upgrade: WebSocketUpgrade| -> Response { upgrade.on_upgrade(receive) };
    Router::new().route("/chat/{room}", any(handler))
}

async fn receive(mut socket: WebSocket) {
    while let Some(Ok(_)) = socket.recv().await {}
}
