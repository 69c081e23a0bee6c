//! `Pace`: whether a direction is busy enough to be worth a pipe.

use super::scratch;

/// How much comes at a time.
#[derive(Debug)]
pub(super) struct Pace {
    /// Reads in a row that brought all they had room for; none is counted once it is known that no
    /// pipe can be had.
    full: Option<u8>,
}

impl Pace {
    pub(super) const fn new() -> Self {
        Self { full: Some(0) }
    }

    /// Takes note of what a read brought.
    pub(super) fn count(&mut self, length: usize) {
        if let Some(full) = &mut self.full {
            *full = if length >= scratch::SIZE {
                full.saturating_add(1)
            } else if length < SLOW {
                0
            } else {
                *full
            };
        }
    }

    pub(super) fn is_fast(&self) -> bool {
        self.full.is_some_and(|full| full >= FAST)
    }

    pub(super) const fn give_up(&mut self) {
        self.full = None;
    }
}

/// So many full reads, and it is fast.
const FAST: u8 = 2;
/// One read of less, and it is not.
const SLOW: usize = 16 << 10;
