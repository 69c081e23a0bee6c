//! `Clocks`: when an upgraded connection runs out of time.

use std::time::Duration;

use tokio::time::Instant;

use crate::observe::Clock;

/// How long a connection may take for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) hand_over: Option<Duration>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) idle: Option<Duration>,
    pub(crate) lifetime: Option<Duration>,
}

impl Default for Clocks {
    /// A client that reads nothing can keep a server from ever sending its 101, so there is a clock for
    /// that in any case.
    fn default() -> Self {
        Self {
            hand_over: Some(Duration::from_secs(30)),
            first_byte: None,
            idle: None,
            lifetime: None,
        }
    }
}

impl Clocks {
    /// The clock that runs out first, of a connection that waits to be handed over since then.
    pub(super) fn of_accepted(&self, since: Instant) -> Option<(Instant, Clock)> {
        deadline(since, self.hand_over, Clock::HandOver)
    }

    /// The clock that runs out first, of a connection that was handed over.
    pub(super) fn of_open(&self, times: &Times) -> Option<(Instant, Clock)> {
        let first_byte = self.first_byte.filter(|_| !times.first_byte_came);
        [
            deadline(times.since, self.lifetime, Clock::Lifetime),
            deadline(times.since, first_byte, Clock::FirstByte),
            deadline(times.last, self.idle, Clock::Idle),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }
}

/// What the clocks of an open connection are read against.
pub(super) struct Times {
    pub(super) since: Instant,
    pub(super) last: Instant,
    pub(super) first_byte_came: bool,
}

/// None is as good as one that is too far off to be told.
fn deadline(since: Instant, after: Option<Duration>, clock: Clock) -> Option<(Instant, Clock)> {
    Some((since.checked_add(after?)?, clock))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::{Clocks, Times};
    use crate::observe::Clock;

    #[test]
    fn the_clock_that_runs_out_first_counts() {
        let second = Duration::from_secs(1);
        let clocks = Clocks {
            hand_over: Some(second),
            first_byte: Some(2 * second),
            idle: Some(3 * second),
            lifetime: Some(5 * second),
        };
        let start = Instant::now();
        let next = |last, first_byte_came| {
            clocks.of_open(&Times {
                since: start,
                last: start + last,
                first_byte_came,
            })
        };
        assert_eq!(
            next(Duration::ZERO, false),
            Some((start + 2 * second, Clock::FirstByte))
        );
        assert_eq!(next(second, true), Some((start + 4 * second, Clock::Idle)));
        assert_eq!(
            next(3 * second, true),
            Some((start + 5 * second, Clock::Lifetime))
        );
        assert_eq!(
            clocks.of_accepted(start),
            Some((start + second, Clock::HandOver))
        );
    }

    #[test]
    fn a_time_that_never_comes_is_none() {
        let clocks = Clocks {
            hand_over: None,
            first_byte: None,
            idle: Some(Duration::MAX),
            lifetime: None,
        };
        let now = Instant::now();
        let times = Times {
            since: now,
            last: now,
            first_byte_came: false,
        };
        assert_eq!(clocks.of_open(&times), None);
        assert_eq!(clocks.of_accepted(now), None);
    }
}
