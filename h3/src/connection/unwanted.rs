//! What becomes of a client's half that nobody reads.
//!
//! It is given time to end it: whoever hears that we have ended does so by himself, most of the time.
//! One who goes on is told to stop. Not at once: quiche forgets to give back the stream of a client
//! that ends it after STOP_SENDING and our own end (quiche's issue 1968), and there are so many of them.

use std::time::Duration;

use tokio_quiche::{quic::QuicheConnection, quiche::Shutdown};

use super::Connection;
use crate::{
    app::App,
    stream::{Inbound, Unwanted},
};

impl<A: App> Connection<A> {
    /// Tells those to stop who had time enough, or have sent too much. Returns whether there are others.
    pub(super) fn stop_unwanted(&mut self, quic: &mut QuicheConnection) -> bool {
        let mut has_others = false;
        for (&id, entry) in &self.streams {
            let inbound = &mut entry.stream.lock().inbound;
            if inbound.end.is_some() || inbound.unwanted.is_none() {
                continue;
            }
            if inbound.stop(quic, id) {
                self.stopped += 1;
                self.woken.push_back(id);
            } else {
                has_others = true;
            }
        }
        if self.stopped >= self.shared.settings.max_requests.div_ceil(2) {
            // Before a client has no streams left, it opens another connection.
            self.leaving.begin();
        }
        has_others
    }
}

impl Inbound {
    /// Returns whether it has.
    fn stop(&mut self, quic: &mut QuicheConnection, id: u64) -> bool {
        let Some(unwanted) = &self.unwanted else {
            return false;
        };
        let is_enough = unwanted.is_much() || unwanted.since.elapsed() >= PATIENCE;
        if is_enough {
            let _ = quic.stream_shutdown(id, Shutdown::Read, unwanted.code);
            self.end = Some(Ok(()));
        }
        is_enough
    }
}

impl Unwanted {
    pub(super) const fn is_much(&self) -> bool {
        self.octets > MOST
    }
}

/// How long a client may go on.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much it may send meanwhile.
const MOST: usize = 64 << 10;
