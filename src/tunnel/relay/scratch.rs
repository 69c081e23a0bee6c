//! `Scratch`: room to read into, borrowed from the thread.
//!
//! A connection that waits holds none. One whose bytes could not be written yet keeps the room they are
//! in until they are.

use std::{cell::RefCell, mem};

/// Room for one read. It goes back to its thread when it is dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    room: Vec<u8>,
    size: Size,
}

/// How much room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Size {
    Small,
    Large,
}

impl Size {
    /// Large is so much that the proxy keeps ahead of its peers: with a quarter of it, what waits in the
    /// sockets grows out of the processor's caches.
    pub(super) const fn octets(self) -> usize {
        match self {
            Self::Small => 16 << 10,
            Self::Large => 256 << 10,
        }
    }
}

impl Scratch {
    pub(super) fn take(size: Size) -> Self {
        let kept = ROOMS.try_with(|rooms| rooms.borrow_mut().of(size).pop());
        let room = kept.ok().flatten();
        Self {
            room: room.unwrap_or_else(|| vec![0; size.octets()]),
            size,
        }
    }

    pub(super) const fn size(&self) -> Size {
        self.size
    }

    pub(super) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.room
    }

    pub(super) fn as_ref(&self) -> &[u8] {
        &self.room
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let room = mem::take(&mut self.room);
        // Not while the thread itself ends.
        let _ = ROOMS.try_with(|rooms| {
            let mut rooms = rooms.borrow_mut();
            let kept = rooms.of(self.size);
            if kept.len() < KEPT {
                kept.push(room);
            }
        });
    }
}

/// What a thread keeps for the next.
#[derive(Default)]
struct Rooms {
    small: Vec<Vec<u8>>,
    large: Vec<Vec<u8>>,
}

impl Rooms {
    const fn of(&mut self, size: Size) -> &mut Vec<Vec<u8>> {
        match size {
            Size::Small => &mut self.small,
            Size::Large => &mut self.large,
        }
    }
}

thread_local! {
    static ROOMS: RefCell<Rooms> = RefCell::default();
}

/// So many of each size.
const KEPT: usize = 4;
