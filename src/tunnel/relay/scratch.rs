//! `Scratch`: room to read into, borrowed from the thread.
//!
//! A connection that waits holds none. One whose bytes could not be written yet keeps the room they are
//! in until they are.

use std::cell::RefCell;

/// Room for one read. It goes back to its thread when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Scratch(Vec<u8>);

impl Scratch {
    pub(super) fn take() -> Self {
        let kept = ROOMS.try_with(|rooms| rooms.borrow_mut().pop());
        let room = kept.ok().flatten();
        Self(room.unwrap_or_else(|| vec![0; SIZE]))
    }

    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }

    pub(super) fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let room = std::mem::take(&mut self.0);
        let _ = ROOMS.try_with(|rooms| {
            let mut rooms = rooms.borrow_mut();
            if rooms.len() < KEPT {
                rooms.push(room);
            }
        });
    }
}

thread_local! {
    static ROOMS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// What a read brings at most.
pub(super) const SIZE: usize = 64 << 10;
/// Rooms that a thread keeps when nobody needs them.
const KEPT: usize = 4;
