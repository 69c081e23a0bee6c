//! What becomes of one request behind a policy: it switches, it is refused, or it passes.
//!
//! Each is a connection of its own with a [`Spy`] behind the layer, and each ends by showing that
//! the connection is what it should be then.

use std::panic::Location;

use tower_upgrade::Policies;

use crate::{
    spy::{Seen, Spy},
    wire::{Head, Request, Response},
};

/// The request is answered 101 for this protocol, and bytes go both ways from then on.
#[track_caller]
pub(crate) fn switches(
    policies: impl Into<Policies>,
    request: &Request,
    protocol: &str,
) -> impl Future<Output = (Head, Seen)> {
    let (mut client, spy) = Spy::behind(policies);
    let at = Location::caller();
    async move {
        let head = client.offer(request).await;
        assert_eq!(head.status, 101, "{at}: {request:?} {head:?}");
        assert_eq!(head.version, "HTTP/1.1", "{at}");
        assert_eq!(head.lines("connection"), ["upgrade"], "{at}: {head:?}");
        assert_eq!(head.lines("upgrade"), [protocol], "{at}: {head:?}");
        // RFC 9110 8.6: no content, and nothing that speaks of it.
        assert!(head.lines("content-length").is_empty(), "{at}: {head:?}");
        assert!(head.lines("transfer-encoding").is_empty(), "{at}: {head:?}");
        client.send("ping").await;
        client.expect("ping").await;
        let seen = spy.only();
        assert_eq!(seen.protocol.as_deref(), Some(protocol), "{at}");
        assert!(!seen.has_handle, "{at}: the server's handle reached it");
        (head, seen)
    }
}

/// The request is refused with this status, and the service does not see it.
#[track_caller]
pub(crate) fn refuses(
    policies: impl Into<Policies>,
    request: &Request,
    status: u16,
) -> impl Future<Output = Response> {
    let (mut client, spy) = Spy::behind(policies);
    let at = Location::caller();
    async move {
        let response = client.ask(request).await;
        assert_eq!(
            response.head.status, status,
            "{at}: {request:?} {response:?}"
        );
        assert!(spy.seen().is_empty(), "{at}: the service was called");
        assert!(response.content.ends_with('\n'), "{at}: {response:?}");
        response
    }
}

/// The request reaches the service without its offer and is answered 200.
#[track_caller]
pub(crate) fn passes(
    policies: impl Into<Policies>,
    request: &Request,
) -> impl Future<Output = Seen> {
    let (mut client, spy) = Spy::behind(policies);
    let at = Location::caller();
    async move {
        let response = client.ask(request).await;
        assert_eq!(response.head.status, 200, "{at}: {request:?} {response:?}");
        let seen = spy.only();
        assert!(seen.lines("upgrade").is_empty(), "{at}: {seen:?}");
        assert_eq!(seen.protocol, None, "{at}");
        assert!(!seen.has_handle, "{at}: the server's handle reached it");
        seen
    }
}
