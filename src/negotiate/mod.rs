//! What a request offers, what a route wants, and what follows from both.
//!
//! Pure: no clock, no I/O, no server. The way is one way: [`Offer`] is read from a request's head
//! once, [`Policy::decide`] looks at it and at the head, and an [`Acceptance`] is all that later
//! parts know of the request.

mod acceptance;
#[cfg(feature = "tunnel")]
mod alternatives;
mod connect;
mod content;
mod decision;
mod http1;
mod offer;
mod policy;
mod requirement;
mod routes;
mod select;
mod spoken;

#[cfg(feature = "tunnel")]
pub(crate) use self::connect::join_cookies;
pub use self::{
    acceptance::Acceptance,
    decision::Decision,
    offer::{Absence, ConnectProtocol, Form, Offer},
    policy::Policy,
    routes::Routes,
    spoken::Spoken,
};
pub(crate) use self::{
    acceptance::Agreed,
    connect::translate,
    http1::{normalise, normalise_subprotocol, strip},
};
