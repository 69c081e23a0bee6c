//! A server process on loopback, and what its handshakes cost it.

pub mod child;
pub mod processor;
pub mod server;
