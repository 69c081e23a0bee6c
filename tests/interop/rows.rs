//! The gallery's routes, as a request that offers nothing acceptable finds them.

/// What a route answers to such a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Row {
    /// The handler's answer: status and what its body contains.
    Passes(u16, &'static str),
    /// A refusal that lists these protocols, in this order.
    Requires(&'static str),
}

/// Every route but `/secure` and `/http2`, whose requirement is no protocol.
pub(crate) const ROWS: [(&str, Row); 17] = [
    ("/", Row::Passes(200, "Gallery")),
    ("/ws", Row::Requires("websocket")),
    ("/either", Row::Passes(200, "plain")),
    ("/closed", Row::Passes(200, "upgrade: absent")),
    ("/multi", Row::Requires("echo/2.0, echo/1.0, websocket")),
    (
        "/multi-server",
        Row::Requires("echo/2.0, echo/1.0, websocket"),
    ),
    ("/exec", Row::Requires("echo/1.0")),
    ("/unread", Row::Requires("echo/1.0")),
    ("/decline", Row::Passes(403, "")),
    ("/unaware", Row::Passes(200, "unaware")),
    ("/axum", Row::Requires("websocket")),
    ("/get-only", Row::Requires("websocket")),
    ("/limited", Row::Requires("websocket")),
    ("/limited-total", Row::Requires("websocket")),
    ("/idle", Row::Requires("websocket")),
    ("/deadline", Row::Requires("websocket")),
    ("/first-byte", Row::Requires("websocket")),
];
