//! `Relay`: the future of two joined connections.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

use super::{
    end::End,
    pace::Speed,
    pump::{Pump, Unwanted},
    tcp::Tcp,
};
use crate::upgrade::{Io, Upgraded};

/// Moves bytes both ways until both directions have ended, the client's connection failed, or a clock or a
/// drain closed it.
pub(in crate::tunnel) struct Relay {
    client: Upgraded,
    upstream: Io,
    up: Pump,
    down: Pump,
    watch: Watch,
}

impl Relay {
    pub(in crate::tunnel) fn new(client: Upgraded, upstream: Io, top: Speed) -> Self {
        Self {
            client: client.rewrap(Tcp::new),
            upstream: upstream.rewrap(Tcp::new),
            // What upstream answered before it went must reach the client; a client that is gone has nothing
            // more to say.
            up: Pump::new(top, Unwanted::Discarded),
            down: Pump::new(top, Unwanted::Left),
            watch: Watch::default(),
        }
    }

    /// Whether what neither reads nor writes can see is the end.
    fn poll_watch(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let is_over = self.up.is_over() && self.down.is_over();
        let is_blocked = self.up.is_blocked() || self.down.is_blocked();
        if !is_over && !is_blocked {
            // An armed clock is left alone: it may be needed again before it strikes.
            return Poll::Pending;
        }
        while self.watch.poll_strike(cx).is_ready() {
            // Whoever is slow, and still reads, gets all that came before the failure.
            let moves = self.up.take_written() | self.down.take_written();
            if !moves && (self.client.has_failed() || self.upstream.has_failed()) {
                return Poll::Ready(());
            }
            let has_lingered = std::mem::replace(&mut self.watch.lingers, is_over);
            if has_lingered && is_over {
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl Future for Relay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.client.poll_closed(cx).is_ready() {
            return Poll::Ready(());
        }
        // One buffer does for both, and goes back to the thread when this returns.
        let mut spare = None;
        let (client, upstream) = (&mut this.client, &mut this.upstream);
        let up = this.up.poll(cx, client, upstream, &mut spare);
        let down = this.down.poll(cx, upstream, client, &mut spare);
        match (up, down) {
            // The client is gone, and what is left has nobody to go to.
            (Poll::Ready(Err(_)), _) => Poll::Ready(()),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(()),
            // The upstream is gone, and the client has yet to read what it answered.
            (_, Poll::Ready(Err(_))) => {
                this.up.give_up();
                this.down.end_of_stream();
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            _ => this.poll_watch(cx),
        }
    }
}

/// A clock for what wakes nobody: a connection that fails while it is not read from, and one whose peer
/// goes on sending what nobody takes.
#[derive(Default)]
struct Watch {
    clock: Option<Pin<Box<Sleep>>>,
    /// Nothing was passed on any more when it last struck.
    lingers: bool,
}

impl Watch {
    fn poll_strike(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep(PERIOD)));
        let struck = clock.as_mut().poll(cx);
        if struck.is_ready() {
            clock.as_mut().reset(Instant::now() + PERIOD);
        }
        struck
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}

/// How often it is looked; what lingers ends after twice as long at most.
const PERIOD: Duration = Duration::from_secs(5);
