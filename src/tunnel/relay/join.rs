//! `Relay`: the future of two joined connections.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::{pump::Pump, tcp::Tcp};
use crate::upgrade::{Io, Upgraded};

/// Moves bytes both ways until both directions have ended, one connection failed, or a clock or a drain
/// closed the client's.
pub(in crate::tunnel) struct Relay {
    client: Upgraded,
    upstream: Io,
    up: Pump,
    down: Pump,
}

impl Relay {
    pub(in crate::tunnel) fn new(client: Upgraded, upstream: Io) -> Self {
        Self {
            client: client.rewrap(Tcp::new),
            upstream: upstream.rewrap(Tcp::new),
            up: Pump::new(),
            down: Pump::new(),
        }
    }
}

impl Future for Relay {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.client.poll_closed(cx).is_ready() {
            return Poll::Ready(());
        }
        let up = this.up.poll(cx, &mut this.client, &mut this.upstream);
        let down = this.down.poll(cx, &mut this.upstream, &mut this.client);
        match (up, down) {
            // What is left of the other direction has nobody to go to.
            (Poll::Ready(Err(_)), _) | (_, Poll::Ready(Err(_))) => Poll::Ready(()),
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").finish_non_exhaustive()
    }
}
