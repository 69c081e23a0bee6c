//! What a request costs, beside the peers.
//!
//! Six programs print their tables as Markdown; `cargo bench -p tower-upgrade-bench` runs them all:
//!
//! | program | what it measures |
//! |---|---|
//! | `requests` | an ordinary `GET` through one layer, the service called directly |
//! | `handshakes` | an upgrade over an in-memory hyper connection, HTTP/1.1 and HTTP/2 |
//! | `accept_path` | the same for each part of a connection's life, and for extractors on an axum route |
//! | `server_cpu` | processor time of a server process on loopback, a handshake |
//! | `memory` | resident memory of a server process on loopback, an idle upgraded connection |
//! | `relay` | a tunnel as a process between client and backend, beside nginx and HAProxy: bytes, round trips, upgrades, memory |
//!
//! Instructions are counted by callgrind when valgrind is installed, and are the numbers to compare: times on a busy
//! machine wander, so nothing here asserts one.

pub mod allocations;
pub mod callgrind;
pub mod fixtures;
pub mod handshake;
pub mod http1;
pub mod http2;
pub mod loopback;
pub mod memory;
#[cfg(target_os = "linux")]
pub mod relay;
pub mod report;
pub mod requests;
pub mod span;
pub mod table;
