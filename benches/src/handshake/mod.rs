//! Handlers that accept a WebSocket handshake and let go of the connection as soon as they have it.
//!
//! The peers bring a WebSocket engine with them and so pay for one; the hand-written handlers and ours take the I/O.

pub mod axum;
pub mod drop_in;
pub mod fastwebsockets;
pub mod hand_written;
pub mod hyper_tungstenite;
pub mod lifetime;
pub mod ours;
