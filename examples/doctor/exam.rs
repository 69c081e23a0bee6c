//! `Exam`: the exchange that every hop is asked for.

use std::time::Duration;

use http::{Method, Version, request};
use hyper::ext::Protocol;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;

use crate::{
    options::Options,
    target::Target,
    terminal::Progress,
    wire::{Request, Trust},
};

/// What is sent, and how long is waited.
#[derive(Clone, Debug)]
pub(crate) struct Exam {
    /// The edge's, at every hop: it is what a proxy should pass on.
    pub(crate) host: String,
    pub(crate) origin: String,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) is_http2_wanted: bool,
    pub(crate) idle: Duration,
    pub(crate) patience: Duration,
    pub(crate) trust: Trust,
    pub(crate) progress: Progress,
}

impl Exam {
    pub(crate) fn new(options: &Options, trust: Trust) -> Self {
        let edge = &options.target;
        Self {
            host: edge.authority(),
            origin: options.origin.clone().unwrap_or_else(|| edge.origin()),
            subprotocols: options.subprotocols.clone(),
            is_http2_wanted: options.http2,
            idle: options.idle,
            patience: options.timeout,
            trust,
            progress: Progress::new(),
        }
    }

    /// Returns an ordinary GET.
    pub(crate) fn page(&self, target: &Target) -> Request {
        Request::get(target.path(), &self.host)
            .with("User-Agent", AGENT)
            .with("Accept", ACCEPT)
    }

    /// Returns a handshake as a browser would send it.
    pub(crate) fn offer(&self, target: &Target) -> Request {
        let offer = self
            .page(target)
            .with("Connection", "Upgrade")
            .with("Upgrade", "websocket")
            .with("Origin", &self.origin)
            .with("Sec-WebSocket-Version", "13")
            .with("Sec-WebSocket-Key", generate_key());
        match self.subprotocols.is_empty() {
            true => offer,
            false => offer.with("Sec-WebSocket-Protocol", self.subprotocols.join(", ")),
        }
    }

    /// Returns an ordinary GET of HTTP/2.
    pub(crate) fn http2_page(&self, target: &Target) -> request::Builder {
        self.http2(Method::GET, target)
    }

    /// Returns a handshake over HTTP/2 (RFC 8441 5).
    pub(crate) fn http2_offer(&self, target: &Target) -> request::Builder {
        let offer = self
            .http2(Method::CONNECT, target)
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .header("origin", &self.origin);
        match self.subprotocols.is_empty() {
            true => offer,
            false => offer.header("sec-websocket-protocol", self.subprotocols.join(", ")),
        }
    }

    fn http2(&self, method: Method, target: &Target) -> request::Builder {
        let (scheme, host) = (target.http_scheme(), &self.host);
        http::Request::builder()
            .method(method)
            .version(Version::HTTP_2)
            .uri(format!("{scheme}://{host}{}", target.path()))
            .header("user-agent", AGENT)
            .header("accept", ACCEPT)
    }
}

const AGENT: &str = "tower-upgrade-doctor";
/// A refusal should be problem details, for they name its kind.
const ACCEPT: &str = "application/problem+json, text/plain;q=0.9, */*;q=0.1";
