//! Between QUIC and those who read and write.

use bytes::{Buf, BufMut, BytesMut};
use tokio_quiche::{
    quic::QuicheConnection,
    quiche::{self, Shutdown, h3},
};

use super::Connection;
use crate::{
    app::App,
    code,
    fault::Fault,
    stream::{Inbound, Outbound, Unwanted, Woken},
};

impl<A: App> Connection<A> {
    /// Looks after all streams that rang, and those for which QUIC has room again.
    pub(super) fn carry(&mut self, quic: &mut QuicheConnection) {
        while let Ok(id) = self.rung.try_recv() {
            self.woken.push_back(id);
        }
        loop {
            let mut has_received = false;
            // Those that wait for QUIC first, or the busiest would have all its room for themselves.
            while let Some(id) = quic
                .stream_writable_next()
                .or_else(|| self.woken.pop_front())
            {
                has_received |= self.carry_one(quic, id);
            }
            if !has_received {
                break;
            }
            // What comes behind the data is told now.
            self.listen(quic);
        }
    }

    /// Returns whether it has asked for data.
    fn carry_one(&mut self, quic: &mut QuicheConnection, id: u64) -> bool {
        let (Some(http), Some(entry)) = (&mut self.http, self.streams.get_mut(&id)) else {
            return false;
        };
        let mut state = entry.stream.attend();
        let (has_received, reader) = state
            .inbound
            .receive(http, quic, id, &mut entry.is_readable);
        let (has_more, writer) = state.outbound.send(http, quic, id);
        let is_over = state.inbound.end.is_some() && state.outbound.end.is_some();
        let is_sent = state.outbound.end == Some(Ok(())) && state.outbound.reset.is_none();
        let is_unwanted = state.inbound.unwanted.is_some();
        drop(state);
        reader.wake();
        writer.wake();
        if has_more {
            self.woken.push_back(id);
        }
        if is_unwanted {
            self.clock.hurry();
        }
        if is_over {
            self.streams.remove(&id);
            if is_sent {
                self.leaving.on_sent(id);
            }
        }
        has_received
    }
}

impl Inbound {
    /// Takes from QUIC what somebody waits for.
    fn receive(
        &mut self,
        http: &mut h3::Connection,
        quic: &mut QuicheConnection,
        id: u64,
        is_readable: &mut bool,
    ) -> (bool, Woken) {
        if self.end.is_some() {
            return (false, Woken::default());
        }
        if self.unwanted.is_some() {
            return (
                self.throw_away(http, quic, id, is_readable),
                Woken::default(),
            );
        }
        if !self.is_wanted || !*is_readable {
            return (false, Woken::default());
        }
        let most = quic.stream_readable_len(id, MOST).clamp(LEAST, MOST);
        let woken = match http.recv_body_buf(quic, id, (&mut self.data).limit(most)) {
            Ok(_) => self.woken(),
            Err(h3::Error::TransportError(quiche::Error::StreamReset(_))) => {
                self.fail(Fault::Reset)
            }
            // Nothing for now, or a fault of the client's by which the connection was closed.
            Err(_) => {
                *is_readable = false;
                self.data = BytesMut::new();
                Woken::default()
            }
        };
        (true, woken)
    }

    /// Takes from QUIC what nobody waits for.
    fn throw_away(
        &mut self,
        http: &mut h3::Connection,
        quic: &mut QuicheConnection,
        id: u64,
        is_readable: &mut bool,
    ) -> bool {
        let is_much = self.unwanted.as_ref().is_some_and(Unwanted::is_much);
        if !*is_readable || is_much {
            return false;
        }
        let mut scratch = [0; LEAST];
        while let Some(unwanted) = self
            .unwanted
            .as_mut()
            .filter(|unwanted| !unwanted.is_much())
        {
            match http.recv_body(quic, id, &mut scratch) {
                Ok(length) => unwanted.octets += length,
                Err(error) => {
                    if let h3::Error::TransportError(quiche::Error::StreamReset(_)) = error {
                        self.end = Some(Err(Fault::Reset));
                    }
                    *is_readable = false;
                    break;
                }
            }
        }
        true
    }
}

impl Outbound {
    /// Gives QUIC what it has room for, and returns whether it might have room for more.
    fn send(
        &mut self,
        http: &mut h3::Connection,
        quic: &mut QuicheConnection,
        id: u64,
    ) -> (bool, Woken) {
        if self.end.is_some() {
            return (false, Woken::default());
        }
        let sent = match quic.stream_capacity(id) {
            Err(error) => Err(error.into()),
            Ok(_) => self.send_some(http, quic, id),
        };
        match sent {
            Ok(has_more) => (has_more, self.woken()),
            Err(h3::Error::Done | h3::Error::StreamBlocked) => (false, self.woken()),
            Err(h3::Error::TransportError(quiche::Error::StreamStopped(_))) => {
                (false, self.fail(Fault::Stopped))
            }
            Err(_) => {
                let _ = quic.stream_shutdown(id, Shutdown::Write, code::INTERNAL_ERROR);
                (false, self.fail(Fault::Closed))
            }
        }
    }

    fn send_some(
        &mut self,
        http: &mut h3::Connection,
        quic: &mut QuicheConnection,
        id: u64,
    ) -> Result<bool, h3::Error> {
        if let Some(code) = self.reset {
            let _ = quic.stream_shutdown(id, Shutdown::Write, code);
            self.end = Some(Ok(()));
            return Ok(false);
        }
        // With the last of it goes our FIN. Alone, it takes a frame of its own.
        let is_last = self.is_finished && self.trailers.is_none();
        let mut is_ended = false;
        if let Some(head) = &self.head {
            is_ended = is_last && self.data.is_empty();
            http.send_response_with_priority(quic, id, head, &IN_TURN, is_ended)?;
            self.head = None;
        }
        if !self.data.is_empty() {
            let (part, rest) = self.data.split_at(self.data.len().min(TURN));
            is_ended = is_last && rest.is_empty();
            let length = part.len();
            let sent = http.send_body(quic, id, part, is_ended)?;
            self.data.advance(sent);
            if sent < length {
                return Ok(false);
            }
            if !self.data.is_empty() {
                return Ok(true);
            }
            // A tunnel that waits holds no memory.
            self.data = BytesMut::new();
        }
        if let Some(trailers) = &self.trailers {
            http.send_additional_headers_with_priority(quic, id, trailers, &IN_TURN, true, true)?;
            (self.trailers, is_ended) = (None, true);
        } else if is_last && !is_ended {
            http.send_body(quic, id, &[], true)?;
            is_ended = true;
        }
        if is_ended {
            self.end = Some(Ok(()));
        }
        Ok(false)
    }
}

/// All streams alike, a piece of each (RFC 9218 4.2).
const IN_TURN: h3::Priority = h3::Priority::new(3, true);
/// How much one is sent of before the next.
const TURN: usize = 16 << 10;
/// How much is received at a time, where it is there.
const MOST: usize = 32 << 10;
/// For how much there is always room.
const LEAST: usize = 1 << 10;
