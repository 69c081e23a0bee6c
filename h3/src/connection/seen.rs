//! `Seen`: which request streams there have been.

use std::collections::BTreeSet;

/// Streams are opened in order, and their heads may come in any.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// The first that is behind all that have come.
    next: u64,
    /// Those before it that have not.
    skipped: BTreeSet<u64>,
}

impl Seen {
    pub(super) const fn next(&self) -> u64 {
        self.next
    }

    /// Whether all before the next have come.
    pub(super) fn is_whole(&self) -> bool {
        self.skipped.is_empty()
    }

    /// Remembers a stream, and returns whether it is new.
    pub(super) fn insert(&mut self, id: u64) -> bool {
        if id < self.next {
            return self.skipped.remove(&id);
        }
        // QUIC lets a client have no more of them than it may have open.
        self.skipped.extend((self.next..id).step_by(STEP));
        self.next = id + STEP as u64;
        true
    }
}

/// Between the numbers of two request streams (RFC 9000 2.1).
const STEP: usize = 4;

#[cfg(test)]
mod tests {
    use super::Seen;

    #[test]
    fn each_stream_is_new_once_in_whatever_order_they_come() {
        let mut seen = Seen::default();
        assert_eq!(seen.next(), 0);
        for id in [0, 12, 4, 16, 8] {
            assert!(seen.insert(id), "{id}");
        }
        assert_eq!(seen.next(), 20);
        assert!(seen.is_whole());
        for id in [0, 4, 8, 12, 16] {
            assert!(!seen.insert(id), "{id}");
        }
    }
}
