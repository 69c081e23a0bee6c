//! What comes of a client's frames.

use std::sync::Arc;

use tokio_quiche::{
    quic::QuicheConnection,
    quiche::{
        Shutdown,
        h3::{Event, Header, NameValue},
    },
};

use super::{Connection, Entry, close};
use crate::{
    app::App,
    code,
    exchange::{self, Asked},
    fault::Fault,
    stream::{Inlet, Outlet, Stream},
};

impl<A: App> Connection<A> {
    /// Hears all that has come.
    pub(super) fn listen(&mut self, quic: &mut QuicheConnection) {
        // On an error quiche closes the connection, which is seen there.
        while let Some(Ok((id, event))) = self.http.as_mut().map(|http| http.poll(quic)) {
            if !is_of_a_request(id) {
                // One that the client opened for something else, and reset.
                continue;
            }
            match event {
                Event::Headers { list, more_frames } => {
                    self.on_headers(quic, id, list, more_frames);
                }
                Event::Data => self.on_data(quic, id),
                Event::Finished => self.on_end(quic, id, Ok(())),
                Event::Reset(_) => self.on_end(quic, id, Err(Fault::Reset)),
                // There is no push that a client could have no more of.
                Event::GoAway | Event::PriorityUpdate => {}
            }
        }
    }

    /// Has those streams looked after whose answer may not be wanted any more.
    ///
    /// quiche lists a stream that was stopped as writable only if it was not, so its counter has to tell.
    pub(super) fn hear_stops(&mut self, quic: &QuicheConnection) {
        let heard = quic.stats().stopped_stream_count_remote;
        if heard != self.stops_heard {
            self.stops_heard = heard;
            self.woken.extend(self.streams.keys());
        }
    }

    fn on_headers(
        &mut self,
        quic: &mut QuicheConnection,
        id: u64,
        list: Vec<Header>,
        has_more: bool,
    ) {
        match self.streams.get_mut(&id) {
            // RFC 9114 4.4: a tunnel has nothing but DATA; 4.1: trailers come once.
            Some(entry) if entry.is_tunnel || entry.has_trailers => {
                close(quic, code::FRAME_UNEXPECTED, "HEADERS where there are none");
            }
            Some(entry) => {
                entry.has_trailers = true;
                let mut state = entry.stream.lock();
                state.inbound.trailers = Some(list);
                let woken = state.inbound.woken();
                drop(state);
                woken.wake();
            }
            None if !self.seen.insert(id) => {}
            None if self.leaving.refuses(id) => {
                let _ = quic.stream_shutdown(id, Shutdown::Read, code::REQUEST_REJECTED);
                let _ = quic.stream_shutdown(id, Shutdown::Write, code::REQUEST_REJECTED);
                self.leaving.on_sent(id);
            }
            None => self.on_request(id, list, has_more),
        }
    }

    fn on_request(&mut self, id: u64, list: Vec<Header>, has_more: bool) {
        self.leaving.on_request(&self.shared.settings);
        let stream = Stream::new(id, self.bell.clone());
        let entry = Entry {
            stream: Arc::clone(&stream),
            is_tunnel: list.iter().any(is_connect),
            is_readable: false,
            has_trailers: false,
            forsaken: None,
        };
        self.streams.insert(id, entry);
        // The client may already want no answer.
        self.woken.push_back(id);
        self.clock.is_idle_since(None);
        let asked = Asked {
            fields: list,
            has_more,
            inlet: Inlet::new(Arc::clone(&stream)),
            outlet: Outlet::new(stream),
        };
        let (shared, app) = (self.shared.clone(), self.app.clone());
        tokio::spawn(exchange::serve(shared, app, asked));
    }

    fn on_data(&mut self, quic: &mut QuicheConnection, id: u64) {
        if let Some(entry) = self.streams.get_mut(&id) {
            entry.is_readable = true;
            self.woken.push_back(id);
            if entry.has_trailers {
                close(quic, code::FRAME_UNEXPECTED, "DATA behind trailers");
            }
        }
    }

    fn on_end(&mut self, quic: &mut QuicheConnection, id: u64, end: Result<(), Fault>) {
        let Some(entry) = self.streams.get_mut(&id) else {
            if self.seen.insert(id) {
                // It had no head.
                let _ = quic.stream_shutdown(id, Shutdown::Write, code::REQUEST_INCOMPLETE);
            }
            return;
        };
        let mut state = entry.stream.lock();
        state.inbound.end.get_or_insert(end);
        let woken = state.inbound.woken();
        drop(state);
        // It may be at its end with this.
        self.woken.push_back(id);
        woken.wake();
    }
}

/// Both ways, and the client's (RFC 9000 2.1).
const fn is_of_a_request(id: u64) -> bool {
    id.is_multiple_of(4)
}

fn is_connect(field: &Header) -> bool {
    (field.name(), field.value()) == (b":method", b"CONNECT")
}
