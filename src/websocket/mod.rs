//! The server's side of the WebSocket opening handshake ([RFC 6455 section 4.2]), over HTTP/1.1 and
//! by extended CONNECT ([RFC 8441 section 5]).
//!
//! Only the handshake: frames are the business of whatever engine the upgraded I/O is given to.
//!
//! [RFC 6455 section 4.2]: https://www.rfc-editor.org/rfc/rfc6455.html#section-4.2
//! [RFC 8441 section 5]: https://www.rfc-editor.org/rfc/rfc8441.html#section-5

mod authority;
mod extension;
mod handshake;
mod key;
#[cfg(feature = "tunnel")]
mod nonce;
mod options;
mod origin;
mod subprotocol;

#[cfg(feature = "tunnel")]
pub(crate) use self::authority::HostPort;
pub(crate) use self::handshake::Handshake;
pub(crate) use self::key::Key;
pub(crate) use self::subprotocol::Subprotocol;
pub use self::{
    extension::{ExtensionOffer, ExtensionOffers, MalformedExtensions},
    options::WebSocket,
};
