//! `Scratch`: room to read into, borrowed from the thread.
//!
//! A connection that waits holds none. One whose bytes could not be written yet keeps the room they are
//! in until they are.

use std::{
    cell::RefCell,
    mem,
    sync::atomic::{AtomicUsize, Ordering},
};

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
    /// Large is so much that the proxy keeps ahead of its peers: with an eighth of it, what waits in the
    /// sockets grows out of the processor's caches.
    pub(super) const fn octets(self) -> usize {
        match self {
            Self::Small => 16 << 10,
            Self::Large => 512 << 10,
        }
    }
}

impl Scratch {
    /// Takes room of this size, or small room where so many have large room that it would be too much.
    pub(super) fn take(size: Size) -> Self {
        let size = match size {
            Size::Large if !is_large_to_be_had() => Size::Small,
            size => size,
        };
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

/// Peers that do not read keep what they are sent waiting, so that there is a bound on how many may have it
/// in large room.
fn is_large_to_be_had() -> bool {
    let is = LARGE.fetch_add(1, Ordering::Relaxed) < MAX_LARGE;
    if !is {
        LARGE.fetch_sub(1, Ordering::Relaxed);
    }
    is
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.size == Size::Large {
            LARGE.fetch_sub(1, Ordering::Relaxed);
        }
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

/// Large rooms in use, of all threads.
static LARGE: AtomicUsize = AtomicUsize::new(0);
const MAX_LARGE: usize = 64;
/// So many of each size.
const KEPT: usize = 4;

#[cfg(test)]
mod tests {
    use super::{MAX_LARGE, Scratch, Size};

    #[test]
    fn there_is_a_bound_on_large_room() {
        let sizes = |rooms: &[Scratch]| rooms.iter().filter(|r| r.size() == Size::Large).count();
        let rooms: Vec<_> = (0..2 * MAX_LARGE)
            .map(|_| Scratch::take(Size::Large))
            .collect();
        assert_eq!(sizes(&rooms), MAX_LARGE);
        assert!(
            rooms
                .iter()
                .all(|room| room.as_ref().len() == room.size().octets())
        );
        drop(rooms);
        let again = Scratch::take(Size::Large);
        assert_eq!(again.size(), Size::Large);
    }
}
