//! `DrainReport`: how a drain went.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

/// What became of a server's connections, by [`Drain::wait`](super::Drain::wait) or [`Drain::report`](super::Drain::report).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainReport {
    /// When the drain was started, if it was.
    pub since: Option<SystemTime>,
    /// How long it took, or has taken.
    pub took: Duration,
    /// Connections that ended by themselves, and offers let through before that came to nothing.
    pub ended: usize,
    /// Connections that were closed, or whose handlers were dropped, at the deadline.
    pub closed: usize,
    /// Connections whose handler panicked.
    pub panicked: usize,
    /// Offers that were refused.
    pub refused: usize,
}

impl fmt::Display for DrainReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            ended,
            closed,
            panicked,
            refused,
            took,
            ..
        } = self;
        let took = took.as_secs_f64();
        write!(
            f,
            "drained in {took:.1}s: {ended} ended, {closed} closed at the deadline, {panicked} panicked, \
             {refused} turned away"
        )
    }
}
