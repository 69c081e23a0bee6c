//! The life of an upgraded connection: who is let in, how long it may live, and how it ends.
//!
//! All of it is set on [`UpgradeLayer`](crate::UpgradeLayer). tower's `ConcurrencyLimit` and `Timeout`,
//! and every server's graceful shutdown, let go of a connection at its 101; these hold on until its last byte.
//!
//! | | |
//! |---|---|
//! | [`Limit`] | how many there may be, in all or for each client: 503 or 429 with `Retry-After` |
//! | [`hand_over_timeout`](crate::UpgradeLayer::hand_over_timeout), [`first_byte_timeout`](crate::UpgradeLayer::first_byte_timeout), [`idle_timeout`](crate::UpgradeLayer::idle_timeout), [`max_lifetime`](crate::UpgradeLayer::max_lifetime) | how long they may take for what |
//! | [`Drain`] | how they end when the server does |
//! | [`Observer`](crate::Observer) | who is told |
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use tower_upgrade::{Drain, Limit, Policy, UpgradeLayer, WebSocket, lifetime::forwarded_for};
//!
//! let drain = Drain::new();
//! let layer = UpgradeLayer::new(Policy::require(WebSocket::new()))
//!     .limit(Limit::total(50_000))
//!     .limit(Limit::per_key(20, forwarded_for(1)))
//!     .idle_timeout(Duration::from_secs(60))
//!     .max_lifetime(Duration::from_secs(3600))
//!     .drain(drain.clone());
//! # let _ = layer;
//! ```

mod client;
mod clocks;
mod drain;
mod draining;
mod guard;
mod limit;
mod report;
mod state;
mod terms;
mod timer;

pub use self::{
    client::{PeerAddress, forwarded_for, peer_ip},
    drain::Drain,
    draining::Draining,
    limit::Limit,
    report::DrainReport,
};
pub(crate) use self::{
    guard::{Direction, Guard},
    terms::{Terms, draining},
};
