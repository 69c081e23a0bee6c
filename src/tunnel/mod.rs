//! A service that forwards requests to another server, upgrades included.
//!
//! [`Tunnel`] is a reverse proxy as a Tower service. Behind an [`UpgradeLayer`](crate::UpgradeLayer) it
//! forwards the offers that the layer lets through, and joins the client's connection with the other
//! server's only when that server accepted. Everything else it forwards as it came, one hop's fields
//! aside.
//!
//! ```
//! use http::Uri;
//! use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! use tower::Layer;
//! use tower_upgrade::{Policy, Protocol, UpgradeLayer, WebSocket, tunnel::Tunnel};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder(TokioExecutor::new()).build_http();
//! let tunnel = Tunnel::new(client, Uri::from_static("http://127.0.0.1:3001"));
//! let forwarded = Policy::offer(WebSocket::new()).or(Protocol::new("echo/1.0")?);
//! let service = UpgradeLayer::new(forwarded).layer(tunnel);
//! # let _: &dyn Fn() -> Box<dyn tower::Service<
//! #     http::Request<http_body_util::Empty<bytes::Bytes>>, Error = _, Future = _, Response = _,
//! # >> = &|| Box::new(service.clone());
//! # Ok(())
//! # }
//! ```
//!
//! # The way of an upgrade
//!
//! ```text
//! client ──▶ UpgradeLayer: decide ──▶ Tunnel: offer what both allow ──▶ upstream
//!                                            101 (or 200 to CONNECT) ◀──┘
//!                             verify: offered? accept value? subprotocol? extensions?
//! client ◀── 101, written by the layer ◀─────┘
//!    ╰═══════════════════ relay: both ways, half-close kept ═══════════════════╯
//! ```
//!
//! - The upstream is offered all protocols that both the client and the policy name, in the order the
//!   layer selects by, and may choose among them. `h2c` and whatever the policy does not name is not passed on.
//! - Either side may be HTTP/1.1 or HTTP/2 (see [`Tunnel::upstream_version`]). An extended CONNECT names one
//!   protocol: the one the layer selected. A WebSocket's key is passed on, made where the client sent none,
//!   and left out towards HTTP/2.
//! - An answer that switches is verified before the client is answered: a 101 must have `Connection:
//!   upgrade`, a protocol that was offered, the right `Sec-WebSocket-Accept`, and no subprotocol or extension that was
//!   not asked for. Any other is answered with 502, and nothing is joined.
//! - Every other answer is passed back, and the client's connection stays HTTP.
//!
//! # The relay
//!
//! Bytes that either side sent ahead of the 101 come first. When one side ends its half, the other is told
//! so, and the other direction goes on. Nothing is buffered beyond what one read brought: a side that does
//! not read stops the one that writes. A connection that nobody uses holds no buffer; a direction that is
//! busy is given a large one, or left to the kernel ([`Tunnel::splice`]).
//!
//! The relay ends when both directions have ended, or the client's connection failed. When the upstream takes
//! no more, what the client still sends is discarded, up to a mebibyte and for ten seconds at most, so that the
//! answer it was given is not lost to a reset. An abrupt end on one side is an end on the other: a protocol that
//! has to tell what is complete from what was cut off says so itself, as WebSocket does by its close. A peer that
//! neither reads nor leaves holds both connections: set an [`idle_timeout`](crate::UpgradeLayer::idle_timeout).
//!
//! The layer's clocks, limits, drain and observers see the client's side as ever. At the start of a drain
//! nothing is said, for only the two ends know how: an upstream that drains too says goodbye itself.
//!
//! # Errors
//!
//! An upstream that cannot be reached, or answers what must not be passed on, is answered for with 502, one
//! that is slow with 504. The [`TunnelError`] is in the response's extensions.

mod answer;
mod body;
mod error;
mod exchange;
mod forwarded;
mod future;
mod hop;
mod relay;
mod request;
mod service;
mod upstream;
mod verify;

pub use self::{
    body::RequestBody,
    error::{TunnelError, TunnelErrorKind},
    forwarded::Forwarded,
    future::TunnelFuture,
    request::OriginalHost,
    service::Tunnel,
    upstream::Upstream,
};
