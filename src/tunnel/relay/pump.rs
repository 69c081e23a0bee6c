//! `Pump`: one direction of a relay.
//!
//! ```text
//! Moving ──end of stream──▶ Ending ──other side told──▶ Ended
//!    └────────── nobody takes any more ────────────────────┘
//! ```

use std::{
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    pace::{Pace, Speed},
    scratch::{Scratch, Size},
    splice::Pipe,
    tcp::Tcp,
};
use crate::{
    lifetime::Direction,
    upgrade::{Io, Upgraded},
};

/// Moves bytes from one connection to another.
#[derive(Debug)]
pub(super) struct Pump {
    stage: Stage,
    held: Held,
    pace: Pace,
    is_unflushed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Moving,
    Ending,
    Ended,
}

/// What was read and could not be written yet.
#[derive(Debug)]
enum Held {
    Nothing,
    Bytes(Scratch, Range<usize>),
    Pipe(Pipe),
}

/// Why a pump stands still.
enum Halt {
    /// Until it is woken.
    Waiting,
    /// The connection that is read from failed, and with it the whole relay.
    Failed(io::Error),
    /// The connection that is written to takes no more.
    Unwanted,
}

/// An end of a relay, which reads and writes are done with under its guard, if it has one.
pub(super) trait End {
    fn operate(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
        operate: impl FnOnce(&mut Io, &mut Context<'_>) -> Poll<io::Result<Option<usize>>>,
    ) -> Poll<io::Result<usize>>;

    /// Whether it is a TCP socket that nothing was read ahead of.
    fn is_tcp(&self) -> bool;
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

    fn is_tcp(&self) -> bool {
        self.peek(|io| tcp(io).is_some())
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

    fn is_tcp(&self) -> bool {
        tcp(self).is_some()
    }
}

impl Pump {
    pub(super) const fn new() -> Self {
        Self {
            stage: Stage::Moving,
            held: Held::Nothing,
            pace: Pace::new(),
            is_unflushed: false,
        }
    }

    /// Moves what can be moved; ready when this direction has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl End,
        to: &mut impl End,
    ) -> Poll<io::Result<()>> {
        // Bounded, so that two fast peers keep no others of this thread waiting.
        for _ in 0..ROUNDS {
            let halted = match self.stage {
                Stage::Moving => self.step(cx, from, to),
                Stage::Ending => self.end(cx, to),
                Stage::Ended => return Poll::Ready(Ok(())),
            };
            match halted {
                Ok(()) => {}
                Err(Halt::Waiting) => return Poll::Pending,
                Err(Halt::Failed(error)) => return Poll::Ready(Err(error)),
                Err(Halt::Unwanted) => {
                    self.held = Held::Nothing;
                    self.stage = Stage::Ended;
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Writes what is held, and reads when that is nothing.
    fn step(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl End,
        to: &mut impl End,
    ) -> Result<(), Halt> {
        self.write(cx, to)?;
        let read = match self.pace.speed() {
            Speed::Slow => self.read(cx, from, Size::Small),
            Speed::Steady if from.is_tcp() && to.is_tcp() => self.fill(cx, from),
            Speed::Fast | Speed::Steady => self.read(cx, from, Size::Large),
        };
        match read {
            Poll::Ready(Ok(0)) => {
                self.held = Held::Nothing;
                self.stage = Stage::Ending;
                Ok(())
            }
            Poll::Ready(Ok(length)) => {
                self.pace.count(length);
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(Halt::Failed(error)),
            Poll::Pending => self.rest(cx, to),
        }
    }

    fn write(&mut self, cx: &mut Context<'_>, to: &mut impl End) -> Result<(), Halt> {
        loop {
            let written = match &mut self.held {
                Held::Nothing => return Ok(()),
                Held::Pipe(pipe) if pipe.is_empty() => return Ok(()),
                Held::Bytes(_, range) if range.start >= range.end => {
                    self.held = Held::Nothing;
                    return Ok(());
                }
                Held::Pipe(pipe) => to.operate(cx, Direction::Write, |io, cx| match tcp(io) {
                    Some(to) => pipe.poll_drain(to, cx).map_ok(Some),
                    None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
                }),
                Held::Bytes(scratch, range) => {
                    let bytes = scratch.as_ref().get(range.clone()).unwrap_or_default();
                    let written = to.operate(cx, Direction::Write, |io, cx| {
                        Pin::new(io).poll_write(cx, bytes).map_ok(Some)
                    });
                    if let Poll::Ready(Ok(length)) = written {
                        range.start += length;
                    }
                    written
                }
            };
            match written {
                Poll::Ready(Ok(1..)) => self.is_unflushed = true,
                Poll::Ready(Ok(0) | Err(_)) => return Err(Halt::Unwanted),
                Poll::Pending => return Err(Halt::Waiting),
            }
        }
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl End,
        size: Size,
    ) -> Poll<io::Result<usize>> {
        let mut scratch = Scratch::take(size);
        let room = scratch.as_mut();
        let length = ready!(from.operate(cx, Direction::Read, |io, cx| {
            let mut room = ReadBuf::new(room);
            ready!(Pin::new(io).poll_read(cx, &mut room))?;
            Poll::Ready(Ok(Some(room.filled().len())))
        }))?;
        self.held = Held::Bytes(scratch, 0..length);
        Poll::Ready(Ok(length))
    }

    fn fill(&mut self, cx: &mut Context<'_>, from: &mut impl End) -> Poll<io::Result<usize>> {
        if !matches!(self.held, Held::Pipe(_)) {
            self.held = Pipe::take().map_or(Held::Nothing, Held::Pipe);
        }
        let Held::Pipe(pipe) = &mut self.held else {
            return self.read_instead(cx, from);
        };
        let mut can_splice = true;
        let filled = from.operate(cx, Direction::Read, |io, cx| {
            let filled = match tcp(io) {
                Some(from) => pipe.poll_fill(from, cx),
                None => Poll::Ready(Err(io::ErrorKind::InvalidInput.into())),
            };
            can_splice = !is_impossible(&filled);
            if can_splice {
                filled.map_ok(Some)
            } else {
                Poll::Ready(Ok(None))
            }
        });
        if can_splice {
            filled
        } else {
            self.read_instead(cx, from)
        }
    }

    fn read_instead(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl End,
    ) -> Poll<io::Result<usize>> {
        self.pace.limit();
        self.read(cx, from, Size::Large)
    }

    /// Nothing comes: what was written goes out, and nothing is held meanwhile.
    fn rest(&mut self, cx: &mut Context<'_>, to: &mut impl End) -> Result<(), Halt> {
        self.held = Held::Nothing;
        if self.is_unflushed {
            let flushed = to.operate(cx, Direction::Write, |io, cx| {
                Pin::new(io).poll_flush(cx).map_ok(|()| None)
            });
            match flushed {
                Poll::Ready(Ok(_)) => self.is_unflushed = false,
                Poll::Ready(Err(_)) => return Err(Halt::Unwanted),
                Poll::Pending => {}
            }
        }
        Err(Halt::Waiting)
    }

    /// Tells the other side that no more comes, and ends whether that was heard or not.
    fn end(&mut self, cx: &mut Context<'_>, to: &mut impl End) -> Result<(), Halt> {
        let told = to.operate(cx, Direction::Write, |io, cx| {
            Pin::new(io).poll_shutdown(cx).map_ok(|()| None)
        });
        match told {
            Poll::Pending => Err(Halt::Waiting),
            Poll::Ready(_) => {
                self.stage = Stage::Ended;
                Ok(())
            }
        }
    }
}

/// Whether the kernel moves no bytes between such sockets.
fn is_impossible(filled: &Poll<io::Result<usize>>) -> bool {
    matches!(filled, Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::InvalidInput)
}

/// The socket of a connection, if that is what it is, and nothing was read ahead of it.
fn tcp(io: &Io) -> Option<&Tcp> {
    io.inner::<Tcp>().filter(|tcp| tcp.is_bare())
}

/// How many reads and writes a direction may do before others have their turn.
const ROUNDS: usize = 64;
