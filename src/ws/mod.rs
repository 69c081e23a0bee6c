//! WebSockets for axum, with the method names of axum's own extractor.
//!
//! An app changes its `use` lines and no other:
//!
//! ```diff
//! -use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
//! +use tower_upgrade::ws::{Message, WebSocket, WebSocketUpgrade};
//! ```
//!
//! and its connections cost kilobytes, its handshakes are checked, pages of other origins are kept
//! out, and HTTP/2 works where `Sec-WebSocket-Accept` is asked for too. With an
//! [`UpgradeLayer`](crate::UpgradeLayer) on its routes it has that layer's policy, limits, clocks and drain.
//!
//! # Examples
//!
//! ```
//! use axum::{Router, response::Response, routing::any};
//! use tower_upgrade::{Policy, UpgradeLayer, ws::{Message, WebSocket, WebSocketUpgrade}};
//!
//! fn app() -> Router {
//!     let layer = UpgradeLayer::new(Policy::require(tower_upgrade::WebSocket::new()));
//!     Router::new().route("/echo", any(accept)).route_layer(layer)
//! }
//!
//! async fn accept(upgrade: WebSocketUpgrade) -> Response {
//!     upgrade.protocols(["echo"]).on_upgrade(echo)
//! }
//!
//! async fn echo(mut socket: WebSocket) {
//!     while let Some(Ok(message)) = socket.recv().await {
//!         let is_data = matches!(message, Message::Text(_) | Message::Binary(_));
//!         if is_data && socket.send(message).await.is_err() {
//!             return;
//!         }
//!     }
//! }
//! # let _ = app;
//! ```
//!
//! To be read and written by two tasks it is split, as any `Stream` and `Sink`:
//!
//! ```
//! use futures_util::{SinkExt, StreamExt, stream::{SplitSink, SplitStream}};
//! use tower_upgrade::ws::{Message, WebSocket};
//!
//! async fn chat(socket: WebSocket) {
//!     let (sink, stream) = socket.split();
//!     tokio::join!(write(sink), read(stream));
//! }
//!
//! async fn write(mut sink: SplitSink<WebSocket, Message>) {
//!     let _ = sink.send("welcome".into()).await;
//! }
//!
//! async fn read(mut stream: SplitStream<WebSocket>) {
//!     while let Some(Ok(message)) = stream.next().await {
//!         println!("{message:?}");
//!     }
//! }
//! # let _ = chat;
//! ```
//!
//! # What differs from axum's
//!
//! | | axum | here |
//! |---|---|---|
//! | read buffer of a connection | 128 KiB | 4 KiB, see [`read_buffer_size`](WebSocketUpgrade::read_buffer_size) |
//! | `Origin` of another host | let in | 403, unless the layer's policy allows it |
//! | no or another offer | 400 | 426 with `Upgrade`; over HTTP/2 405 or 501 |
//! | another version | 400 | 426 with `Sec-WebSocket-Version` |
//! | key, subprotocols | as they come | checked; 400 |
//! | offers | `Connection` and `Upgrade` by substring and first line | by whole members, over all lines |
//! | content with the handshake | ends up among the frames | 400 |
//! | `Sec-WebSocket-Accept` over HTTP/2 | never | where the request has a key |
//! | [`set_selected_protocol`](WebSocketUpgrade::set_selected_protocol) | sends what it is given | selects what the client offers |
//! | [`requested_protocols`](WebSocketUpgrade::requested_protocols) | sorted | in the client's order |
//! | rejection | an enum | a [`Refusal`](crate::Refusal) under its [name](rejection::WebSocketUpgradeRejection): no variants, no `body_text` |
//! | `Option<WebSocketUpgrade>` | no extractor | `None` without an offer |
//! | `max_write_buffer_size` too small | panics in the task | is raised |
//! | source of an error | tungstenite 0.29 | tungstenite 0.30 |
//! | [`heartbeat`](WebSocketUpgrade::heartbeat) | – | a ping to who is silent, an end to who is dead |
//! | a peer's error | the connection is closed | a close frame with its code goes first, and [`WebSocket::fail`] lets the peer read it |
//! | drain | – | a goodbye, see [`drain_by_handler`](WebSocketUpgrade::drain_by_handler) |
//!
//! As with axum's, a route needs `any(..)` for WebSockets over HTTP/2; with the layer around the
//! router and [`translate_connect`](crate::Policy::translate_connect), `get(..)` will do. Of two in one
//! handler the first is extracted; the second is rejected, or `None`.
//!
//! # Without a layer
//!
//! The extractor then decides by `Policy::require(WebSocket::new())`, and settles the answer when
//! [`on_upgrade`](WebSocketUpgrade::on_upgrade) is called. It is weaker than a layer in this:
//!
//! - there is no other policy, no limit, no clock, no drain and no observer;
//! - who makes another answer of the handler's 101, in the handler or around it, cannot call the
//!   connection back;
//! - a handler that answers a WebSocket over HTTP/2 with a 2xx of its own opens a tunnel that nobody
//!   serves;
//! - refusals are plain text.
//!
//! Behind a policy with [`hand_over_raw`](crate::Policy::hand_over_raw), which this extractor does not
//! need, it is the same: the offer is decided on a second time.
//!
//! # Memory
//!
//! An idle connection has its read buffer, and about 1.6 KiB besides, of which hyper takes 1 KiB.
//! A [`Heartbeat`] and a drain are less than 200 bytes more each. Buffers grow with the largest
//! message that went through them, and may stay so large: bound it by
//! [`max_message_size`](WebSocketUpgrade::max_message_size).

pub mod close_code;
mod connection;
mod extract;
mod failing;
mod heartbeat;
mod message;
mod options;
mod parting;
pub mod rejection;
mod socket;
mod subprotocols;
mod upgrade;
mod utf8;
mod wire;

pub use self::{
    heartbeat::{DeadPeer, Heartbeat},
    message::{CloseCode, CloseFrame, Message},
    socket::WebSocket,
    upgrade::{DefaultOnFailedUpgrade, OnFailedUpgrade, WebSocketUpgrade},
    utf8::Utf8Bytes,
};
