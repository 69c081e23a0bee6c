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
    code, exchange,
    fault::Fault,
    stream::{Inlet, Outlet, Stream},
};

impl<A: App> Connection<A> {
    /// Hears all that has come.
    pub(super) fn listen(&mut self, quic: &mut QuicheConnection) {
        // On an error quiche closes the connection, which is seen there.
        while let Some(Ok((id, event))) = self.http.as_mut().map(|http| http.poll(quic)) {
            match event {
                Event::Headers { list, .. } => self.on_headers(quic, id, list),
                Event::Data => self.on_data(quic, id),
                Event::Finished => self.on_end(quic, id, Ok(())),
                Event::Reset(_) => self.on_end(quic, id, Err(Fault::Reset)),
                // There is no push that a client could have no more of.
                Event::GoAway | Event::PriorityUpdate => {}
            }
        }
    }

    fn on_headers(&mut self, quic: &mut QuicheConnection, id: u64, list: Vec<Header>) {
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
            }
            None => self.on_request(id, list),
        }
    }

    fn on_request(&mut self, id: u64, list: Vec<Header>) {
        self.leaving.on_request(&self.shared.settings);
        let stream = Stream::new(id, self.bell.clone());
        let entry = Entry {
            stream: Arc::clone(&stream),
            is_tunnel: list.iter().any(is_connect),
            is_readable: false,
            has_trailers: false,
            forsaken_since: None,
        };
        self.streams.insert(id, entry);
        let (inlet, outlet) = (Inlet::new(Arc::clone(&stream)), Outlet::new(stream));
        tokio::spawn(exchange::serve(
            self.shared.clone(),
            self.app.clone(),
            list,
            inlet,
            outlet,
        ));
    }

    fn on_data(&mut self, quic: &mut QuicheConnection, id: u64) {
        if let Some(entry) = self.streams.get_mut(&id) {
            entry.is_readable = true;
            self.woken.push(id);
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
        self.woken.push(id);
        woken.wake();
    }
}

fn is_connect(field: &Header) -> bool {
    (field.name(), field.value()) == (b":method", b"CONNECT")
}
