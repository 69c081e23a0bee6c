//! The field grammar of HTTP: tokens, lists and parameters ([RFC 9110 section 5.6]).
//!
//! Everything here borrows from the header values it reads, is bounded in what it reads, and treats
//! what it cannot read as absent rather than guessing.
//!
//! [RFC 9110 section 5.6]: https://www.rfc-editor.org/rfc/rfc9110.html#section-5.6

mod bytes;
mod list;
mod param;
mod token;

pub(crate) use self::bytes::ByteSet;
pub use self::{
    list::{List, MAX_MEMBERS, Members},
    param::{InvalidParams, Param, Params, split_params},
    token::{is_token, trim_ows},
};
