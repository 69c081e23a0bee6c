//! Why a request is not switched, and what its sender is told.

mod kind;
mod reason;
mod response;

pub use self::{kind::RefusalKind, reason::Refusal};
