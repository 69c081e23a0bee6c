//! What can be known of offers and connections, for logs and metrics.
//!
//! An [`Observer`] given to [`UpgradeLayer::observe`](crate::UpgradeLayer::observe) is told of every
//! offer, and of every upgraded connection until it is closed.
//!
//! # Examples
//!
//! ```
//! use tower_upgrade::{Policy, UpgradeLayer, WebSocket, observe::{Closing, Connection, Observer}};
//!
//! struct Log;
//!
//! impl Observer for Log {
//!     fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
//!         eprintln!(
//!             "{} {}: {} after {:?}, {} bytes in, {} out",
//!             connection.protocol, connection.id, closing.cause, closing.duration,
//!             closing.received, closing.sent,
//!         );
//!     }
//! }
//!
//! let layer = UpgradeLayer::new(Policy::require(WebSocket::new())).observe(Log);
//! # let _ = layer;
//! ```

mod closing;
#[cfg(feature = "metrics")]
mod metrics;
mod observer;
#[cfg(feature = "tracing")]
mod tracing;

#[cfg(feature = "metrics")]
pub use self::metrics::MetricsObserver;
#[cfg(feature = "tracing")]
pub use self::tracing::TracingObserver;
pub use self::{
    closing::{Cause, Clock, Closing},
    observer::{Connection, Observer},
};
