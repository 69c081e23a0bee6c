//! Ours once more, each with a part of a connection's life on; the connections end long before any clock strikes.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use tower_upgrade::{
    Drain, Observer, Refusal, UpgradeLayer,
    lifetime::{Limit, forwarded_for},
    observe::{Closing, Connection},
};

use super::ours;

/// A limit of connections in all.
pub fn limited() -> UpgradeLayer {
    ours::layer().limit(Limit::total(MANY))
}

/// A limit of connections for each client's address, as a proxy tells it.
pub fn limited_by_client() -> UpgradeLayer {
    ours::layer().limit(Limit::per_key(20, forwarded_for(1)))
}

/// An idle timeout, which brings the clock of the hand-over with it.
pub fn idle() -> UpgradeLayer {
    ours::layer().idle_timeout(MINUTE)
}

/// All four clocks.
pub fn clocked() -> UpgradeLayer {
    with_clocks(ours::layer())
}

/// A drain, which nobody starts.
pub fn drained() -> UpgradeLayer {
    ours::layer().drain(Drain::new())
}

/// An observer that counts.
pub fn observed() -> UpgradeLayer {
    ours::layer().observe(Counts::default())
}

/// All of it.
pub fn everything() -> UpgradeLayer {
    with_clocks(ours::layer())
        .limit(Limit::total(MANY))
        .limit(Limit::per_key(20, forwarded_for(1)))
        .drain(Drain::new())
        .observe(Counts::default())
}

fn with_clocks(layer: UpgradeLayer) -> UpgradeLayer {
    layer
        .hand_over_timeout(MINUTE)
        .first_byte_timeout(MINUTE)
        .idle_timeout(MINUTE)
        .max_lifetime(60 * MINUTE)
}

const MANY: usize = 50_000;
const MINUTE: Duration = Duration::from_secs(60);

/// What a server would want to know.
#[derive(Debug, Default)]
struct Counts {
    accepted: AtomicU64,
    refused: AtomicU64,
    closed: AtomicU64,
    bytes: AtomicU64,
}

impl Observer for Counts {
    fn accepted(&self, _: &Connection<'_>) {
        self.accepted.fetch_add(1, Relaxed);
    }

    fn refused(&self, _: &Refusal) {
        self.refused.fetch_add(1, Relaxed);
    }

    fn closed(&self, _: &Connection<'_>, closing: &Closing) {
        self.closed.fetch_add(1, Relaxed);
        self.bytes
            .fetch_add(closing.received + closing.sent, Relaxed);
    }
}
