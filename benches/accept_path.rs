//! What accepting a WebSocket costs more for each part of the connection's life, and on an axum route.

use std::{io::Result, net::Ipv4Addr, path::Path};

use axum::Router;
use tower::{Layer, service_fn};
use tower_upgrade::UpgradeLayer;
use tower_upgrade_bench::{
    fixtures::{forwarded_handshake, handshake},
    handshake::drop_in,
    handshake::{axum as axums, fastwebsockets, lifetime, ours},
    http1::{connections, unmeasured},
    report::{self, Group, Work},
    span::Spanned,
    table::Goal,
};

fn main() -> Result<()> {
    let records = Path::new(concat!(
        env!("CARGO_TARGET_TMPDIR"),
        "/callgrind/accept_path"
    ));
    report::run(
        records,
        vec![
            parts(
                Group::new(
                    "An accepted handshake for each part of its life, the whole connection",
                    50,
                    100,
                ),
                |layer| {
                    let service = layer.layer(service_fn(ours::accept));
                    connections(service, forwarded(), "101")
                },
            ),
            parts(
                Group::new(
                    "An accepted handshake for each part of its life, the service alone",
                    200,
                    50,
                ),
                |layer| {
                    let service = Spanned(layer.layer(service_fn(ours::accept)));
                    unmeasured(service, forwarded(), "101")
                },
            ),
            routes(
                Group::new(
                    "A browser's WebSocket handshake on an axum route, the whole connection",
                    50,
                    100,
                ),
                |router| connections(router, handshake(), "101"),
            ),
            routes(
                Group::new(
                    "A browser's WebSocket handshake on an axum route, the service alone",
                    200,
                    50,
                ),
                |router| unmeasured(Spanned(router), handshake(), "101"),
            ),
        ],
    )
}

/// Each part alone, and at last all of them together.
fn parts(group: Group, work: fn(UpgradeLayer) -> Work) -> Group {
    group
        .peer("nothing on", work(ours::layer()))
        .peer("`Limit::total`", work(lifetime::limited()))
        .peer("`Limit::per_key`", work(lifetime::limited_by_client()))
        .peer("idle timeout", work(lifetime::idle()))
        .peer("all clocks", work(lifetime::clocked()))
        .peer("drain", work(lifetime::drained()))
        .peer("observer", work(lifetime::observed()))
        .peer("everything on", work(lifetime::everything()))
}

/// Extractors, each of which makes a WebSocket of an engine, save our `OnUpgrade`; the goal is fastwebsockets' cost.
fn routes(group: Group, work: fn(Router) -> Work) -> Group {
    group
        .peer("fastwebsockets", work(fastwebsockets::router()))
        .peer("axum's `WebSocketUpgrade`", work(axums::router()))
        .peer("tower-upgrade's `OnUpgrade`", work(ours::router()))
        .ours(
            "tower-upgrade's `WebSocketUpgrade`",
            Goal::Times(1.0),
            work(drop_in::router()),
        )
        .peer(
            "the same, everything on",
            work(drop_in::router_with_everything()),
        )
}

fn forwarded() -> Vec<u8> {
    forwarded_handshake(Ipv4Addr::new(10, 0, 0, 1))
}
