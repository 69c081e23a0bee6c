//! `Fault`: why a stream cannot be read or written any further.

use std::{error::Error, fmt, io};

use crate::code::Code;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    /// The client reset the stream.
    Reset,
    /// The client wants no more of it (STOP_SENDING).
    Stopped,
    /// Nothing was heard of the client for too long.
    TimedOut,
    /// The connection was closed, by either side.
    Closed,
    /// The client broke the protocol, for which the connection was closed with this code.
    Broken(Code),
}

impl From<Fault> for io::Error {
    fn from(fault: Fault) -> Self {
        let kind = match fault {
            Fault::Reset => io::ErrorKind::ConnectionReset,
            Fault::Stopped => io::ErrorKind::BrokenPipe,
            Fault::TimedOut => io::ErrorKind::TimedOut,
            Fault::Closed => io::ErrorKind::ConnectionAborted,
            Fault::Broken(_) => io::ErrorKind::InvalidData,
        };
        Self::new(kind, fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reset => f.write_str("the client reset the stream"),
            Self::Stopped => f.write_str("the client reads no more"),
            Self::TimedOut => f.write_str("the client is gone"),
            Self::Closed => f.write_str("the connection is closed"),
            Self::Broken(code) => write!(f, "the client broke the protocol ({code:#x})"),
        }
    }
}

impl Error for Fault {}
