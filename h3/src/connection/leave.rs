//! How a connection ends in good order: GOAWAY, what was begun, and the close (RFC 9114 5.2).

use std::{
    collections::HashMap,
    future::pending,
    time::{Duration, Instant},
};

use tokio::sync::watch;
use tokio_quiche::{quic::QuicheConnection, quiche};

use super::{Connection, close};
use crate::{app::App, code, settings::Settings};

/// What a server wants of its connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Order {
    Serve,
    /// To end what was begun and take nothing new.
    Leave,
    /// To end at once.
    Close,
}

pub(super) struct Leaving {
    orders: watch::Receiver<Order>,
    begun: Option<Instant>,
    is_closed: bool,
    /// The first stream that is not served, once the client was told of it, and when it was.
    told: Option<(u64, Instant)>,
    requests: u64,
    /// What was sent to its end, and perhaps has not arrived.
    on_its_way: HashMap<u64, Instant>,
}

impl Leaving {
    pub(super) fn new(orders: watch::Receiver<Order>) -> Self {
        Self {
            orders,
            begun: None,
            is_closed: false,
            told: None,
            requests: 0,
            on_its_way: HashMap::new(),
        }
    }

    /// Waits for another order. It may be dropped and called again.
    pub(super) async fn order(&mut self) {
        if self.is_closed {
            return pending().await;
        }
        let has_begun = self.has_begun();
        let is_new = |order: &Order| match order {
            Order::Serve => false,
            Order::Leave => !has_begun,
            Order::Close => true,
        };
        // Without a server there is nobody to wait for.
        let _ = self.orders.wait_for(is_new).await;
    }

    pub(super) fn obey(&mut self, quic: &mut QuicheConnection) {
        let order = match self.orders.has_changed() {
            Ok(_) => *self.orders.borrow(),
            Err(_) => Order::Close,
        };
        match order {
            Order::Serve => {}
            Order::Leave => self.begin(),
            Order::Close if self.is_closed => {}
            Order::Close => {
                self.is_closed = true;
                close(quic, code::NO_ERROR, "");
            }
        }
    }

    pub(super) fn begin(&mut self) {
        self.begun.get_or_insert_with(Instant::now);
    }

    pub(super) const fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// Whether a request came behind what the client was told of.
    pub(super) fn refuses(&self, id: u64) -> bool {
        self.told.is_some_and(|(first, _)| id >= first)
    }

    pub(super) fn on_request(&mut self, settings: &Settings) {
        self.requests += 1;
        if self.requests >= settings.max_requests_in_all {
            self.begin();
        }
    }

    pub(super) fn on_sent(&mut self, id: u64) {
        self.on_its_way.insert(id, Instant::now());
    }
}

impl<A: App> Connection<A> {
    /// Tells the client that nothing new is taken, and closes when nothing is left.
    pub(super) fn leave(&mut self, quic: &mut QuicheConnection) {
        let (leaving, next) = (&mut self.leaving, self.seen.next());
        // QUIC knows no stream any more whose end has arrived.
        leaving.on_its_way.retain(|&id, since| {
            since.elapsed() < ARRIVAL
                && !matches!(
                    quic.stream_capacity(id),
                    Err(quiche::Error::InvalidStreamState(_))
                )
        });
        let (Some(http), Some(begun)) = (&mut self.http, leaving.begun) else {
            return;
        };
        self.clock.hurry();
        let Some((_, told)) = leaving.told else {
            if http.send_goaway(quic, next).is_ok() {
                leaving.told = Some((next, Instant::now()));
            } else if begun.elapsed() >= ARRIVAL {
                // A client that has no room for it is told so.
                close(quic, code::EXCESSIVE_LOAD, "no room for GOAWAY");
            }
            return;
        };
        let is_done = self.streams.is_empty() && leaving.on_its_way.is_empty();
        // What was asked before one that has come may have been lost, and come yet.
        let patience = if self.seen.is_whole() { WORD } else { ARRIVAL };
        if is_done && told.elapsed() >= patience {
            close(quic, code::NO_ERROR, "");
        }
    }
}

/// How long is waited for a client to acknowledge the last of what it was sent.
const ARRIVAL: Duration = Duration::from_secs(3);
/// How long a client has at least to hear that nothing new is taken, before the connection is closed.
const WORD: Duration = Duration::from_millis(300);
