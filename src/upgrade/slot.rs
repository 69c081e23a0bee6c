//! `Slot`: where the service's answer and whoever awaits the connection meet.
//!
//! ```text
//!            hand_over                take
//! Waiting ──────────────▶ Handed ──────────────▶ Over(Taken)
//!    │                       │
//!    └── close ──▶ Over(..)  └── abandon ──▶ Over(Taken), the handle dropped
//! ```

use std::{
    mem,
    sync::{Arc as StdArc, OnceLock, PoisonError, atomic::Ordering},
    task::{Context, Poll, Waker},
};

use super::{error::Kind, handle::Handle, io::Io};
use crate::{
    lifetime::Guard,
    negotiate::Acceptance,
    sync::{Arc, AtomicBool, Mutex, MutexGuard},
};

/// Shared by the layer's response future and the `OnUpgrade` of one request; clones are one slot.
#[derive(Clone)]
pub(crate) struct Slot(pub(super) Arc<Shared>);

pub(super) struct Shared {
    acceptance: Acceptance,
    /// What the service settled on instead.
    pub(super) settled: OnceLock<Box<Acceptance>>,
    guard: Option<StdArc<Guard<Io>>>,
    claimed: AtomicBool,
    content_read: AtomicBool,
    state: Mutex<State>,
}

enum State {
    Waiting(Option<Waker>),
    Handed(Handle),
    Over(Kind),
}

impl Slot {
    pub(crate) fn new(acceptance: Acceptance, guard: Option<StdArc<Guard<Io>>>) -> Self {
        Self(Arc::new(Shared {
            settled: OnceLock::new(),
            guard,
            claimed: AtomicBool::new(false),
            content_read: AtomicBool::new(acceptance.content().is_none()),
            state: Mutex::new(State::Waiting(None)),
            acceptance,
        }))
    }

    pub(crate) fn acceptance(&self) -> &Acceptance {
        match self.0.settled.get() {
            Some(settled) => settled,
            None => &self.0.acceptance,
        }
    }

    /// What the connection lives by, if its layer says anything of that.
    pub(crate) fn guard(&self) -> Option<&StdArc<Guard<Io>>> {
        self.0.guard.as_ref()
    }

    /// Whether the request's content, if it has any, was read to its end (rule 12).
    pub(crate) fn is_content_read(&self) -> bool {
        self.0.content_read.load(Ordering::Acquire)
    }

    pub(super) fn set_content_read(&self) {
        self.0.content_read.store(true, Ordering::Release);
    }

    /// Whether the caller is the first who wants the connection (rule 21).
    pub(super) fn claim(&self) -> bool {
        !self.0.claimed.swap(true, Ordering::AcqRel)
    }

    /// The service accepted: lets the handle go to whoever awaits it.
    ///
    /// Returns whether there can be anybody: the `OnUpgrade` may have been dropped, or was never
    /// taken and gone with the request. A clone of the request that still holds it counts, and so
    /// does content that is still being read.
    pub(crate) fn hand_over(&self, handle: Handle) -> bool {
        if Arc::strong_count(&self.0) == 1 {
            return false;
        }
        let mut state = self.0.lock();
        match mem::replace(&mut *state, State::Over(Kind::Taken)) {
            State::Waiting(waker) => {
                *state = State::Handed(handle);
                drop(state);
                // First, for what follows panics where there are no timers.
                if let Some(waker) = waker {
                    waker.wake();
                }
                // Closed by force in between, it was told as declined: no 101 may follow.
                self.0.guard.as_ref().is_none_or(|guard| guard.accept())
            }
            before => {
                *state = before;
                false
            }
        }
    }

    /// No connection will come, for this reason.
    pub(crate) fn close(&self, why: Kind) {
        let mut state = self.0.lock();
        if let State::Waiting(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Over(why);
            drop(state);
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Nobody will await the connection any more.
    pub(super) fn abandon(&self) {
        let before = mem::replace(&mut *self.0.lock(), State::Over(Kind::Taken));
        if matches!(before, State::Handed(_)) {
            self.0.fail();
        }
        // A handle in it closes the connection, which is not done under the lock.
        drop(before);
    }

    /// The service accepted, and nobody will have the connection.
    pub(super) fn fail(&self) {
        self.0.fail();
    }

    pub(super) fn poll_handle(&self, cx: &mut Context<'_>) -> Poll<Result<Handle, Kind>> {
        // Wakers are somebody else's code, so they are cloned and dropped outside of the lock.
        let waker = cx.waker().clone();
        let mut state = self.0.lock();
        let before = mem::replace(&mut *state, State::Over(Kind::Taken));
        if let State::Waiting(_) = before {
            *state = State::Waiting(Some(waker));
        }
        drop(state);
        match before {
            State::Handed(handle) => Poll::Ready(Ok(handle)),
            State::Over(why) => Poll::Ready(Err(why)),
            State::Waiting(_) => Poll::Pending,
        }
    }
}

impl Shared {
    fn fail(&self) {
        if let Some(guard) = &self.guard {
            guard.accept();
            guard.fail();
        }
    }

    /// No code that can panic runs under the lock, so that a poisoned state is a sound one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    /// Handed over, and nobody ever took it: the request, or a clone of it, was kept until now.
    fn drop(&mut self) {
        if matches!(*self.lock(), State::Handed(_)) {
            self.fail();
        }
    }
}
