//! `Pump`: one direction of a relay.
//!
//! ```text
//! Moving ──end of stream──▶ Ending ──other side told──▶ Ended
//!    └─ no more is taken ─▶ Discarding ──end of stream────┘
//! ```

use std::{
    io, mem,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    end::{End, tcp},
    pace::{Pace, Speed},
    scratch::{Scratch, Size},
    splice::Pipe,
};
use crate::lifetime::Direction;

/// Moves bytes from one connection to another.
#[derive(Debug)]
pub(super) struct Pump {
    stage: Stage,
    held: Held,
    pace: Pace,
    is_unflushed: bool,
    /// Something was written since this was last asked.
    has_written: bool,
    unwanted: Unwanted,
}

/// What becomes of bytes that the other side does not take any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unwanted {
    /// They are discarded for a while, for their sender has been sent something that it may not have yet.
    Discarded,
    /// They are left where they are, and their sender is told so by the end of its connection.
    Left,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Moving,
    Ending,
    /// A socket that is closed with bytes in it resets its connection, and what was sent to the peer just
    /// before may be lost to that. So they are read, so many at most, and go nowhere.
    Discarding {
        left: usize,
    },
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
    /// The connection that is read from failed, and all that came before was passed on.
    Failed(io::Error),
    /// The connection that is written to takes no more.
    Unwanted,
}

impl Pump {
    /// `top` is how fast it may become.
    pub(super) const fn new(top: Speed, unwanted: Unwanted) -> Self {
        Self {
            stage: Stage::Moving,
            held: Held::Nothing,
            pace: Pace::new(top),
            is_unflushed: false,
            has_written: false,
            unwanted,
        }
    }

    /// Whether nothing that is read is passed on any more.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Discarding { .. } | Stage::Ended)
    }

    pub(super) const fn take_written(&mut self) -> bool {
        mem::replace(&mut self.has_written, false)
    }

    /// What is read from has failed: that was all of it.
    pub(super) fn end_of_stream(&mut self) {
        if !self.is_over() {
            self.stage = Stage::Ending;
        }
    }

    /// What is written to has failed, and takes nothing more.
    pub(super) fn give_up(&mut self) {
        if !self.is_over() {
            self.held = Held::Nothing;
            self.stage = match self.unwanted {
                Unwanted::Discarded => Stage::Discarding { left: DISCARDED },
                Unwanted::Left => Stage::Ended,
            };
        }
    }

    /// Whether it reads nothing because the other side takes nothing.
    pub(super) const fn is_blocked(&self) -> bool {
        matches!(self.held, Held::Bytes(..) | Held::Pipe(_))
    }

    /// Moves what can be moved; ready when this direction has ended.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl End,
        to: &mut impl End,
        spare: &mut Option<Scratch>,
    ) -> Poll<io::Result<()>> {
        // Bounded, so that two fast peers keep no others of this thread waiting.
        for _ in 0..ROUNDS {
            let halted = match self.stage {
                Stage::Moving => self.step(cx, from, to, spare),
                Stage::Ending => self.end(cx, to),
                Stage::Discarding { left } => self.discard(cx, from, left, spare),
                Stage::Ended => return Poll::Ready(Ok(())),
            };
            match halted {
                Ok(()) => {}
                Err(Halt::Waiting) => return Poll::Pending,
                Err(Halt::Failed(error)) => return Poll::Ready(Err(error)),
                Err(Halt::Unwanted) => self.give_up(),
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
        spare: &mut Option<Scratch>,
    ) -> Result<(), Halt> {
        self.write(cx, to, spare)?;
        let read = match self.pace.speed() {
            Speed::Slow => self.read(cx, from, Size::Small, spare),
            Speed::Steady if from.is_tcp() && to.is_tcp() => self.fill(cx, from),
            Speed::Fast | Speed::Steady => self.read(cx, from, Size::Large, spare),
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

    fn write(
        &mut self,
        cx: &mut Context<'_>,
        to: &mut impl End,
        spare: &mut Option<Scratch>,
    ) -> Result<(), Halt> {
        loop {
            let written = match &mut self.held {
                Held::Nothing => return Ok(()),
                Held::Pipe(pipe) if pipe.is_empty() => return Ok(()),
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
                Poll::Ready(Ok(1..)) => {
                    self.is_unflushed = true;
                    self.has_written = true;
                }
                Poll::Ready(Ok(0) | Err(_)) => return Err(Halt::Unwanted),
                Poll::Pending => return Err(Halt::Waiting),
            }
            self.held = match mem::replace(&mut self.held, Held::Nothing) {
                Held::Bytes(scratch, range) if range.start >= range.end => {
                    *spare = Some(scratch);
                    Held::Nothing
                }
                held => held,
            };
        }
    }

    fn read(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl End,
        size: Size,
        spare: &mut Option<Scratch>,
    ) -> Poll<io::Result<usize>> {
        let kept = spare.take().filter(|spare| spare.size() == size);
        let mut scratch = kept.unwrap_or_else(|| Scratch::take(size));
        match read_into(&mut scratch, cx, from) {
            Poll::Ready(Ok(length @ 1..)) => {
                self.held = Held::Bytes(scratch, 0..length);
                Poll::Ready(Ok(length))
            }
            nothing => {
                *spare = Some(scratch);
                nothing
            }
        }
    }

    fn discard(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut impl End,
        left: usize,
        spare: &mut Option<Scratch>,
    ) -> Result<(), Halt> {
        if left == 0 {
            // The relay's clock ends it.
            return Err(Halt::Waiting);
        }
        let scratch = spare.get_or_insert_with(|| Scratch::take(Size::Small));
        match read_into(scratch, cx, from) {
            Poll::Ready(Ok(0)) => {
                self.stage = Stage::Ended;
                Ok(())
            }
            Poll::Ready(Ok(length)) => {
                let left = left.saturating_sub(length);
                self.stage = Stage::Discarding { left };
                Ok(())
            }
            Poll::Ready(Err(error)) => Err(Halt::Failed(error)),
            Poll::Pending => Err(Halt::Waiting),
        }
    }

    fn fill(&mut self, cx: &mut Context<'_>, from: &mut impl End) -> Poll<io::Result<usize>> {
        if !matches!(self.held, Held::Pipe(_)) {
            self.held = Pipe::take().map_or(Held::Nothing, Held::Pipe);
        }
        let Held::Pipe(pipe) = &mut self.held else {
            return self.slow_down(cx);
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
            self.slow_down(cx)
        }
    }

    /// The kernel cannot do it alone: the next round reads.
    fn slow_down(&mut self, cx: &Context<'_>) -> Poll<io::Result<usize>> {
        self.pace.limit();
        cx.waker().wake_by_ref();
        Poll::Pending
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

fn read_into(
    scratch: &mut Scratch,
    cx: &mut Context<'_>,
    from: &mut impl End,
) -> Poll<io::Result<usize>> {
    let room = scratch.as_mut();
    from.operate(cx, Direction::Read, |io, cx| {
        let mut room = ReadBuf::new(room);
        ready!(Pin::new(io).poll_read(cx, &mut room))?;
        Poll::Ready(Ok(Some(room.filled().len())))
    })
}

/// How much is read that goes nowhere.
const DISCARDED: usize = 1 << 20;
/// How many reads, each with a write, a direction may do before others have their turn. Both directions, with
/// what else a poll does, must stay below the 128 operations that tokio allows a task at a time, or the first
/// would leave none to the second.
const ROUNDS: usize = 24;
