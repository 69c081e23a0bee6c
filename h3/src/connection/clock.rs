//! What a connection does by the clock: it finds out who is gone, and what nobody needs.

use std::{
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::{Sleep, sleep_until};
use tokio_quiche::{quic::QuicheConnection, quiche::Shutdown};

use super::Connection;
use crate::{app::App, code, fault::Fault, settings::Settings};

pub(super) struct Clock {
    /// Between two ticks while all goes well.
    calm: Duration,
    due: Instant,
    /// Made when it is first waited for, in the runtime of the connection.
    next: Option<Pin<Box<Sleep>>>,
    asked: Instant,
    idle_since: Option<Instant>,
}

impl Clock {
    pub(super) fn new(settings: &Settings) -> Self {
        let (calm, now) = (settings.tick(), Instant::now());
        Self {
            calm,
            due: now + calm,
            next: None,
            asked: now,
            idle_since: None,
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.due <= Instant::now()
    }

    /// Ticks sooner: there is somebody to wait for.
    pub(super) fn hurry(&mut self) {
        let soon = Instant::now() + HURRIED;
        if soon < self.due {
            self.set(soon);
        }
    }

    fn set(&mut self, due: Instant) {
        self.due = due;
        self.next = None;
    }

    pub(super) const fn is_idle_since(&mut self, since: Option<Instant>) {
        self.idle_since = since;
    }

    /// Waits for the next tick. It may be dropped and called again.
    pub(super) async fn tick(&mut self) {
        let due = self.due;
        let next = self
            .next
            .get_or_insert_with(|| Box::pin(sleep_until(due.into())));
        next.as_mut().await;
    }
}

impl<A: App> Connection<A> {
    pub(super) fn on_tick(&mut self, quic: &mut QuicheConnection) {
        self.clock.set(Instant::now() + self.clock.calm);
        if self.clock.asked.elapsed() >= self.clock.calm {
            self.clock.asked = Instant::now();
            // A client that is there answers, and so is not silent for as long as its tunnels may be.
            let _ = quic.send_ack_eliciting();
        }
        self.give_up_forsaken(quic);
        if self.stop_unwanted(quic) || self.leaving.has_begun() {
            self.clock.hurry();
        }
        self.look_whether_idle();
    }

    fn look_whether_idle(&mut self) {
        if !self.streams.is_empty() {
            return self.clock.is_idle_since(None);
        }
        let since = *self.clock.idle_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= self.shared.settings.idle_timeout {
            self.leaving.begin();
        }
    }

    /// Resets what was written by somebody who left, to a client that does not read it.
    fn give_up_forsaken(&mut self, quic: &mut QuicheConnection) {
        for (&id, entry) in &mut self.streams {
            let left = match entry.stream.unsent() {
                Some(left) if Arc::strong_count(&entry.stream) == 1 => left,
                _ => continue,
            };
            match entry.forsaken {
                Some((since, before)) if before == left => {
                    if since.elapsed() < LINGER {
                        continue;
                    }
                    let _ = quic.stream_shutdown(id, Shutdown::Write, code::REQUEST_CANCELLED);
                    entry.stream.fail(Fault::Closed);
                    self.woken.push_back(id);
                }
                _ => entry.forsaken = Some((Instant::now(), left)),
            }
        }
    }
}

/// How long the last of what was written may wait for a client that reads none of it.
const LINGER: Duration = Duration::from_secs(60);
/// Between two ticks while there is somebody to wait for.
const HURRIED: Duration = Duration::from_millis(300);
