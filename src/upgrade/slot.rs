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
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::{error::Kind, handle::Handle, io::Io};
use crate::{lifetime::Guard, negotiate::Acceptance};

/// Shared by the layer's response future and the `OnUpgrade` of one request.
pub(crate) struct Slot {
    acceptance: Acceptance,
    guard: Option<Arc<Guard<Io>>>,
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
    pub(crate) fn new(acceptance: Acceptance, guard: Option<Arc<Guard<Io>>>) -> Arc<Self> {
        Arc::new(Self {
            guard,
            claimed: AtomicBool::new(false),
            content_read: AtomicBool::new(acceptance.content().is_none()),
            state: Mutex::new(State::Waiting(None)),
            acceptance,
        })
    }

    pub(crate) const fn acceptance(&self) -> &Acceptance {
        &self.acceptance
    }

    /// What the connection lives by, if its layer says anything of that.
    pub(crate) const fn guard(&self) -> Option<&Arc<Guard<Io>>> {
        self.guard.as_ref()
    }

    /// Whether the request's content, if it has any, was read to its end (rule 12).
    pub(crate) fn is_content_read(&self) -> bool {
        self.content_read.load(Ordering::Acquire)
    }

    pub(super) fn set_content_read(&self) {
        self.content_read.store(true, Ordering::Release);
    }

    /// Whether the caller is the first who wants the connection (rule 21).
    pub(super) fn claim(&self) -> bool {
        !self.claimed.swap(true, Ordering::AcqRel)
    }

    /// The service accepted: lets the handle go to whoever awaits it.
    ///
    /// Returns whether there can be anybody: the `OnUpgrade` may have been dropped, or was never
    /// taken and gone with the request. A clone of the request that still holds it counts, and so
    /// does content that is still being read.
    pub(crate) fn hand_over(self: &Arc<Self>, handle: Handle) -> bool {
        if Arc::strong_count(self) == 1 {
            return false;
        }
        let mut state = self.lock();
        match mem::replace(&mut *state, State::Over(Kind::Taken)) {
            State::Waiting(waker) => {
                *state = State::Handed(handle);
                drop(state);
                if let Some(guard) = &self.guard {
                    guard.accept();
                }
                if let Some(waker) = waker {
                    waker.wake();
                }
                true
            }
            before => {
                *state = before;
                false
            }
        }
    }

    /// No connection will come, for this reason.
    pub(crate) fn close(&self, why: Kind) {
        let mut state = self.lock();
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
        let before = mem::replace(&mut *self.lock(), State::Over(Kind::Taken));
        if matches!(before, State::Handed(_)) {
            self.fail();
        }
        // A handle in it closes the connection, which is not done under the lock.
        drop(before);
    }

    /// The service accepted, and nobody will have the connection.
    pub(super) fn fail(&self) {
        if let Some(guard) = &self.guard {
            guard.accept();
            guard.fail();
        }
    }

    pub(super) fn poll_handle(&self, cx: &mut Context<'_>) -> Poll<Result<Handle, Kind>> {
        // Wakers are somebody else's code, so they are cloned and dropped outside of the lock.
        let waker = cx.waker().clone();
        let mut state = self.lock();
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

    /// No code that can panic runs under the lock, so that a poisoned state is a sound one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot {
    /// Handed over, and nobody ever took it: the request, or a clone of it, was kept until now.
    fn drop(&mut self) {
        if matches!(*self.lock(), State::Handed(_)) {
            self.fail();
        }
    }
}
