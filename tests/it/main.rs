//! The crate over real connections, a module per RFC or promise.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may say what they mean, their helpers too"
)]

#[path = "../../examples/gallery.rs"]
#[expect(dead_code, reason = "what starts it as a program")]
mod gallery;

#[path = "../interop/process.rs"]
#[expect(dead_code, reason = "what other programs than the examples need")]
mod process;

mod axum_router;
mod composition;
mod connect_udp;
mod container_exec;
mod content;
mod doctor;
mod echo;
mod engines;
mod extended_connect;
mod extractors;
mod faults;
mod gallery_http2;
mod gallery_lifetime;
mod gallery_probe;
mod gallery_rows;
mod gating;
mod graceful;
mod hand_over;
mod handles;
mod http2;
mod lifetime;
mod observers;
mod on_upgrade;
mod oracle;
mod origins;
mod outcome;
mod pending;
mod pod_exec;
mod promises;
mod properties;
mod proxy;
mod random_bytes;
mod raw_handlers;
mod readiness;
mod refusals;
mod rfc6455;
mod rfc8441;
mod rfc9110;
mod rust_client;
mod server;
mod sockets;
mod spy;
mod subprotocols;
mod testing_kit;
mod tls_upgrade;
mod tunnel;
mod upgraded;
mod wire;
mod ws;
