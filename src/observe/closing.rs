//! `Closing`: how a connection ended.

use std::{error::Error, fmt, io, time::Duration};

/// How an upgraded connection ended.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Closing {
    /// Why.
    pub cause: Cause,
    /// The time since it was accepted.
    pub duration: Duration,
    /// Bytes that were read from the peer.
    pub received: u64,
    /// Bytes that were written to the peer.
    pub sent: u64,
}

/// Why an upgraded connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// Whoever held it let go of it.
    Dropped,
    /// The peer ended its half, and then whoever held it let go of it.
    PeerEnded,
    /// Reading or writing failed, last with an error of this kind.
    Failed(io::ErrorKind),
    /// A clock ran out.
    Expired(Clock),
    /// The deadline of a [`Drain`](crate::Drain) struck.
    Drained,
    /// The handler panicked.
    Panicked,
    /// It was accepted and never handed over: it was lost before, or nobody awaited it.
    NotHandedOver,
}

/// A clock of an upgraded connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Clock {
    /// From the acceptance until the connection is handed over.
    HandOver,
    /// From then until the first byte of the peer.
    FirstByte,
    /// While no byte goes either way.
    Idle,
    /// As long as a connection may live at all.
    Lifetime,
}

impl Cause {
    /// Returns why the layer closed the connection, if an error of its I/O says so.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io;
    /// use tower_upgrade::observe::{Cause, Clock};
    ///
    /// fn is_idle(error: &io::Error) -> bool {
    ///     Cause::of(error) == Some(Cause::Expired(Clock::Idle))
    /// }
    /// # assert!(!is_idle(&io::ErrorKind::TimedOut.into()));
    /// ```
    #[must_use]
    pub fn of(error: &io::Error) -> Option<Self> {
        let closed = error.get_ref()?.downcast_ref::<Closed>()?;
        Some(closed.0)
    }

    /// Returns a name in lower case with hyphens, fit for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::PeerEnded => "peer-ended",
            Self::Failed(_) => "failed",
            Self::Expired(clock) => clock.as_str(),
            Self::Drained => "drained",
            Self::Panicked => "panicked",
            Self::NotHandedOver => "not-handed-over",
        }
    }

    /// The error that reads and writes of a connection end with that was closed for this.
    pub(crate) fn to_error(self) -> io::Error {
        let kind = match self {
            Self::Expired(_) => io::ErrorKind::TimedOut,
            Self::Drained => io::ErrorKind::ConnectionAborted,
            _ => io::ErrorKind::NotConnected,
        };
        io::Error::new(kind, Closed(self))
    }
}

impl Clock {
    /// Returns a name in lower case with hyphens, fit for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HandOver => "hand-over-timeout",
            Self::FirstByte => "first-byte-timeout",
            Self::Idle => "idle-timeout",
            Self::Lifetime => "max-lifetime",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What an I/O error of a connection holds that the layer closed.
#[derive(Debug)]
struct Closed(Cause);

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Cause::Expired(Clock::HandOver) => "the connection was not handed over in time",
            Cause::Expired(Clock::FirstByte) => "the peer sent no first byte in time",
            Cause::Expired(Clock::Idle) => "the connection was idle for too long",
            Cause::Expired(Clock::Lifetime) => "the connection lived for as long as it may",
            Cause::Drained => "the connection was closed at the deadline of a drain",
            _ => "the connection is closed",
        })
    }
}

impl Error for Closed {}
