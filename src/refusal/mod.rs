//! Why a request is not switched, and what its sender is told.

mod kind;
mod problem;
mod reason;
mod response;

#[cfg(feature = "tunnel")]
pub(crate) use self::problem::{Problem, accepts_details};
pub use self::{kind::RefusalKind, reason::Refusal};
