//! `Exchange`: what is kept of a request until its answer comes.

use http::{HeaderMap, HeaderValue, Version, header};

use super::{body::Progress, relay::Speed};
use crate::{negotiate::Acceptance, upgrade::OnUpgrade, websocket::Key};

/// What is kept of a request until its answer comes.
pub(super) struct Exchange {
    /// Of the client's side.
    pub(super) version: Version,
    pub(super) asked: Option<Asked>,
    /// Of content that is on its way.
    pub(super) progress: Option<Progress>,
    pub(super) via: Option<HeaderValue>,
    /// How fast the relay may become.
    pub(super) top: Speed,
    /// Whether the client reads problem details.
    pub(super) in_details: bool,
}

/// What the upstream was offered, and what its answer is held against.
pub(super) struct Asked {
    pub(super) on_upgrade: OnUpgrade,
    pub(super) form: AskedBy,
    /// All that it may select, of which an extended CONNECT names one.
    pub(super) acceptances: Vec<Acceptance>,
    /// The lines of these fields, as they were sent.
    pub(super) subprotocols: Vec<HeaderValue>,
    pub(super) extensions: Vec<HeaderValue>,
}

/// How it was offered.
#[derive(Clone, Copy)]
pub(super) enum AskedBy {
    /// By `Upgrade`, with a key if a WebSocket is among it.
    Upgrade { key: Option<Key> },
    /// By an extended CONNECT.
    Connect,
}

impl Asked {
    pub(super) fn new(
        on_upgrade: OnUpgrade,
        form: AskedBy,
        acceptances: Vec<Acceptance>,
        headers: &HeaderMap,
    ) -> Self {
        let lines = |name| headers.get_all(name).iter().cloned().collect();
        Self {
            on_upgrade,
            form,
            acceptances,
            subprotocols: lines(header::SEC_WEBSOCKET_PROTOCOL),
            extensions: lines(header::SEC_WEBSOCKET_EXTENSIONS),
        }
    }
}
