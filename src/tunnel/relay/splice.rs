//! `Pipe`: bytes from socket to socket within the kernel, by `splice(2)`.

use std::{
    cell::RefCell,
    io,
    os::fd::OwnedFd,
    task::{Context, Poll, ready},
};

use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};
use tokio::io::Interest;

use super::tcp::Tcp;

/// A pipe that bytes go through on their way, and how many are in it.
#[derive(Debug)]
pub(super) struct Pipe {
    ends: Option<Ends>,
    length: usize,
}

#[derive(Debug)]
struct Ends {
    read: OwnedFd,
    write: OwnedFd,
}

impl Pipe {
    /// Takes a pipe of the thread's, or makes one; `None` where no more can be had.
    pub(super) fn take() -> Option<Self> {
        let kept = PIPES.try_with(|pipes| pipes.borrow_mut().pop());
        let ends = kept.ok().flatten().or_else(|| Ends::new().ok())?;
        Some(Self {
            ends: Some(ends),
            length: 0,
        })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Moves what a socket has into the pipe, which must be empty; 0 is the socket's end.
    pub(super) fn poll_fill(
        &mut self,
        from: &Tcp,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let Some(ends) = &self.ends else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let socket = from.socket();
        loop {
            ready!(socket.poll_read_ready(cx))?;
            let moved = socket.try_io(Interest::READABLE, || move_bytes(socket, &ends.write, SIZE));
            match moved {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(moved) => {
                    self.length = moved;
                    return Poll::Ready(Ok(moved));
                }
            }
        }
    }

    /// Moves what is in the pipe to a socket, or a part of it.
    pub(super) fn poll_drain(&mut self, to: &Tcp, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(ends) = &self.ends else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        let socket = to.socket();
        loop {
            ready!(socket.poll_write_ready(cx))?;
            let moved = socket.try_io(Interest::WRITABLE, || {
                move_bytes(&ends.read, socket, self.length)
            });
            match moved {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(0) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Ok(moved) => {
                    self.length = self.length.saturating_sub(moved);
                    return Poll::Ready(Ok(moved));
                }
            }
        }
    }
}

fn move_bytes(
    from: impl std::os::fd::AsFd,
    to: impl std::os::fd::AsFd,
    length: usize,
) -> io::Result<usize> {
    let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
    Ok(splice(from, None, to, None, length, flags)?)
}

impl Ends {
    fn new() -> io::Result<Self> {
        let (read, write) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        // A smaller one will do where no more is allowed.
        let _ = fcntl_setpipe_size(&write, SIZE);
        Ok(Self { read, write })
    }
}

/// An empty pipe is of use to the next; one with bytes of a connection in it is not.
impl Drop for Pipe {
    fn drop(&mut self) {
        let Some(ends) = self.ends.take().filter(|_| self.is_empty()) else {
            return;
        };
        let _ = PIPES.try_with(|pipes| {
            let mut pipes = pipes.borrow_mut();
            if pipes.len() < KEPT {
                pipes.push(ends);
            }
        });
    }
}

thread_local! {
    static PIPES: RefCell<Vec<Ends>> = const { RefCell::new(Vec::new()) };
}

/// How much a pipe is asked to hold.
const SIZE: usize = 1 << 20;
/// Pipes that a thread keeps when nobody needs them.
const KEPT: usize = 4;
