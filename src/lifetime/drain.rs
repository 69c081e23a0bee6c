//! `Drain`: no new connections, a word to the live ones, and an end (rule 14).

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime},
};

use slab::Slab;
use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{draining::Draining, report::DrainReport};
use crate::{observe::Cause, refusal::Refusal};

/// Ends a server's upgraded connections in good order.
///
/// Given to any number of layers by [`UpgradeLayer::drain`](crate::UpgradeLayer::drain), clones being
/// one and the same drain, it goes through these steps:
///
/// 1. [`start`](Self::start): the layers refuse new offers with 503, on HTTP/1.1 with `Connection:
///    close`. Requests without an offer pass as before.
/// 2. In every live connection [`Upgraded::draining`](crate::Upgraded::draining) resolves, so that its
///    handler can say goodbye in its own protocol: a WebSocket's close frame 1001, for example.
/// 3. [`wait`](Self::wait) returns when all are gone. At its deadline it closes the rest.
///
/// A connection counts from the moment its offer was let through, and, if it was accepted by
/// [`OnUpgrade::accept`](crate::OnUpgrade::accept), until that task ended.
///
/// # Examples
///
/// With axum, where the listener stays open until all upgraded connections are gone, so that offers
/// are refused and not only cut off:
///
/// ```
/// use std::time::Duration;
/// use axum::Router;
/// use tower_upgrade::Drain;
///
/// async fn run(app: Router, drain: Drain, listener: tokio::net::TcpListener) -> std::io::Result<()> {
///     let signal = async { let _ = tokio::signal::ctrl_c().await; };
///     axum::serve(listener, app)
///         .with_graceful_shutdown(drain.clone().shutdown(signal, Duration::from_secs(5)))
///         .await?;
///     println!("{}", drain.report());
///     Ok(())
/// }
/// # let _ = run;
/// ```
///
/// (axum then waits without limit for requests that were begun. `examples/graceful.rs` bounds that too.)
///
/// With hyper-util's `GracefulShutdown`, once the signal came:
///
/// ```
/// # use std::time::Duration;
/// # use hyper_util::server::graceful::GracefulShutdown;
/// # use tower_upgrade::Drain;
/// # async fn end(drain: Drain, graceful: GracefulShutdown) {
/// tokio::join!(drain.wait(Duration::from_secs(5)), graceful.shutdown());
/// # }
/// ```
///
/// That closes idle HTTP connections at once, lets hyper finish ordinary requests, and ends HTTP/2
/// connections, which hyper waits for without limit, when the last of their streams was closed. One
/// after the other, as axum does it above, new offers are told 503 until then.
///
/// Connections of a policy with [`hand_over_raw`](crate::Policy::hand_over_raw) are not in its hands.
#[derive(Clone, Default)]
pub struct Drain(Arc<Shared>);

#[derive(Default)]
struct Shared {
    started: CancellationToken,
    ended: CancellationToken,
    /// Notified whenever there may be no member any more.
    empty: Notify,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    since: Option<(Instant, SystemTime)>,
    /// When the last member left; of those that leave before the start nobody asks.
    left: Option<Instant>,
    members: Slab<Weak<dyn Member>>,
    ended: usize,
    closed: usize,
    panicked: usize,
    refused: usize,
}

/// A connection that a drain can close.
pub(super) trait Member: Send + Sync {
    /// Closes it, ends its task, and sees that it is counted.
    fn force_close(&self);
}

impl Drain {
    /// Returns a drain that was not started.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets no new connection in, and tells the live ones. Once is enough; more do nothing.
    pub fn start(&self) {
        let mut state = self.0.lock();
        if state.since.is_none() {
            state.since = Some((Instant::now(), SystemTime::now()));
        }
        drop(state);
        // Nobody joins any more, so that whoever is told now is told of all.
        self.0.started.cancel();
    }

    /// Returns whether it was started.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.started.is_cancelled()
    }

    /// Returns a future that is ready once the drain was started.
    pub fn started(&self) -> Draining {
        Draining::new(&self.0.started)
    }

    /// Returns a future that is ready once the drain has ended: when a [`wait`](Self::wait) returned,
    /// because all connections were gone or at its deadline.
    pub fn ended(&self) -> Draining {
        Draining::new(&self.0.ended)
    }

    /// Returns how many connections there are.
    #[must_use]
    pub fn live(&self) -> usize {
        self.0.lock().members.len()
    }

    /// Waits until no connection is left, for so long at most, and then closes the rest.
    ///
    /// It starts the drain if nobody did. Of several callers the first deadline counts for all. What
    /// is closed yields [`Cause::Drained`](crate::observe::Cause::Drained) on reading and writing. A
    /// handler given to [`OnUpgrade::accept`](crate::OnUpgrade::accept) is then polled once more and
    /// dropped, for which at most a tenth of a second is given.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it closes nothing; the drain stays started.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime that has its clock enabled.
    pub async fn wait(&self, within: Duration) -> DrainReport {
        self.start();
        if timeout(within, self.until_empty()).await.is_err() {
            self.close_rest();
            let _ = timeout(LAST_POLL, self.until_empty()).await;
        }
        self.0.ended.cancel();
        self.report()
    }

    /// Waits for a signal, and then as [`wait`](Self::wait) does: all that a server's graceful
    /// shutdown needs.
    ///
    /// The outcome is in [`report`](Self::report). Signals should be caught before a server tells its
    /// address: until then they end the process at once.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime that has its clock enabled.
    pub async fn shutdown<S>(self, signal: S, within: Duration)
    where
        S: Future<Output = ()>,
    {
        signal.await;
        self.wait(within).await;
    }

    /// Returns what became of the connections since the drain was started; all zero before.
    #[must_use]
    pub fn report(&self) -> DrainReport {
        self.0.lock().report()
    }

    pub(super) fn refuse_if_started(
        &self,
        refusal: impl FnOnce() -> Refusal,
    ) -> Result<(), Refusal> {
        if !self.is_started() {
            return Ok(());
        }
        self.0.lock().refused += 1;
        Err(refusal())
    }

    /// Takes a connection in, unless the drain was started.
    pub(super) fn join(&self, member: Weak<dyn Member>) -> Option<Ticket> {
        let mut state = self.0.lock();
        if state.since.is_some() {
            state.refused += 1;
            return None;
        }
        Some(Ticket {
            index: state.members.insert(member),
            drain: self.clone(),
            cause: Cause::Dropped,
        })
    }

    async fn until_empty(&self) {
        loop {
            let empty = self.0.empty.notified();
            if self.live() == 0 {
                return;
            }
            empty.await;
        }
    }

    fn close_rest(&self) {
        let members: Vec<_> = {
            let state = self.0.lock();
            let members = state.members.iter();
            members.filter_map(|(_, member)| member.upgrade()).collect()
        };
        // Not under the lock, which every member takes for itself when it leaves.
        for member in members {
            member.force_close();
        }
    }
}

impl Shared {
    /// No code that can panic runs under the lock, so that a poisoned state is a sound one.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn report(&self) -> DrainReport {
        let (started, since) = self.since.unzip();
        // Where nobody ever left, it was over when it began.
        let until = if self.members.is_empty() {
            self.left.or(started)
        } else {
            None
        };
        let took = started.map(|started| {
            until
                .unwrap_or_else(Instant::now)
                .saturating_duration_since(started)
        });
        DrainReport {
            since,
            took: took.unwrap_or_default(),
            ended: self.ended,
            closed: self.closed,
            panicked: self.panicked,
            refused: self.refused,
        }
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain")
            .field("started", &self.is_started())
            .field("live", &self.live())
            .finish()
    }
}

/// How long a handler may take for its last poll.
const LAST_POLL: Duration = Duration::from_millis(100);

/// A connection's place among those that a drain waits for.
pub(super) struct Ticket {
    drain: Drain,
    index: usize,
    cause: Cause,
}

impl Ticket {
    /// Counts it as closed by force, which it is told before it leaves.
    pub(super) fn count_closed(&self) {
        self.drain.0.lock().closed += 1;
    }

    /// Leaves. Whoever was closed by force was counted before.
    pub(super) fn leave(mut self, cause: Cause) {
        self.cause = cause;
    }
}

/// On every way, also that of a panic in the drop of somebody else's I/O.
impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.drain.0.lock();
        state.members.try_remove(self.index);
        if state.since.is_some() {
            match self.cause {
                Cause::Drained => {}
                Cause::Panicked => state.panicked += 1,
                _ => state.ended += 1,
            }
        }
        if state.members.is_empty() {
            state.left = Some(Instant::now());
            drop(state);
            self.drain.0.empty.notify_waiters();
        }
    }
}
