//! `Connection`: a QUIC connection as requests and tunnels, driven by tokio-quiche's worker.
//!
//! The worker calls it when packets have come and before packets are sent, and waits with it for what
//! else there is to do. Whoever serves a request has a task of its own, and a [`Stream`] in common with it.

mod carry;
mod clock;
mod events;
mod leave;
mod refused;
mod seen;
mod unwanted;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use tokio::sync::{mpsc, watch};
use tokio_quiche::{
    ApplicationOverQuic, QuicResult,
    metrics::Metrics,
    quic::{HandshakeInfo, QuicheConnection},
    quiche::h3,
};

use self::{clock::Clock, leave::Leaving, seen::Seen};
pub(crate) use self::{leave::Order, refused::Refused};
use crate::{
    app::App,
    code::{self, Code},
    exchange::Shared,
    fault::Fault,
    live::Token,
    settings::Settings,
    stream::Stream,
};

pub(crate) struct Connection<A> {
    app: A,
    shared: Shared,
    http: Option<h3::Connection>,
    streams: HashMap<u64, Entry>,
    seen: Seen,
    /// The ids of streams that rang.
    bell: mpsc::UnboundedSender<u64>,
    rung: mpsc::UnboundedReceiver<u64>,
    /// Those that are to be looked after, in turn.
    woken: VecDeque<u64>,
    leaving: Leaving,
    /// How many of the client's halves were stopped, and how many of ours.
    stopped: u32,
    stops_heard: u64,
    clock: Clock,
    _live: Token,
}

/// A stream that has not ended yet, and what the connection knows of it.
struct Entry {
    stream: Arc<Stream>,
    /// A tunnel, or what may become one: it has DATA and nothing else (RFC 9114 4.4).
    is_tunnel: bool,
    /// There may be something to receive.
    is_readable: bool,
    /// There is nothing to come but the end.
    has_trailers: bool,
    /// Since when nobody but us knows of it and the client has taken none of what is left.
    forsaken: Option<(Instant, usize)>,
}

impl<A: App> Connection<A> {
    pub(crate) fn new(
        app: A,
        settings: Settings,
        peer: SocketAddr,
        orders: watch::Receiver<Order>,
        live: Token,
    ) -> Self {
        let (bell, rung) = mpsc::unbounded_channel();
        Self {
            app,
            shared: Shared { settings, peer },
            http: None,
            streams: HashMap::new(),
            seen: Seen::default(),
            bell,
            rung,
            woken: VecDeque::new(),
            leaving: Leaving::new(orders),
            stopped: 0,
            stops_heard: 0,
            clock: Clock::new(&settings),
            _live: live,
        }
    }

    /// Ends all streams where the connection has ended.
    fn bury(&mut self, quic: &QuicheConnection) {
        if let Some(fault) = end_of(quic) {
            for (_, entry) in self.streams.drain() {
                entry.stream.fail(fault);
            }
        }
    }
}

/// Why a connection has ended, if it has.
fn end_of(quic: &QuicheConnection) -> Option<Fault> {
    if quic.is_timed_out() {
        return Some(Fault::TimedOut);
    }
    match quic.local_error() {
        Some(error) if error.is_app && error.error_code != code::NO_ERROR => {
            Some(Fault::Broken(error.error_code))
        }
        Some(error) if !error.is_app && error.error_code != 0 => {
            Some(Fault::Broken(error.error_code))
        }
        Some(_) => Some(Fault::Closed),
        None => (quic.is_draining() || quic.is_closed()).then_some(Fault::Closed),
    }
}

/// Closes a connection. Where it is closed already, what was said first counts.
fn close(quic: &mut QuicheConnection, code: Code, why: &str) {
    let _ = quic.close(true, code, why.as_bytes());
}

impl<A: App> ApplicationOverQuic for Connection<A> {
    fn on_conn_established(
        &mut self,
        quic: &mut QuicheConnection,
        _: &HandshakeInfo,
    ) -> QuicResult<()> {
        let config = self.shared.settings.http()?;
        self.http = Some(h3::Connection::with_transport(quic, &config)?);
        Ok(())
    }

    fn should_act(&self) -> bool {
        self.http.is_some()
    }

    async fn wait_for_data(&mut self, _: &mut QuicheConnection) -> QuicResult<()> {
        // What there is to do is done by `process_writes`, which is called also while packets do not cease.
        tokio::select! {
            () = self.leaving.order() => {}
            () = self.clock.tick() => {}
            // There is a bell of our own, so it is never the last.
            Some(id) = self.rung.recv() => self.woken.push_back(id),
        }
        Ok(())
    }

    fn process_reads(&mut self, quic: &mut QuicheConnection) -> QuicResult<()> {
        self.listen(quic);
        self.hear_stops(quic);
        self.bury(quic);
        Ok(())
    }

    fn process_writes(&mut self, quic: &mut QuicheConnection) -> QuicResult<()> {
        self.leaving.obey(quic);
        if self.clock.is_due() {
            self.on_tick(quic);
        }
        self.carry(quic);
        self.leave(quic);
        self.bury(quic);
        Ok(())
    }

    fn on_conn_close<M: Metrics>(
        &mut self,
        quic: &mut QuicheConnection,
        _: &M,
        _: &QuicResult<()>,
    ) {
        self.bury(quic);
    }
}

impl<A> Drop for Connection<A> {
    fn drop(&mut self) {
        for (_, entry) in self.streams.drain() {
            entry.stream.fail(Fault::Closed);
        }
    }
}
