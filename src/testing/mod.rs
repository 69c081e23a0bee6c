//! Offers in memory, and the client's end of what became of them.
//!
//! A [`TestOffer`] goes through any service, an axum `Router` as well as a bare Tower one, with the
//! middleware that stands around it and without a socket. What comes back is an [`Answer`]: the
//! response, and the [`Client`]'s end of the connection if the answer switched it. The answer's head
//! is checked as a client checks it, so that a connection that a browser would drop is none here.
//!
//! For tests (`cargo add --dev tower-upgrade --features testing`): mistakes panic.
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use axum::{Router, response::Response, routing::any};
//! # use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! # use tower_upgrade::{OnUpgrade, Policy, UpgradeLayer, WebSocket};
//! use tower_upgrade::{RefusalKind, testing::TestOffer};
//!
//! async fn chat(upgrade: OnUpgrade) -> Response {
//!     upgrade.accept(|mut io| async move { drop(io.write_all(b"\x89\0").await) })
//! }
//!
//! let policy = Policy::require(WebSocket::new().subprotocols(["v1"]));
//! let app = Router::new().route("/chat", any(chat).layer(UpgradeLayer::new(policy)));
//!
//! // What is accepted ..
//! let offer = TestOffer::websocket("/chat").subprotocols(["v1"]);
//! let mut client = offer.clone().send(app.clone()).await?.into_client();
//! assert_eq!(client.subprotocol(), Some("v1"));
//! assert_eq!(client.read_u16().await?, 0x8900); // A ping.
//!
//! // .. and what is not.
//! let answer = offer.origin("https://elsewhere.example").send(app).await?;
//! assert_eq!(answer.refusal().kind(), RefusalKind::Origin);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! # What it is not
//!
//! There is no server, so nothing is tested of what one does: framing, `100 Continue`, the drop of a
//! connection whose head was wrong. A route with
//! [`hand_over_raw`](crate::Policy::hand_over_raw) needs a server, for its handler takes hyper's own
//! handle; it answers 501 here.

mod answer;
mod check;
mod client;
mod offer;

pub use self::{
    answer::{Answer, NotSwitched},
    client::Client,
    offer::TestOffer,
};
