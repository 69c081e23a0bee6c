//! `State`: what a guard knows of its connection, and what is left of one that was closed.

use std::{io, mem, task::Waker};

use tokio::time::Instant;

use super::{drain::Ticket, limit::Permit, timer::Timer};
use crate::observe::{Cause, Closing};

/// What changes while a connection lives.
pub(super) struct State<T> {
    pub(super) stage: Stage<T>,
    pub(super) accepted: Option<Instant>,
    /// When it was accepted, and then when it was handed over.
    pub(super) since: Instant,
    pub(super) last: Instant,
    pub(super) received: u64,
    pub(super) sent: u64,
    pub(super) has_peer_ended: bool,
    pub(super) has_panicked: bool,
    pub(super) has_task: bool,
    /// It was closed, and what it held was given back.
    pub(super) is_seen_to: bool,
    /// A drain's deadline struck.
    pub(super) is_forced: bool,
    pub(super) failed: Option<io::ErrorKind>,
    /// Who waits to read, to write, and the task that is to be ended by force.
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    pub(super) task: Option<Waker>,
    permits: Box<[Permit]>,
    pub(super) ticket: Option<Ticket>,
    pub(super) timer: Timer,
}

/// How far a connection has come.
pub(super) enum Stage<T> {
    Offered,
    Accepted,
    Open(T),
    /// Its holder took it out of our hands.
    Lent,
    Closed(Cause),
}

impl<T> State<T> {
    pub(super) fn new(permits: Box<[Permit]>) -> Self {
        let now = Instant::now();
        Self {
            stage: Stage::Offered,
            accepted: None,
            since: now,
            last: now,
            received: 0,
            sent: 0,
            has_peer_ended: false,
            has_panicked: false,
            has_task: false,
            is_seen_to: false,
            is_forced: false,
            failed: None,
            reader: None,
            writer: None,
            task: None,
            permits,
            ticket: None,
            timer: Timer::Off,
        }
    }

    /// Why it is closed, or would be if its holder let go of it now.
    pub(super) const fn cause(&self) -> Cause {
        match (&self.stage, self.failed) {
            _ if self.is_forced => Cause::Drained,
            _ if self.has_panicked => Cause::Panicked,
            (Stage::Closed(cause), _) => *cause,
            (_, Some(kind)) => Cause::Failed(kind),
            _ if self.has_peer_ended => Cause::PeerEnded,
            _ => Cause::Dropped,
        }
    }

    pub(super) fn closing(&self, cause: Cause) -> Closing {
        Closing {
            cause,
            duration: self.accepted.unwrap_or(self.since).elapsed(),
            received: self.received,
            sent: self.sent,
        }
    }

    pub(super) fn end(&mut self, cause: Cause) -> Gone<T> {
        Gone {
            stage: mem::replace(&mut self.stage, Stage::Closed(cause)),
            timer: mem::replace(&mut self.timer, Timer::Off),
            permits: mem::take(&mut self.permits),
            waiting: [self.reader.take(), self.writer.take(), self.task.take()],
        }
    }
}

/// What is left of a connection that was closed, to be seen to without the lock: all of it runs
/// somebody else's code.
pub(super) struct Gone<T> {
    stage: Stage<T>,
    timer: Timer,
    permits: Box<[Permit]>,
    waiting: [Option<Waker>; 3],
}

impl<T> Gone<T> {
    /// The connection first: who takes the permit next must not find it open.
    pub(super) fn see_to(self) {
        drop(self.stage);
        drop(self.timer);
        drop(self.permits);
        for waker in self.waiting.into_iter().flatten() {
            waker.wake();
        }
    }
}
