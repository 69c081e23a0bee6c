//! `Proxy`: which program answers, guessed by what it says of itself.

use serde::Serialize;

use crate::wire::Head;

/// The proxies whose configuration is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Proxy {
    #[serde(rename = "nginx")]
    Nginx,
    #[serde(rename = "HAProxy")]
    Haproxy,
    Apache,
    Caddy,
}

impl Proxy {
    /// Those with a configuration to give lines for.
    pub(crate) const ALL: [Self; 3] = [Self::Nginx, Self::Haproxy, Self::Apache];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Apache => "Apache",
            Self::Caddy => "Caddy",
        }
    }

    /// Returns who wrote `Server` or `Via`. Most proxies leave there what the server behind them wrote.
    pub(crate) fn named(head: &Head) -> Option<Self> {
        let fields = ["server", "via"].map(|name| head.joined(name).unwrap_or_default());
        let fields = fields.join(" ").to_ascii_lowercase();
        let names = [
            ("nginx", Self::Nginx),
            ("openresty", Self::Nginx),
            ("haproxy", Self::Haproxy),
            ("apache", Self::Apache),
            ("caddy", Self::Caddy),
        ];
        names
            .into_iter()
            .find_map(|(name, proxy)| fields.contains(name).then_some(proxy))
    }

    /// Returns whose answer to a request that is none this is. It is of the first that read it.
    pub(crate) fn complaining(head: &Head, content: &[u8]) -> Option<Self> {
        let page = String::from_utf8_lossy(content);
        if page.contains("Your browser sent an invalid request.") {
            return Some(Self::Haproxy);
        }
        if page.contains("<center>nginx") || page.contains("<center>openresty") {
            return Some(Self::Nginx);
        }
        if page.contains("<address>Apache") {
            return Some(Self::Apache);
        }
        Self::named(head)
    }
}
