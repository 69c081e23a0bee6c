//! The status codes of close frames
//! ([RFC 6455 section 7.4.1](https://www.rfc-editor.org/rfc/rfc6455.html#section-7.4.1) and IANA's
//! registry).
//!
//! [`STATUS`] and [`ABNORMAL`] tell of what happened and are never sent.

use super::CloseCode;

/// The purpose of the connection was fulfilled.
pub const NORMAL: CloseCode = 1000;

/// An endpoint goes away: a server is shut down, a page was left.
pub const AWAY: CloseCode = 1001;

/// The peer broke the protocol.
pub const PROTOCOL: CloseCode = 1002;

/// The peer sent a type of data that is not taken here, such as binary where text is spoken.
pub const UNSUPPORTED: CloseCode = 1003;

/// The close frame that came had no code.
pub const STATUS: CloseCode = 1005;

/// The connection ended without a close frame.
pub const ABNORMAL: CloseCode = 1006;

/// A message was not what its type says, such as text that is not UTF-8.
pub const INVALID: CloseCode = 1007;

/// A message is against the endpoint's policy, or no other code says what is amiss.
pub const POLICY: CloseCode = 1008;

/// A message is too large.
pub const SIZE: CloseCode = 1009;

/// A client misses an extension it cannot do without; servers do not send it.
pub const EXTENSION: CloseCode = 1010;

/// The server met something it was not prepared for.
pub const ERROR: CloseCode = 1011;

/// The server restarts.
pub const RESTART: CloseCode = 1012;

/// The server has too much to do: come again later, or to another address.
pub const AGAIN: CloseCode = 1013;
