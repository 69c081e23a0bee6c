//! `Observer`: who is told of offers and connections.

use std::sync::Arc;

use http::Version;

use super::closing::Closing;
use crate::{head::Head, protocol::Protocol, refusal::Refusal};

/// Is told what becomes of offers, and of the connections that were upgraded.
///
/// An offer goes one of these ways:
///
/// ```text
/// offered ─┬▶ passed
///          ├▶ refused
///          ├▶ declined                             the service answered otherwise, or not at all
///          └▶ accepted ─┬▶ handed_over ─▶ closed
///                       └───────────────▶ closed   the connection never came
/// ```
///
/// `refused` is also told, without `offered`, where a route requires an upgrade and a request offers
/// none. Requests that pass without an offer are not told, and what a service does to them against the
/// rules neither. Of an offer that [`hand_over_raw`](crate::Policy::hand_over_raw) let a handler accept,
/// no more is told than that it was `offered`. Every method does nothing unless it is written.
///
/// Methods are called in the order above, in whatever task the event happened, and some while the
/// connection is locked: they should not block. One that panics is heard of by the panic hook and harms
/// nobody else.
pub trait Observer: Send + Sync + 'static {
    /// A request offers to switch protocols; it was not decided on yet.
    fn offered(&self, head: &Head<'_>) {
        let _ = head;
    }

    /// The offer was taken out and the request passes.
    fn passed(&self, head: &Head<'_>) {
        let _ = head;
    }

    /// The request was refused, or the service's acceptance of it was.
    fn refused(&self, refusal: &Refusal) {
        let _ = refusal;
    }

    /// The offer was let through and not accepted: the service gave another answer, or none.
    fn declined(&self, connection: &Connection<'_>) {
        let _ = connection;
    }

    /// The service accepted; the 101 (200 on HTTP/2 and 3) is on its way.
    fn accepted(&self, connection: &Connection<'_>) {
        let _ = connection;
    }

    /// The connection reached whoever awaited it.
    fn handed_over(&self, connection: &Connection<'_>) {
        let _ = connection;
    }

    /// The connection, once accepted, is gone.
    fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
        let _ = (connection, closing);
    }
}

/// The same observer at several layers, or one that its owner can still ask.
impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn offered(&self, head: &Head<'_>) {
        (**self).offered(head);
    }

    fn passed(&self, head: &Head<'_>) {
        (**self).passed(head);
    }

    fn refused(&self, refusal: &Refusal) {
        (**self).refused(refusal);
    }

    fn declined(&self, connection: &Connection<'_>) {
        (**self).declined(connection);
    }

    fn accepted(&self, connection: &Connection<'_>) {
        (**self).accepted(connection);
    }

    fn handed_over(&self, connection: &Connection<'_>) {
        (**self).handed_over(connection);
    }

    fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
        (**self).closed(connection, closing);
    }
}

/// An upgraded connection, or one that may be: what was agreed on.
///
/// All of it is bounded by the policy, nothing is the peer's text, so that it may label metrics.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Connection<'a> {
    /// Tells connections apart, in this process: no two have the same.
    pub id: u64,
    /// The protocol that was selected.
    pub protocol: &'a Protocol,
    /// The subprotocol of a WebSocket that the policy selected, if there is one. What a handler selects
    /// by `ws::WebSocketUpgrade::protocols` may be the peer's text and is not told.
    pub subprotocol: Option<&'a str>,
    /// The version of HTTP that the request came in.
    pub version: Version,
}
