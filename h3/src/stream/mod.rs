//! `Stream`: what a connection and those who read and write one of its streams have in common.
//!
//! The connection alone talks to QUIC. The others leave what is to be sent and say what they wait for,
//! and ring; it comes when it has its turn, and wakes them.

mod inlet;
mod outlet;

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Waker},
    time::Instant,
};

use bytes::BytesMut;
use tokio::sync::mpsc::UnboundedSender;
use tokio_quiche::quiche::h3::Header;

pub(crate) use self::{inlet::Inlet, outlet::Outlet};
use crate::{code::Code, fault::Fault};

/// One request stream.
pub(crate) struct Stream {
    id: u64,
    bell: UnboundedSender<u64>,
    state: Mutex<State>,
}

#[derive(Default)]
pub(crate) struct State {
    /// The connection knows that there is something to do.
    is_rung: bool,
    pub(crate) inbound: Inbound,
    pub(crate) outbound: Outbound,
}

/// The client's half.
#[derive(Default)]
pub(crate) struct Inbound {
    /// Received, and not read.
    pub(crate) data: BytesMut,
    pub(crate) trailers: Option<Vec<Header>>,
    /// What comes behind the data.
    pub(crate) end: Option<Result<(), Fault>>,
    /// Somebody waits for more.
    pub(crate) is_wanted: bool,
    /// Nobody reads any more, and what the client is told if it goes on.
    pub(crate) unwanted: Option<Unwanted>,
    reader: Option<Waker>,
}

/// What a client may send to nobody for a while, and is then told not to.
pub(crate) struct Unwanted {
    pub(crate) code: Code,
    pub(crate) since: Instant,
    /// How much has come.
    pub(crate) octets: usize,
}

/// Ours. What is there goes out in the order of these fields.
#[derive(Default)]
pub(crate) struct Outbound {
    pub(crate) head: Option<Vec<Header>>,
    pub(crate) data: BytesMut,
    pub(crate) trailers: Option<Vec<Header>>,
    /// There is nothing to come.
    pub(crate) is_finished: bool,
    /// In place of what is still here.
    pub(crate) reset: Option<Code>,
    /// All of it is QUIC's, or none of it can be sent any more.
    pub(crate) end: Option<Result<(), Fault>>,
    writer: Option<Waker>,
    watcher: Option<Waker>,
}

impl Stream {
    pub(crate) fn new(id: u64, bell: UnboundedSender<u64>) -> Arc<Self> {
        let state = Mutex::default();
        Arc::new(Self { id, bell, state })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the stream for the connection, which has come as it was rung for.
    pub(crate) fn attend(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.is_rung = false;
        state
    }

    /// Asks the connection to come.
    fn ring(&self, state: &mut State) {
        if !mem::replace(&mut state.is_rung, true) {
            // Where there is no connection any more, `end` tells.
            let _ = self.bell.send(self.id);
        }
    }

    /// How much is left of our half, or `None` if it has ended.
    pub(crate) fn unsent(&self) -> Option<usize> {
        let outbound = &self.lock().outbound;
        outbound.end.is_none().then(|| outbound.data.len())
    }

    /// Ends both halves with a fault, as far as they have not ended.
    pub(crate) fn fail(&self, fault: Fault) {
        let mut state = self.lock();
        let State {
            inbound, outbound, ..
        } = &mut *state;
        let woken = (inbound.fail(fault), outbound.fail(fault));
        drop(state);
        woken.0.wake();
        woken.1.wake();
    }
}

impl Inbound {
    /// Ends it behind what has come, and returns who has to know.
    pub(crate) fn fail(&mut self, fault: Fault) -> Woken {
        self.end.get_or_insert(Err(fault));
        self.woken()
    }

    /// Whoever waits for something to read.
    pub(crate) fn woken(&mut self) -> Woken {
        self.is_wanted = false;
        Woken([self.reader.take(), None])
    }
}

impl Outbound {
    /// Ends it, and returns who has to know.
    pub(crate) fn fail(&mut self, fault: Fault) -> Woken {
        if self.end.is_none() {
            self.data = BytesMut::new();
            self.end = Some(Err(fault));
        }
        self.woken()
    }

    /// Whoever waits for room, or for the end.
    pub(crate) fn woken(&mut self) -> Woken {
        let watcher = self.end.and_then(|_| self.watcher.take());
        Woken([self.writer.take(), watcher])
    }

    /// Whether all that was left here has gone.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_none() && self.data.is_empty() && self.trailers.is_none()
    }
}

/// Who is to be woken, once the lock is free.
#[derive(Default)]
#[must_use = "somebody waits"]
pub(crate) struct Woken([Option<Waker>; 2]);

impl Woken {
    pub(crate) fn wake(self) {
        self.0.into_iter().flatten().for_each(Waker::wake);
    }
}

/// Remembers who asks, unless it is known.
fn remember(place: &mut Option<Waker>, cx: &Context<'_>) {
    match place {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *place = Some(cx.waker().clone()),
    }
}
