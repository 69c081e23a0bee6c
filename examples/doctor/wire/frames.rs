//! `Frames`: the WebSocket after the handshake.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, sleep_until, timeout_at},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Bytes, Error, Message,
        error::ProtocolError,
        protocol::{Role, WebSocketConfig},
    },
};

use crate::text::beginning;

/// A client's end. What it reads is bounded, and thrown away.
pub(crate) struct Frames<I> {
    socket: WebSocketStream<I>,
}

/// What became of a ping.
#[derive(Debug)]
pub(crate) enum Ping {
    Answered,
    Silent,
    Ended(End),
}

/// How a WebSocket ended.
#[derive(Debug)]
pub(crate) enum End {
    /// By a close frame, with this code.
    Closed(Option<u16>),
    /// The connection was cut.
    Cut,
    /// By what is no frame.
    Broken(String),
}

/// What a server may send at most in one message, be it a greeting.
const LONGEST: usize = 1 << 20;
/// As much as a client would have to read before it saw its pong.
const MOST_MESSAGES: usize = 1000;

impl<I: AsyncRead + AsyncWrite + Unpin> Frames<I> {
    /// Begins with what was read behind the head.
    pub(crate) async fn new(io: I, read: Vec<u8>) -> Self {
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        let socket =
            WebSocketStream::from_partially_read(io, read, Role::Client, Some(config)).await;
        Self { socket }
    }

    /// Sends a ping, and waits for its answer.
    pub(crate) async fn ping(&mut self, payload: &'static str, patience: Duration) -> Ping {
        let ping = Message::Ping(Bytes::from_static(payload.as_bytes()));
        let deadline = Instant::now() + patience;
        match timeout_at(deadline, self.socket.send(ping)).await {
            Ok(Ok(())) => self.pong(payload, deadline).await,
            // Why it ended is read, not written.
            Ok(Err(error)) => match self.pong(payload, deadline).await {
                Ping::Ended(end) => Ping::Ended(end),
                _ => Ping::Ended(end(&error)),
            },
            Err(_) => Ping::Silent,
        }
    }

    /// Waits for the answer to a ping that was sent.
    pub(crate) async fn pong(&mut self, payload: &str, deadline: Instant) -> Ping {
        for _ in 0..MOST_MESSAGES {
            match timeout_at(deadline, self.next()).await {
                Ok(Ok(Message::Pong(pong))) if pong == payload.as_bytes() => return Ping::Answered,
                Ok(Ok(_)) => {}
                Ok(Err(end)) => return Ping::Ended(end),
                Err(_) => return Ping::Silent,
            }
        }
        Ping::Silent
    }

    /// Says nothing for so long; the end if it comes meanwhile, and else how often the server spoke.
    pub(crate) async fn idle(&mut self, time: Duration) -> Result<usize, End> {
        let deadline = sleep_until(Instant::now() + time);
        tokio::pin!(deadline);
        let mut heard = 0;
        loop {
            tokio::select! {
                () = &mut deadline => return Ok(heard),
                next = self.next() => next?,
            };
            heard += 1;
        }
    }

    /// Closes, and tells whether the server did so too.
    pub(crate) async fn close(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        // A server that has answered and gone makes the write fail, not the read.
        let _ = timeout_at(deadline, self.socket.close(None)).await;
        for _ in 0..MOST_MESSAGES {
            match timeout_at(deadline, self.next()).await {
                Ok(Ok(_)) => {}
                Ok(Err(End::Closed(_))) => return true,
                Ok(Err(_)) | Err(_) => return false,
            }
        }
        false
    }

    async fn next(&mut self) -> Result<Message, End> {
        match self.socket.next().await {
            Some(Ok(Message::Close(frame))) => {
                Err(End::Closed(frame.map(|frame| frame.code.into())))
            }
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(end(&error)),
            None => Err(End::Cut),
        }
    }
}

fn end(error: &Error) -> End {
    match error {
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)
        | Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_) => End::Cut,
        error => End::Broken(beginning(error.to_string().as_bytes())),
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed(Some(code)) => write!(f, "the server closed with code {code}"),
            Self::Closed(None) => f.write_str("the server closed without a code"),
            Self::Cut => f.write_str("the connection was cut, without a close frame"),
            Self::Broken(why) => write!(f, "what came is no WebSocket: {why}"),
        }
    }
}

/// A ping of a client (RFC 6455 5.5.2), masked.
pub(crate) fn ping_frame(payload: &str) -> Vec<u8> {
    control_frame(0x89, payload.as_bytes())
}

/// A close of a client with the code 1000.
pub(crate) fn close_frame() -> Vec<u8> {
    control_frame(0x88, &1000_u16.to_be_bytes())
}

fn control_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x6d, 0x61, 0x73, 0x6b];
    let length = u8::try_from(payload.len()).unwrap_or(125).min(125);
    let masked = payload.iter().zip(mask.into_iter().cycle());
    let mut frame = vec![first, 0x80 | length];
    frame.extend_from_slice(&mask);
    frame.extend(masked.take(length.into()).map(|(byte, mask)| byte ^ mask));
    frame
}
