//! `Fault`: why there is no answer.

use std::{fmt, io, time::Duration};

use tokio::time::timeout;

use crate::text::{beginning, printable, shorten};

/// What kept an exchange from its end.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Nothing came in time.
    Silent(Duration),
    /// An answer began, and did not end in time.
    Slow(Duration),
    /// The connection ended.
    Closed,
    /// What came is no HTTP/1.1.
    NotHttp(Vec<u8>),
    /// It came, and would not end.
    TooLong,
    Io(io::Error),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent(patience) => write!(f, "nothing came in {} s", patience.as_secs_f32()),
            Self::Slow(patience) => {
                let seconds = patience.as_secs_f32();
                write!(f, "an answer began, and did not end in {seconds} s")
            }
            Self::Closed => f.write_str("the connection was closed without an answer"),
            Self::NotHttp(bytes) => write!(f, "not HTTP/1.1: \"{}\"", beginning(bytes)),
            Self::TooLong => f.write_str("a head that does not end"),
            Self::Io(error) => f.write_str(&shorten(&printable(error.to_string().as_bytes()), 160)),
        }
    }
}

/// Awaits no longer than this.
pub(crate) async fn within<T, E: Into<Fault>>(
    patience: Duration,
    future: impl Future<Output = Result<T, E>>,
) -> Result<T, Fault> {
    match timeout(patience, future).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(Fault::Silent(patience)),
    }
}
