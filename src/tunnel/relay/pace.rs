//! `Pace`: how much a direction moves at a time, by how much there is.
//!
//! ```text
//! Slow ──full reads──▶ Fast, or Steady where that is asked for
//!   ▲                    │
//!   └── a read that brought little
//! ```

use super::scratch::Size;

/// How much a direction moves at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pace {
    speed: Speed,
    /// Reads in a row that brought all they had room for.
    full: u8,
    top: Speed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::tunnel) enum Speed {
    /// Little comes: a small buffer will do.
    Slow,
    /// Small reads are full: a large buffer saves calls.
    Fast,
    /// The kernel does it alone, between two sockets.
    ///
    /// That takes less of this processor and more of those at both ends, whose pages are not in any cache:
    /// over loopback, where these are the same, it is slower than large buffers.
    Steady,
}

impl Pace {
    pub(super) const fn new(top: Speed) -> Self {
        Self {
            speed: Speed::Slow,
            full: 0,
            top,
        }
    }

    pub(super) const fn speed(self) -> Speed {
        self.speed
    }

    /// Takes note of what was read.
    pub(super) const fn count(&mut self, length: usize) {
        if length < Size::Small.octets() {
            self.speed = Speed::Slow;
            self.full = 0;
            return;
        }
        if matches!(self.speed, Speed::Slow) {
            self.full += 1;
            if self.full == FULL {
                self.speed = self.top;
            }
        }
    }

    /// The kernel cannot do it alone after all.
    pub(super) const fn limit(&mut self) {
        self.top = Speed::Fast;
        self.speed = Speed::Fast;
    }
}

/// So many full reads in a row, and it is fast.
const FULL: u8 = 2;

#[cfg(test)]
mod tests {
    use super::{Pace, Size, Speed};

    #[track_caller]
    fn counts(top: Speed, reads: &[(usize, usize)], expected: Speed) {
        let mut pace = Pace::new(top);
        for (times, length) in reads {
            for _ in 0..*times {
                pace.count(*length);
            }
        }
        assert_eq!(pace.speed(), expected, "{reads:?}");
    }

    #[test]
    fn what_the_kernel_cannot_do_is_not_tried_again() {
        let mut pace = Pace::new(Speed::Steady);
        pace.limit();
        for _ in 0..1000 {
            pace.count(Size::Large.octets());
        }
        assert_eq!(pace.speed(), Speed::Fast);
    }

    #[test]
    fn full_reads_make_it_faster_and_a_small_one_slow_again() {
        let (small, large) = (Size::Small.octets(), Size::Large.octets());
        for top in [Speed::Fast, Speed::Steady] {
            counts(top, &[(1000, small - 1)], Speed::Slow);
            counts(top, &[(1, small), (1, small - 1), (1, small)], Speed::Slow);
            counts(top, &[(2, small)], top);
            counts(top, &[(2, small), (1000, large)], top);
            counts(top, &[(2, small), (10, small)], top);
            counts(top, &[(2, small), (1, 1)], Speed::Slow);
        }
    }
}
