//! The one timer of a connection, which the guard itself is woken by.
//!
//! Bytes that move set no timer: they note when they moved. When the timer fires, the next deadline is
//! reckoned from that, and only if it has come is the connection closed. It is closed from here, so that
//! it makes no difference whether anybody polls it.

use std::{
    mem,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Wake, Waker},
};

use tokio::{
    task::unconstrained,
    time::{Instant, Sleep, sleep_until},
};

use super::guard::Guard;
use crate::observe::Cause;

/// Where a connection's timer is.
pub(super) enum Timer {
    /// There is none.
    Off,
    Armed(Pin<Box<Sleep>>),
    /// Somebody sets it right now; who would have set it meanwhile asks that it be done again.
    Busy {
        again: bool,
    },
    /// Its runtime is gone, so that none can be set any more.
    Gone,
}

impl<T: Send + 'static> Guard<T> {
    /// Closes the connection if a clock ran out, or else sets the timer to the next that will.
    pub(super) fn keep_time(self: &Arc<Self>) {
        while let Some((mut timer, at)) = self.take_timer() {
            // Not under the lock: setting a timer can wake, which is us.
            if timer.deadline() != at {
                timer.as_mut().reset(at);
                if is_cut_short(&timer) {
                    self.put_timer(timer);
                    self.is_runtime_gone();
                    return;
                }
            }
            let waker = Waker::from(Arc::clone(self));
            // Without a budget: that of the task we are in, if any, would wake as if time were up.
            let timing = pin!(unconstrained(timer.as_mut()));
            let is_up = timing.poll(&mut Context::from_waker(&waker)).is_ready();
            if !self.put_timer(timer) && !is_up {
                return;
            }
        }
    }

    /// Takes the timer to set it, with the time to set it to; `None` if there is nothing to do.
    fn take_timer(self: &Arc<Self>) -> Option<(Pin<Box<Sleep>>, Instant)> {
        let mut state = self.lock();
        let Some((at, clock)) = self.next_deadline(&state) else {
            let timer = mem::replace(&mut state.timer, Timer::Off);
            drop(state);
            drop(timer);
            return None;
        };
        if at <= Instant::now() {
            self.close_locked(state, Cause::Expired(clock));
            return None;
        }
        match mem::replace(&mut state.timer, Timer::Busy { again: false }) {
            Timer::Off => Some((Box::pin(sleep_until(at)), at)),
            Timer::Armed(timer) => Some((timer, at)),
            Timer::Busy { .. } => {
                state.timer = Timer::Busy { again: true };
                None
            }
            Timer::Gone => {
                state.timer = Timer::Gone;
                None
            }
        }
    }

    /// Puts the timer back; whether it is to be set again.
    fn put_timer(&self, timer: Pin<Box<Sleep>>) -> bool {
        let mut state = self.lock();
        let before = mem::replace(&mut state.timer, Timer::Armed(timer));
        let Timer::Busy { again } = before else {
            // Closed meanwhile, with no need of a timer.
            let timer = mem::replace(&mut state.timer, before);
            drop(state);
            drop(timer);
            return false;
        };
        again
    }
}

/// The timer fired.
impl<T: Send + 'static> Wake for Guard<T> {
    fn wake(self: Arc<Self>) {
        if self.is_runtime_gone() {
            return;
        }
        self.keep_time();
    }
}

impl<T: Send + 'static> Guard<T> {
    /// A runtime that shuts down fires all of its timers before their time, and suffers none to be
    /// polled again. The connection's own I/O is gone with it.
    fn is_runtime_gone(&self) -> bool {
        let mut state = self.lock();
        let Timer::Armed(timer) = &state.timer else {
            return false;
        };
        if !is_cut_short(timer) {
            return false;
        }
        let timer = mem::replace(&mut state.timer, Timer::Gone);
        drop(state);
        drop(timer);
        true
    }
}

fn is_cut_short(timer: &Sleep) -> bool {
    timer.is_elapsed() && timer.deadline() > Instant::now()
}
