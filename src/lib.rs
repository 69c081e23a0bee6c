//! Tower middleware for HTTP's protocol upgrade.
//!
//! A request may offer to turn its connection into something that is not HTTP: a WebSocket, a
//! tunnel, a protocol of one's own. [`UpgradeLayer`] decides on such offers by a [`Policy`] per route,
//! over HTTP/1.1 (`Upgrade`, [RFC 9110 section 7.8]) and over HTTP/2 and 3 (extended CONNECT,
//! [RFC 8441], [RFC 9220]). It refuses what is malformed or not wanted, shows the service the rest
//! with an [`OnUpgrade`] future, writes the 101 or 200 that accepts, and hands the connection over
//! if, and only if, the service accepted.
//!
//! With axum (`cargo add tower-upgrade --features axum`):
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # mod example {
//! use axum::{Router, response::Response, routing::any};
//! use tower_upgrade::{OnUpgrade, Policy, UpgradeLayer, WebSocket};
//!
//! fn app() -> Router {
//!     let chat_only = Policy::require(WebSocket::new().subprotocols(["chat.v2", "chat.v1"]));
//!     Router::new().route("/chat", any(chat).layer(UpgradeLayer::new(chat_only)))
//! }
//!
//! async fn chat(upgrade: OnUpgrade) -> Response {
//!     upgrade.accept(|io| async move {
//!         // `io` has tokio's and hyper's I/O traits: give it to any WebSocket engine
//! #       drop(io);
//!     })
//! }
//! # }
//! ```
//!
//! Without a framework the future is taken out of the request, and a bare 101 accepts: see
//! [`OnUpgrade`].
//!
//! # The way of a request
//!
//! ```text
//! head ─▶ Offer ─▶ decide(policy) ─┬▶ Pass   ─▶ inner service ─▶ answer, untouched
//!                                  ├▶ Refuse ─▶ 4xx/5xx from the layer; the inner service is not called
//!                                  └▶ Accept ─▶ inner service (OnUpgrade in the extensions)
//!                                                ├▶ answers 101: head finished, connection handed over, and
//!                                                │               held on to until its last byte
//!                                                └▶ answers anything else: declined; OnUpgrade fails
//! ```
//!
//! A request that passes without an offer costs one look at its header fields and no allocation.
//!
//! # Where to find what
//!
//! | | |
//! |---|---|
//! | [`UpgradeLayer`], [`Policies`], [`Upgrade`], [`ResponseFuture`], [`ResponseBody`] | the Tower middleware |
//! | [`Policy`], [`Routes`], [`Protocol`], [`WebSocket`], [`Head`] | what a route speaks, and how strictly |
//! | [`OnUpgrade`], [`Upgraded`], [`UpgradeError`], [`ContentBody`] | what a handler holds |
//! | [`Refusal`], [`RefusalKind`] | what a client is told, and why |
//! | [`Pending`], [`PeerAddress`] | what a server that is not hyper, or a test, leaves in a request |
//! | [`Io`] | what a forward proxy holds: the connection of a plain CONNECT, by [`Pending`] |
//! | [`negotiate`], [`websocket`], [`grammar`] | the pure parts: offer, decision, handshake, field grammar |
//! | [`lifetime`]: [`Limit`], [`Drain`]; [`observe`]: [`Observer`] | the life of connections, and who is told of it |
//! | `axum` (feature `axum`), `ws` (feature `tungstenite`) | extractors; WebSockets with axum's method names |
//! | `tunnel` (feature `tunnel`) | a reverse proxy that forwards upgrades too |
//! | `testing` (feature `testing`) | offers in memory, and the client's end of the connection |
//!
//! # Servers
//!
//! hyper must be told to do upgrades: `serve_connection_with_upgrades` of hyper-util's `auto` server,
//! `with_upgrades` of hyper's own, and for HTTP/2 `enable_connect_protocol`. `axum::serve` does all
//! of it; the latter with axum's feature `http2`. Any other server leaves a [`Pending`]
//! in the request's extensions, and a [`PeerAddress`] for limits that count by it.
//!
//! When a request's `Connection` says `close` besides `upgrade`, hyper appends `, close` to the
//! `Connection: upgrade` that the layer writes; nothing behind hyper can prevent that.
//!
//! [RFC 9110 section 7.8]: https://www.rfc-editor.org/rfc/rfc9110.html#section-7.8
//! [RFC 8441]: https://www.rfc-editor.org/rfc/rfc8441.html
//! [RFC 9220]: https://www.rfc-editor.org/rfc/rfc9220.html

#[cfg(feature = "axum")]
pub mod axum;
mod body;
mod config;
mod fields;
mod future;
pub mod grammar;
mod head;
mod layer;
pub mod lifetime;
pub mod negotiate;
pub mod observe;
mod protocol;
mod refusal;
mod service;
mod switch;
#[cfg(not(interleave))]
mod sync;
#[cfg(interleave)]
#[path = "sync_interleave.rs"]
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "tunnel")]
pub mod tunnel;
mod upgrade;
pub mod websocket;
#[cfg(feature = "tungstenite")]
pub mod ws;

pub use self::{
    body::ResponseBody,
    config::Policies,
    future::ResponseFuture,
    head::Head,
    layer::UpgradeLayer,
    protocol::{InvalidProtocol, Protocol},
    refusal::{Refusal, RefusalKind},
    service::Upgrade,
    upgrade::{ContentBody, Io, Lease, OnUpgrade, Parts, Pending, UpgradeError, Upgraded},
};
#[doc(inline)]
pub use self::{
    lifetime::{Drain, DrainReport, Limit, PeerAddress},
    negotiate::{Policy, Routes},
    observe::Observer,
    websocket::WebSocket,
};

/// The README's examples, compiled with the tests.
#[cfg(all(doctest, feature = "axum", feature = "testing", feature = "tunnel"))]
#[doc = include_str!("../README.md")]
struct Readme;
