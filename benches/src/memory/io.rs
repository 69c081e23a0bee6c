//! Servers that take the I/O: hyper's own, and ours with nothing on.

use std::{convert::Infallible, io::Result};

use bytes::Bytes;
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{CONNECTION, UPGRADE},
};
use http_body_util::Empty;
use hyper::{body::Incoming, upgrade};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt};
use tower::{Layer, service_fn};
use tower_upgrade::{OnUpgrade, UpgradeLayer};

use super::candidate::{Candidate, Goal};
use crate::{handshake::ours, loopback::server::serve};

/// The first of them is what everything is compared with.
pub const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: "hyper's `Upgraded`, hand-written",
        goal: None,
        serve: || serve(service_fn(by_hand)),
    },
    Candidate {
        name: "the same in the words of hyper's example",
        goal: None,
        serve: || serve(service_fn(by_example)),
    },
    Candidate {
        name: "tower-upgrade, nothing on",
        goal: Some(Goal::Over(128.0)),
        serve: || behind(ours::layer()),
    },
];

/// Serves connections that this layer lets through.
pub(super) fn behind(layer: UpgradeLayer) -> Result<()> {
    serve(layer.layer(service_fn(accept)))
}

type Answer = std::result::Result<Response<Empty<Bytes>>, Infallible>;

async fn by_hand(mut request: Request<Incoming>) -> Answer {
    let on_upgrade = upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(io) = on_upgrade.await {
            hold(TokioIo::new(io)).await;
        }
    });
    Ok(switching())
}

/// Gives the task the request, and so has room for it as long as the connection lives.
async fn by_example(request: Request<Incoming>) -> Answer {
    tokio::spawn(async move {
        if let Ok(io) = upgrade::on(request).await {
            hold(TokioIo::new(io)).await;
        }
    });
    Ok(switching())
}

fn switching() -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

async fn accept(mut request: Request<Incoming>) -> Answer {
    Ok(match OnUpgrade::take(&mut request) {
        Some(on_upgrade) => on_upgrade.accept(hold),
        None => {
            let mut response = Response::new(Empty::new());
            *response.status_mut() = StatusCode::BAD_REQUEST;
            response
        }
    })
}

/// Reads until the end, a little at a time.
async fn hold(mut io: impl AsyncRead + Unpin) {
    let mut buffer = [0; 64];
    while matches!(io.read(&mut buffer).await, Ok(1..)) {}
}
