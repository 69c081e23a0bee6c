//! `Message`: what goes over a WebSocket.

use ::axum::Error;
use bytes::Bytes;
use tokio_tungstenite::tungstenite;

use super::utf8::Utf8Bytes;

/// A message, or a control frame.
///
/// # Examples
///
/// ```
/// use tower_upgrade::ws::{CloseFrame, Message, close_code};
///
/// let hello = Message::text("hello");
/// assert_eq!(hello.to_text()?, "hello");
///
/// let goodbye = Message::Close(Some(CloseFrame { code: close_code::NORMAL, reason: "done".into() }));
/// assert_eq!(goodbye.into_text()?, "done");
/// # Ok::<(), axum::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A text.
    Text(Utf8Bytes),
    /// Bytes.
    Binary(Bytes),
    /// "Are you there?", with at most 125 bytes to answer with. It was answered when it is seen.
    Ping(Bytes),
    /// The answer to a ping, or, unasked, a sign of life.
    Pong(Bytes),
    /// The end, by one side and then by the other.
    ///
    /// Received, it was answered already, and it is the last message. Sent, it lets the peer send
    /// what it has and answer; read on until then. Sending anything after it fails.
    Close(Option<CloseFrame>),
}

/// The status code of a close frame; [`close_code`](super::close_code) has those in use.
pub type CloseCode = u16;

/// Why a WebSocket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The reason, as a number.
    pub code: CloseCode,
    /// The reason in words, of at most 123 bytes.
    pub reason: Utf8Bytes,
}

impl Message {
    /// Returns a text message.
    pub fn text<S>(text: S) -> Self
    where
        S: Into<Utf8Bytes>,
    {
        Self::Text(text.into())
    }

    /// Returns a binary message.
    pub fn binary<B>(bytes: B) -> Self
    where
        B: Into<Bytes>,
    {
        Self::Binary(bytes.into())
    }

    /// Gives back the content; of a close frame, the reason.
    #[must_use]
    pub fn into_data(self) -> Bytes {
        match self {
            Self::Text(text) => text.into(),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => bytes,
            Self::Close(frame) => frame.map_or_else(Bytes::new, |frame| frame.reason.into()),
        }
    }

    /// Gives back the content as text.
    ///
    /// # Errors
    ///
    /// The content is bytes that are not UTF-8.
    pub fn into_text(self) -> Result<Utf8Bytes, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => {
                bytes.try_into().map_err(Error::new)
            }
            Self::Close(frame) => Ok(frame.map(|frame| frame.reason).unwrap_or_default()),
        }
    }

    /// Returns the content as text.
    ///
    /// # Errors
    ///
    /// The content is bytes that are not UTF-8.
    pub fn to_text(&self) -> Result<&str, Error> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Binary(bytes) | Self::Ping(bytes) | Self::Pong(bytes) => {
                std::str::from_utf8(bytes).map_err(Error::new)
            }
            Self::Close(frame) => Ok(frame.as_ref().map_or("", |frame| &frame.reason)),
        }
    }

    /// `None` for a raw frame, which is never read.
    pub(super) fn from_engine(message: tungstenite::Message) -> Option<Self> {
        Some(match message {
            tungstenite::Message::Text(text) => Self::Text(Utf8Bytes::from_engine(text)),
            tungstenite::Message::Binary(bytes) => Self::Binary(bytes),
            tungstenite::Message::Ping(bytes) => Self::Ping(bytes),
            tungstenite::Message::Pong(bytes) => Self::Pong(bytes),
            tungstenite::Message::Close(frame) => Self::Close(frame.map(|frame| CloseFrame {
                code: frame.code.into(),
                reason: Utf8Bytes::from_engine(frame.reason),
            })),
            tungstenite::Message::Frame(_) => return None,
        })
    }

    pub(super) fn into_engine(self) -> tungstenite::Message {
        match self {
            Self::Text(text) => tungstenite::Message::Text(text.into_engine()),
            Self::Binary(bytes) => tungstenite::Message::Binary(bytes),
            Self::Ping(bytes) => tungstenite::Message::Ping(bytes),
            Self::Pong(bytes) => tungstenite::Message::Pong(bytes),
            Self::Close(frame) => {
                let frame = frame.map(|frame| tungstenite::protocol::CloseFrame {
                    code: frame.code.into(),
                    reason: frame.reason.into_engine(),
                });
                tungstenite::Message::Close(frame)
            }
        }
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<&[u8]> for Message {
    fn from(bytes: &[u8]) -> Self {
        Self::Binary(Bytes::copy_from_slice(bytes))
    }
}

impl From<Bytes> for Message {
    fn from(bytes: Bytes) -> Self {
        Self::Binary(bytes)
    }
}

impl From<Vec<u8>> for Message {
    fn from(bytes: Vec<u8>) -> Self {
        Self::binary(bytes)
    }
}

impl From<Message> for Vec<u8> {
    fn from(message: Message) -> Self {
        message.into_data().into()
    }
}
