//! `UpgradeError`: why no connection was handed over.

use std::{error::Error, fmt};

use crate::observe::Cause;

/// Why awaiting an [`OnUpgrade`](crate::OnUpgrade), or the [`Pending`](crate::Pending) of a plain CONNECT,
/// yielded no connection.
#[derive(Debug)]
pub struct UpgradeError {
    kind: Kind,
    source: Option<Box<dyn Error + Send + Sync>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Declined,
    Refused,
    Canceled,
    Taken,
    Connection,
    TimedOut,
    Drained,
}

impl UpgradeError {
    pub(crate) const fn new(kind: Kind) -> Self {
        Self { kind, source: None }
    }

    /// The guard of the connection was closed before it was handed over.
    pub(super) const fn closed(cause: Cause) -> Self {
        Self::new(match cause {
            Cause::Expired(_) => Kind::TimedOut,
            Cause::Drained => Kind::Drained,
            _ => Kind::Canceled,
        })
    }

    pub(crate) fn connection(source: Box<dyn Error + Send + Sync>) -> Self {
        Self {
            kind: Kind::Connection,
            source: Some(source),
        }
    }

    /// Returns whether the service answered the request otherwise than by accepting.
    #[must_use]
    pub fn is_declined(&self) -> bool {
        self.kind == Kind::Declined
    }

    /// Returns whether the service accepted in a way the layer could not let through, and was
    /// answered for with a 500: it named another protocol, or left the request's content unread.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.kind == Kind::Refused
    }

    /// Returns whether the request ended before it was answered: the client went away, a timeout
    /// around the layer struck, or the service failed.
    #[must_use]
    pub fn is_canceled(&self) -> bool {
        self.kind == Kind::Canceled
    }

    /// Returns whether the connection was already given to somebody else, or to this very future,
    /// which was polled again after it was done.
    #[must_use]
    pub fn is_taken(&self) -> bool {
        self.kind == Kind::Taken
    }

    /// Returns whether the answer was accepted and the server then did not hand the connection
    /// over: it was lost, or the server does no upgrades. The source says which.
    #[must_use]
    pub fn is_connection(&self) -> bool {
        self.kind == Kind::Connection
    }

    /// Returns whether the answer was accepted and the connection did not come in time, see
    /// [`UpgradeLayer::hand_over_timeout`](crate::UpgradeLayer::hand_over_timeout).
    #[must_use]
    pub fn is_timed_out(&self) -> bool {
        self.kind == Kind::TimedOut
    }

    /// Returns whether the deadline of a [`Drain`](crate::Drain) struck before the connection came.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.kind == Kind::Drained
    }
}

impl fmt::Display for UpgradeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Declined => "the service declined the upgrade",
            Kind::Refused => "the service accepted in a way that was not let through",
            Kind::Canceled => "the request ended before it was answered",
            Kind::Taken => "the connection was already taken",
            Kind::Connection => "the server did not hand the connection over",
            Kind::TimedOut => "the server did not hand the connection over in time",
            Kind::Drained => "the deadline of a drain struck before the connection was handed over",
        })
    }
}

impl Error for UpgradeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
