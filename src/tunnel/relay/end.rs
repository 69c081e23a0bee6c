//! `End`: one of the two connections of a relay.

use std::{
    io,
    task::{Context, Poll},
};

use super::tcp::Tcp;
use crate::{
    lifetime::Direction,
    upgrade::{Io, Upgraded},
};

/// A connection, read from and written to under its guard, if it has one.
pub(super) trait End {
    /// Lets `operate` move bytes; it yields how many, or `None` where that is no matter.
    fn operate(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        operate: impl FnOnce(&mut Io, &mut Context<'_>) -> Poll<io::Result<Option<usize>>>,
    ) -> Poll<io::Result<usize>>;

    fn peek(&self, look: impl FnOnce(&Io) -> bool) -> bool;

    /// Whether it is a TCP socket that nothing was read ahead of.
    fn is_tcp(&self) -> bool {
        self.peek(|io| tcp(io).is_some())
    }

    /// Whether it failed, and nobody was told because nobody reads from it. Known of TCP alone.
    fn has_failed(&self) -> bool {
        let failed = |tcp: &Tcp| !matches!(tcp.socket().take_error(), Ok(None));
        self.peek(|io| io.inner().is_some_and(failed))
    }
}

impl End for Upgraded {
    fn operate(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        operate: impl FnOnce(&mut Io, &mut Context<'_>) -> Poll<io::Result<Option<usize>>>,
    ) -> Poll<io::Result<usize>> {
        Self::operate(self, cx, direction, operate)
    }

    fn peek(&self, look: impl FnOnce(&Io) -> bool) -> bool {
        Self::peek(self, look)
    }
}

impl End for Io {
    fn operate(
        &mut self,
        cx: &mut Context<'_>,
        _: Direction,
        operate: impl FnOnce(&mut Io, &mut Context<'_>) -> Poll<io::Result<Option<usize>>>,
    ) -> Poll<io::Result<usize>> {
        operate(self, cx).map_ok(Option::unwrap_or_default)
    }

    fn peek(&self, look: impl FnOnce(&Io) -> bool) -> bool {
        look(self)
    }
}

/// The socket of a connection, if that is what it is, and nothing was read ahead of it.
pub(super) fn tcp(io: &Io) -> Option<&Tcp> {
    io.inner::<Tcp>().filter(|tcp| tcp.is_bare())
}
