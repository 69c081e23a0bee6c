//! What a WebSocket handshake costs, over hyper connections in memory.

use std::{io::Result, path::Path};

use tower::{Layer, service_fn};
use tower_upgrade_bench::{
    fixtures::{handshake, last_get, smallest_handshake},
    handshake::{axum, fastwebsockets, hand_written, hyper_tungstenite, ours},
    http1::{connections, unmeasured},
    http2::{STREAMS, streams},
    report::{self, Group},
    span::Spanned,
    table::Goal,
};

fn main() -> Result<()> {
    let records = Path::new(concat!(
        env!("CARGO_TARGET_TMPDIR"),
        "/callgrind/handshakes"
    ));
    report::run(
        records,
        vec![
            http1_connection(
                "A browser's WebSocket handshake over HTTP/1.1, the whole connection",
                handshake,
            ),
            http1_service(
                "A browser's WebSocket handshake over HTTP/1.1, the service alone",
                handshake,
            ),
            http1_connection(
                "The smallest WebSocket handshake over HTTP/1.1, the whole connection",
                smallest_handshake,
            ),
            http1_service(
                "The smallest WebSocket handshake over HTTP/1.1, the service alone",
                smallest_handshake,
            ),
            http2_stream(),
        ],
    )
}

fn http1_connection(name: &'static str, handshake: fn() -> Vec<u8>) -> Group {
    Group::new(name, 50, 100)
        .peer(
            "hand-written",
            connections(service_fn(hand_written::http1), handshake(), "101"),
        )
        .peer(
            "no handshake, a plain 200",
            connections(service_fn(hand_written::plain), last_get(), "200"),
        )
        .peer(
            "axum's extractor",
            connections(service_fn(axum::extractor), handshake(), "101"),
        )
        .peer(
            "axum's extractor on a route",
            connections(axum::router(), handshake(), "101"),
        )
        .peer(
            "fastwebsockets",
            connections(service_fn(fastwebsockets::handler), handshake(), "101"),
        )
        .peer(
            "hyper-tungstenite",
            connections(service_fn(hyper_tungstenite::handler), handshake(), "101"),
        )
        .ours(
            "tower-upgrade",
            Goal::Times(1.05),
            connections(
                ours::layer().layer(service_fn(ours::accept)),
                handshake(),
                "101",
            ),
        )
        .peer(
            "tower-upgrade's extractor on an axum route",
            connections(ours::router(), handshake(), "101"),
        )
}

fn http1_service(name: &'static str, handshake: fn() -> Vec<u8>) -> Group {
    Group::new(name, 200, 50)
        .peer(
            "hand-written",
            unmeasured(Spanned(service_fn(hand_written::http1)), handshake(), "101"),
        )
        .peer(
            "no handshake, a plain 200",
            unmeasured(Spanned(service_fn(hand_written::plain)), last_get(), "200"),
        )
        .peer(
            "axum's extractor",
            unmeasured(Spanned(service_fn(axum::extractor)), handshake(), "101"),
        )
        .peer(
            "axum's extractor on a route",
            unmeasured(Spanned(axum::router()), handshake(), "101"),
        )
        .peer(
            "fastwebsockets",
            unmeasured(
                Spanned(service_fn(fastwebsockets::handler)),
                handshake(),
                "101",
            ),
        )
        .peer(
            "hyper-tungstenite",
            unmeasured(
                Spanned(service_fn(hyper_tungstenite::handler)),
                handshake(),
                "101",
            ),
        )
        .ours(
            "tower-upgrade",
            Goal::Over {
                instructions: 1000.0,
                allocations: 2.0,
            },
            unmeasured(
                Spanned(ours::layer().layer(service_fn(ours::accept))),
                handshake(),
                "101",
            ),
        )
        .peer(
            "tower-upgrade's extractor on an axum route",
            unmeasured(Spanned(ours::router()), handshake(), "101"),
        )
}

fn http2_stream() -> Group {
    Group::new(
        "An extended CONNECT for WebSocket over HTTP/2, one of a hundred streams",
        10 * STREAMS,
        10,
    )
    .peer("hand-written", streams(service_fn(hand_written::http2)))
    .peer("axum's extractor", streams(service_fn(axum::extractor)))
    .peer("axum's extractor on a route", streams(axum::router()))
    .ours(
        "tower-upgrade",
        Goal::Times(1.03),
        streams(ours::layer().layer(service_fn(ours::accept))),
    )
    .peer(
        "tower-upgrade's extractor on an axum route",
        streams(ours::router()),
    )
}
