//! `Seen`: what a hop answered, for the comparison with the next.

use serde::Serialize;

use crate::{hint::Hint, proxy::Proxy, wire::Head};

/// The facts of one hop. `None` is what could not be tried.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Seen {
    /// A TCP connection was made.
    pub(crate) is_reached: bool,
    /// A page is answered as over HTTP/2: a proxy asks the server in that version.
    pub(crate) is_http2_behind: bool,
    pub(crate) server: Option<String>,
    pub(crate) via: Option<String>,
    /// Who listens there.
    pub(crate) proxy: Option<Proxy>,
    /// Who wrote the answer's `Server`, which may stand further in.
    pub(crate) named: Option<Proxy>,
    pub(crate) status: Option<u16>,
    pub(crate) version: Option<String>,
    pub(crate) upgrade: Option<String>,
    pub(crate) connection: Option<String>,
    pub(crate) accept: Option<Accept>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) hint: Option<Hint>,
    /// The same handshake without `Origin` is answered 101, and with it 403.
    pub(crate) is_origin_refused: bool,
    pub(crate) is_ping_answered: Option<bool>,
    pub(crate) is_idle_kept: Option<bool>,
    pub(crate) is_early_kept: Option<bool>,
    pub(crate) http2: Option<u16>,
}

/// What `Sec-WebSocket-Accept` says to the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Accept {
    Right,
    Wrong,
    Missing,
}

impl Seen {
    /// Takes down who says that he wrote this.
    pub(crate) fn name(&mut self, head: &Head) {
        self.server = self.server.take().or(head.joined("server"));
        self.via = self.via.take().or(head.joined("via"));
        self.named = self.named.or(Proxy::named(head));
    }

    pub(crate) fn is_switched(&self) -> bool {
        self.status == Some(101)
    }

    /// Returns who listens there, as far as that is known.
    pub(crate) fn who(&self) -> Option<Proxy> {
        self.proxy.or(self.named)
    }

    /// Returns those whose configuration may have to be mended: who listens, and who else is named.
    pub(crate) fn proxies(&self) -> Vec<Proxy> {
        let mut proxies: Vec<_> = self.proxy.into_iter().collect();
        proxies.extend(self.named.filter(|named| Some(*named) != self.proxy));
        proxies
    }
}
