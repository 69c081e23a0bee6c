//! `Guard`: what holds on to a connection from its offer to its last byte (rules 20 and 24).
//!
//! ```text
//! Offered ──▶ Accepted ──▶ Open ──▶ Lent
//!    └────────────┴──────────┴────────┴──▶ Closed
//! ```
//!
//! Whoever closes it first, the one who holds the connection, a clock or a drain, says why, and sees to
//! everything: the connection is dropped, its permits return, the drain and the observers are told, and
//! whoever waits for bytes is woken.

use std::{
    io, mem,
    sync::{
        Arc, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
};

use tokio::time::Instant;

use super::{
    clocks::Times,
    drain::{Drain, Member},
    draining::Draining,
    limit::Permit,
    state::{Stage, State},
    terms::Terms,
};
use crate::{
    negotiate::Agreed,
    observe::{Cause, Clock, Connection, Observer},
    refusal::Refusal,
    sync::{Mutex, MutexGuard},
};

/// A connection `T`, as soon as it is there, and what it lives by.
pub(crate) struct Guard<T> {
    id: u64,
    terms: Arc<Terms>,
    agreed: Agreed,
    state: Mutex<State<T>>,
}

/// What is done to a connection's bytes, and who is woken when more can be done.
#[derive(Clone, Copy)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl<T: Send + 'static> Guard<T> {
    pub(super) fn new(terms: Arc<Terms>, agreed: Agreed, permits: Box<[Permit]>) -> Arc<Self> {
        Arc::new(Self {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            terms,
            agreed,
            state: Mutex::new(State::new(permits)),
        })
    }

    /// Takes its place in a drain, unless that was started. Under the lock, for the drain's deadline may
    /// strike as soon as it is in.
    pub(super) fn join(self: &Arc<Self>, drain: &Drain) -> bool {
        let member = Arc::downgrade(self) as Weak<dyn Member>;
        let mut state = self.lock();
        state.ticket = drain.join(member);
        state.ticket.is_some()
    }

    pub(crate) const fn agreed(&self) -> &Agreed {
        &self.agreed
    }

    pub(crate) fn draining(&self) -> Draining {
        match &self.terms.drain {
            Some(drain) => drain.started(),
            None => Draining::never(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.lock().stage, Stage::Closed(_))
    }

    /// The acceptance is on its way; false if it was closed before, and told as declined.
    pub(crate) fn accept(self: &Arc<Self>) -> bool {
        let mut state = self.lock();
        if matches!(state.stage, Stage::Offered) {
            self.become_accepted(&mut state);
            drop(state);
            self.keep_time();
            return true;
        }
        state.accepted.is_some()
    }

    /// The connection is there; it is given back to be dropped if it came too late.
    pub(crate) fn open(self: &Arc<Self>, connection: T) -> Result<(), (T, Cause)> {
        let mut state = self.lock();
        // Whoever awaits it may be faster than the one who let it go.
        if matches!(state.stage, Stage::Offered) {
            self.become_accepted(&mut state);
        }
        if let Stage::Closed(cause) = state.stage {
            return Err((connection, cause));
        }
        let now = Instant::now();
        (state.since, state.last) = (now, now);
        state.stage = Stage::Open(connection);
        self.tell(|observer, connection| observer.handed_over(connection));
        drop(state);
        self.keep_time();
        Ok(())
    }

    fn become_accepted(&self, state: &mut State<T>) {
        let now = Instant::now();
        state.stage = Stage::Accepted;
        (state.accepted, state.since) = (Some(now), now);
        self.tell(|observer, connection| observer.accepted(connection));
    }

    /// Lets `operate` read from or write to the connection, and keeps count.
    ///
    /// It yields how many bytes it moved; `None` where that is no matter, as of a flush.
    pub(crate) fn poll(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        operate: impl FnOnce(&mut T, &mut Context<'_>) -> Poll<io::Result<Option<usize>>>,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.lock();
        let connection = match &mut state.stage {
            Stage::Open(connection) => connection,
            Stage::Closed(cause) => return Poll::Ready(Err(cause.to_error())),
            _ => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        };
        let polled = operate(connection, cx);
        match &polled {
            Poll::Ready(Ok(Some(moved))) => self.count(&mut state, direction, *moved),
            Poll::Ready(Ok(None)) => {}
            Poll::Ready(Err(error)) => state.failed = Some(error.kind()),
            Poll::Pending => {
                let waiting = match direction {
                    Direction::Read => &mut state.reader,
                    Direction::Write => &mut state.writer,
                };
                wait(waiting, cx);
            }
        }
        polled.map_ok(Option::unwrap_or_default)
    }

    fn count(&self, state: &mut State<T>, direction: Direction, moved: usize) {
        match direction {
            Direction::Read if moved == 0 => state.has_peer_ended = true,
            Direction::Read => state.received += moved as u64,
            Direction::Write => state.sent += moved as u64,
        }
        if moved > 0 && self.terms.clocks.idle.is_some() {
            state.last = Instant::now();
        }
    }

    /// Looks at the connection itself.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        match &self.lock().stage {
            Stage::Open(connection) => Some(look(connection)),
            _ => None,
        }
    }

    /// Gives the connection out of our hands. From here on only its permits and its place in the drain
    /// are kept.
    pub(crate) fn lend(&self) -> Option<T> {
        let mut state = self.lock();
        match mem::replace(&mut state.stage, Stage::Lent) {
            Stage::Open(connection) => Some(connection),
            before => {
                state.stage = before;
                None
            }
        }
    }

    /// Takes the connection back, which was not what its holder wanted.
    pub(crate) fn give_back(self: &Arc<Self>, connection: T) {
        let mut state = self.lock();
        if matches!(state.stage, Stage::Lent) {
            state.stage = Stage::Open(connection);
            drop(state);
            self.keep_time();
        }
    }

    /// Waits until it is closed from elsewhere.
    pub(crate) fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<Cause> {
        let mut state = self.lock();
        if let Stage::Closed(cause) = state.stage {
            return Poll::Ready(cause);
        }
        wait(&mut state.reader, cx);
        Poll::Pending
    }

    /// From here on the drain waits for a task too, until [`leave_task`](Self::leave_task).
    pub(crate) fn enter_task(&self) {
        self.lock().has_task = true;
    }

    /// Whether the task is to end because a drain's deadline struck.
    pub(crate) fn poll_forced(&self, cx: &mut Context<'_>) -> bool {
        if self.terms.drain.is_none() {
            return false;
        }
        let mut state = self.lock();
        if state.is_forced {
            return true;
        }
        wait(&mut state.task, cx);
        false
    }

    pub(crate) fn leave_task(&self) {
        let mut state = self.lock();
        state.has_task = false;
        state.has_panicked |= std::thread::panicking();
        leave(state);
    }

    /// Its holder lets go of it.
    pub(crate) fn let_go(&self) {
        let mut state = self.lock();
        state.has_panicked |= std::thread::panicking();
        let cause = state.cause();
        self.close_locked(state, cause);
    }

    /// The service accepted, and nothing will come of it.
    pub(crate) fn fail(&self) {
        self.close(Cause::NotHandedOver);
    }

    /// The service did not accept.
    pub(crate) fn decline(&self) {
        self.end_offer(|observer, connection| observer.declined(connection));
    }

    /// The service accepted in a way that could not be let through.
    pub(crate) fn refuse(&self, refusal: &Refusal) {
        self.end_offer(|observer, _| observer.refused(refusal));
    }

    /// The service accepted, and the connection is none of our business.
    pub(crate) fn release(&self) {
        self.end_offer(|_, _| {});
    }
}

impl<T> Guard<T> {
    /// Closes it, if nobody did before.
    pub(crate) fn close(&self, cause: Cause) {
        self.close_locked(self.lock(), cause);
    }

    /// For who looked first, so that nothing changes between the look and the end.
    pub(super) fn close_locked(&self, state: MutexGuard<'_, State<T>>, cause: Cause) {
        match state.stage {
            Stage::Closed(_) => return,
            Stage::Offered => self.tell(|observer, connection| observer.declined(connection)),
            _ => {
                let closing = state.closing(cause);
                self.tell(|observer, connection| observer.closed(connection, &closing));
            }
        }
        self.end(state, cause);
    }

    fn end(&self, mut state: MutexGuard<'_, State<T>>, cause: Cause) {
        let gone = state.end(cause);
        drop(state);
        gone.see_to();
        let mut state = self.lock();
        state.is_seen_to = true;
        leave(state);
    }

    /// Closes an offer that was not accepted.
    fn end_offer(&self, event: impl Fn(&dyn Observer, &Connection<'_>)) {
        let state = self.lock();
        if matches!(state.stage, Stage::Offered) {
            self.tell(event);
            self.end(state, Cause::Dropped);
        }
    }

    /// Tells the observers. It is done under the lock, so that what they are told comes in order.
    fn tell(&self, event: impl Fn(&dyn Observer, &Connection<'_>)) {
        let connection = Connection {
            id: self.id,
            protocol: self.agreed.protocol(),
            subprotocol: self.agreed.subprotocol(),
            version: self.agreed.version(),
        };
        self.terms.tell(|observer| event(observer, &connection));
    }

    /// When the next clock runs out, and which.
    pub(super) fn next_deadline(&self, state: &State<T>) -> Option<(Instant, Clock)> {
        match state.stage {
            Stage::Accepted => self.terms.clocks.of_accepted(state.since),
            Stage::Open(_) => self.terms.clocks.of_open(&Times {
                since: state.since,
                last: state.last,
                first_byte_came: state.received > 0,
            }),
            _ => None,
        }
    }

    /// No code that can panic runs under the lock save the connection's own, so that a poisoned state is a
    /// sound one.
    pub(super) fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Member for Guard<T> {
    fn force_close(&self) {
        let mut state = self.lock();
        if mem::replace(&mut state.is_forced, true) {
            return;
        }
        // Counted before it leaves, so that whoever is told that all are gone knows how they went.
        if let Some(ticket) = &state.ticket {
            ticket.count_closed();
        }
        if !matches!(state.stage, Stage::Closed(_)) {
            return self.close_locked(state, Cause::Drained);
        }
        // The connection is closed, and its task may still run.
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Leaves the drain, when both the connection and its task are gone: whoever waited for it must find
/// nothing held.
fn leave<T>(mut state: MutexGuard<'_, State<T>>) {
    let is_gone = state.is_seen_to && !state.has_task;
    let ticket = if is_gone { state.ticket.take() } else { None };
    let cause = state.cause();
    drop(state);
    if let Some(ticket) = ticket {
        ticket.leave(cause);
    }
}

/// Remembers who waits, without a clone where it is who waited before.
fn wait(waiting: &mut Option<Waker>, cx: &Context<'_>) {
    match waiting {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waiting = Some(cx.waker().clone()),
    }
}

static NEXT_ID: AtomicU64 = AtomicU64::new(1);
