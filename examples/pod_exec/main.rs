//! The channels of `kubectl exec`: a command's input, output and end over one WebSocket.
//!
//! ```text
//! cargo run --example pod_exec --features tungstenite -- [--addr 127.0.0.1:3008] [--allow-sh]
//! ```
//!
//! One route, `/api/v1/namespaces/default/pods/demo/exec?command=cat&stdin=true&stdout=true`, speaks the subprotocols
//! `v5.channel.k8s.io` and `v4.channel.k8s.io`, over HTTP/1.1 and HTTP/2. The first byte of a message is its channel:
//!
//! | | |
//! |--:|---|
//! | 0 | input; in v5 `[255, 0]` ends it |
//! | 1, 2 | output; an empty message at the start says that the command runs |
//! | 3 | a `Status` at the end: success, or the exit code; 128 and its number, if it was a signal |
//! | 4 | the size of a terminal, of which there is none: with `tty` all output is on 1, and that is all |
//!
//! A client of v4 has no word for the end of input alone: it closes, and the command may finish for nobody, for ten
//! seconds. A client that vanishes takes the command with it. A message on a channel that is not read here is
//! dropped, as Kubernetes drops it.
//!
//! Who breaks the protocol is told how, by the code of a close, and takes the command along too: 1002 for frames that
//! make no sense and for `[255, ..]` that names no channel, 1007 for text that is none, 1009 for a message of more than
//! 1 MiB.
//!
//! A client that offers `SPDY/3.1`, by POST, is told 426 with `Upgrade: websocket`, one that has neither subprotocol
//! 400: what they try next is up to them. The pod contains nothing, so that there is a list of commands: `cat`,
//! `wc`, `echo`, and with `--allow-sh` also `sh -c`, which is everything.

mod asked;
mod channels;
mod command;

use std::error::Error;

use axum::{
    Json, Router,
    extract::{Path, RawQuery},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
    serve::ListenerExt,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower_upgrade::{Limit, Policy, UpgradeLayer, WebSocket, ws::WebSocketUpgrade};

use self::{
    asked::Asked,
    channels::{V4, V5, bounded},
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut addr, mut allow_sh) = ("127.0.0.1:3008".to_owned(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), &mut arguments) {
            ("--addr", rest) => addr = rest.next().ok_or("--addr HOST:PORT")?,
            ("--allow-sh", _) => allow_sh = true,
            _ => return Err("usage: pod_exec [--addr HOST:PORT] [--allow-sh]".into()),
        }
    }
    let listener = TcpListener::bind(addr).await?;
    println!("listening on http://{}", listener.local_addr()?);
    // A line of output is for now, not for when there are more.
    let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
    axum::serve(listener, app(allow_sh)).await?;
    Ok(())
}

fn app(allow_sh: bool) -> Router {
    let channels = WebSocket::new()
        .subprotocols([V5, V4])
        .require_subprotocol();
    let layer = UpgradeLayer::new(Policy::require(channels)).limit(Limit::total(64));
    let exec = async move |upgrade, path, query| exec(upgrade, path, query, allow_sh);
    let path = "/api/v1/namespaces/{namespace}/pods/{name}/exec";
    // `any`: over HTTP/2 the offer is no GET but a CONNECT.
    Router::new().route(path, any(exec).layer(layer))
}

fn exec(
    upgrade: WebSocketUpgrade,
    Path((namespace, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    allow_sh: bool,
) -> Response {
    if (namespace.as_str(), name.as_str()) != ("default", "demo") {
        return refuse(StatusCode::NOT_FOUND, "NotFound", "the pod is `demo`");
    }
    let Some(asked) = Asked::read(&query.unwrap_or_default()) else {
        return refuse(StatusCode::BAD_REQUEST, "BadRequest", "the query is broken");
    };
    if !(asked.stdin || asked.stdout || asked.stderr) {
        let why = "you must specify at least 1 of stdin, stdout, stderr";
        return refuse(StatusCode::BAD_REQUEST, "BadRequest", why);
    }
    bounded(upgrade).on_upgrade(move |socket| channels::serve(socket, asked, allow_sh))
}

fn refuse(status: StatusCode, reason: &str, message: &str) -> Response {
    let told = failure(status.as_u16(), reason, message);
    (status, Json(told)).into_response()
}

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}
