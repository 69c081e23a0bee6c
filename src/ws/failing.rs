//! How a connection is failed: the code by the error, and the time for the peer to read it
//! ([RFC 6455 sections 7.1.7 and 7.4.1](https://www.rfc-editor.org/rfc/rfc6455.html#section-7.1.7)).

use std::{
    error::Error as StdError,
    future::poll_fn,
    io,
    mem::MaybeUninit,
    pin::Pin,
    str::Utf8Error,
    task::{Context, Poll, ready},
    time::Duration,
};

use ::axum::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::coop::poll_proceed,
    time::timeout,
};
use tokio_tungstenite::tungstenite::{Error as Failure, error::ProtocolError};

use super::{
    close_code,
    connection::Connection,
    heartbeat::DeadPeer,
    message::{CloseCode, CloseFrame},
    utf8::Utf8Bytes,
    wire::Wire,
};

/// How long a peer may take to read a close and to end.
const LINGER: Duration = Duration::from_secs(10);
/// How long the reason of a close may be, in bytes (RFC 6455 5.5).
const LONGEST_REASON: usize = 123;

/// What a peer is told of an error; `None` if there is nobody to tell.
pub(super) fn told_of(error: &Error) -> Option<CloseFrame> {
    let source = error.source()?;
    let reason = if let Some(failure) = source.downcast_ref() {
        told_of_failure(failure)
    } else if source.is::<DeadPeer>() {
        None
    } else if source.is::<Utf8Error>() {
        Some((close_code::INVALID, NOT_UTF8.into()))
    } else {
        Some((close_code::ERROR, String::new()))
    };
    let (code, reason) = reason?;
    let reason = reason.into();
    Some(CloseFrame { code, reason })
}

/// The same of the engine's. The words of one about text hold what the peer sent.
fn told_of_failure(failure: &Failure) -> Option<(CloseCode, String)> {
    match failure {
        Failure::Io(_) | Failure::ConnectionClosed | Failure::AlreadyClosed => None,
        Failure::Protocol(ProtocolError::ResetWithoutClosingHandshake) => None,
        Failure::Protocol(broken) => Some((close_code::PROTOCOL, broken.to_string())),
        Failure::Utf8(_) => Some((close_code::INVALID, NOT_UTF8.into())),
        Failure::Capacity(_) => Some((close_code::SIZE, "a message is too large".into())),
        _ => Some((close_code::ERROR, String::new())),
    }
}

const NOT_UTF8: &str = "text is not UTF-8";

/// Says goodbye, ends our half, and waits for the peer's end, for so long as is allowed.
pub(super) async fn linger(connection: &mut Connection, mut frame: CloseFrame) {
    frame.reason = cut(frame.reason);
    connection.hear_no_more();
    // However it went, nothing is left to be done.
    let _ = timeout(LINGER, part(connection, Some(frame))).await;
}

async fn part(connection: &mut Connection, mut frame: Option<CloseFrame>) -> Result<(), Failure> {
    let mut rest = Rest::default();
    // Written first in each turn: a peer that sends without end leaves nothing of it to the other.
    poll_fn(|cx| {
        let told = connection.poll_tell(&mut frame, cx);
        let _ = rest.poll(connection.wire(), cx)?;
        told
    })
    .await?;
    let wire = connection.wire();
    poll_fn(|cx| {
        let ended = Pin::new(&mut *wire).poll_shutdown(cx);
        let _ = rest.poll(wire, cx)?;
        ended
    })
    .await?;
    Ok(poll_fn(|cx| rest.poll(wire, cx)).await?)
}

/// What a peer still sends, which is thrown away: one that reads only when it has sent all would
/// otherwise never come to it, and a connection closed with bytes unread is reset.
#[derive(Default)]
struct Rest {
    has_ended: bool,
}

impl Rest {
    /// Is ready at the peer's end.
    fn poll(&mut self, wire: &mut Wire, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.has_ended {
            // Not every I/O leaves the other tasks, and the clock, their turn.
            let turn = ready!(poll_proceed(cx));
            let mut room = [MaybeUninit::uninit(); CHUNK];
            let mut read = ReadBuf::uninit(&mut room);
            ready!(Pin::new(&mut *wire).poll_read(cx, &mut read))?;
            turn.made_progress();
            self.has_ended = read.filled().is_empty();
        }
        Poll::Ready(Ok(()))
    }
}

const CHUNK: usize = 8 << 10;

/// A longer reason would break the protocol.
fn cut(reason: Utf8Bytes) -> Utf8Bytes {
    if reason.len() <= LONGEST_REASON {
        return reason;
    }
    let mut ends = (0..=LONGEST_REASON).rev();
    let end = ends.find(|end| reason.is_char_boundary(*end));
    let kept = end.and_then(|end| reason.get(..end));
    kept.unwrap_or_default().into()
}
