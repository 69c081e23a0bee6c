//! HTTP/3 for [tower-upgrade](tower_upgrade): a QUIC server that hands extended CONNECTs to the layer
//! (RFC 9220).
//!
//! Any Tower service is served, an axum `Router` too. A route with an
//! [`UpgradeLayer`](tower_upgrade::UpgradeLayer) is the same over HTTP/1.1, 2 and 3: the handler answers
//! 101, the layer makes 200 of it, and the connection that the handler gets is the stream.
//!
//! | | |
//! |---|---|
//! | [`Server`] | the server: a UDP socket, TLS, limits, an end in good order |
//! | [`RequestBody`], [`BodyError`] | the content of a request |
//!
//! # Tunnels
//!
//! The [`Upgraded`](tower_upgrade::Upgraded) connection is the payload of the stream's DATA frames.
//!
//! | | |
//! |---|---|
//! | the client ends its half (FIN) | end of file; writing goes on |
//! | `shutdown` | our FIN; reading goes on |
//! | the client resets the stream | reading fails (`ConnectionReset`) |
//! | the client stops reading (STOP_SENDING) | writing fails (`BrokenPipe`) |
//! | the connection is lost or closed | both fail (`TimedOut`, `ConnectionAborted`) |
//! | it is dropped | what was written, and our FIN; a client that goes on for 2 s or with 64 KiB is told to stop, one that takes nothing for 60 s is reset (both `H3_REQUEST_CANCELLED`) |
//!
//! (Over HTTP/2 hyper tells a reset as end of file.) It reads no more than it is asked for, and takes
//! no more than QUIC has room for and 64 KiB.
//!
//! A 2xx of a service that did not accept opens nothing: it is sent as 501, by the layer, and by the
//! server where there is none.
//!
//! A CONNECT without `:protocol` is for a forward proxy: a service that awaits its
//! [`Pending`](tower_upgrade::Pending) and answers 2xx gets it.
//!
//! # What it is made of
//!
//! [tokio-quiche](tokio_quiche) drives the sockets, [quiche](tokio_quiche::quiche) is QUIC, its TLS, the
//! frames of HTTP/3 (RFC 9114) and QPACK (RFC 9204). What is here is what a stream is to a service: a
//! request and its content, an answer, or the connection that [`Pending`](tower_upgrade::Pending) promised.
//! There is no server push, no datagram, and no early data.

mod answer;
mod app;
mod body;
mod code;
mod connection;
mod exchange;
mod fault;
mod head;
mod live;
mod server;
mod settings;
mod stream;
mod tunnel;

pub use self::{
    body::{BodyError, RequestBody},
    server::Server,
};

/// The README's example is one of the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
