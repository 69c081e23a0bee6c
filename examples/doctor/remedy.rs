//! `Remedy`: the lines of a proxy's configuration that mend what it breaks.

use serde::Serialize;

use crate::{proxy::Proxy, seen::Seen, target::Target};

/// Lines for one proxy.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Remedy {
    pub(crate) proxy: Proxy,
    pub(crate) lines: Vec<String>,
}

/// What a proxy can do wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Symptom {
    DropsUpgrade,
    SpeaksOldHttp,
    DropsConnection,
    RewritesHost,
    CutsIdle,
    DropsSubprotocol,
    ChangesPath,
    MissesServer,
    NoExtendedConnect,
    CopiesUpgrade,
}

impl Symptom {
    /// Reads it off a refusal, for which a request with a whole offer was sent.
    pub(crate) fn of_refusal(seen: &Seen) -> Option<Self> {
        let hint = seen.hint.as_ref();
        match hint.and_then(|hint| hint.kind.as_deref()) {
            Some("not-offered") => return Some(Self::DropsUpgrade),
            Some("http-too-old") => return Some(Self::SpeaksOldHttp),
            Some("not-connection-bound") => return Some(Self::DropsConnection),
            Some(_) => return None,
            None => {}
        }
        // The same hints as plain text, where a proxy takes `Accept` off.
        let says = |words| hint.is_some_and(|hint| hint.text.contains(words));
        if says("HTTP/1.0 cannot be upgraded") {
            return Some(Self::SpeaksOldHttp);
        }
        if says("`Connection` has no `upgrade` member") {
            return Some(Self::DropsConnection);
        }
        // One that names something else is about that.
        let is_other = |upgrade: &String| !upgrade.to_ascii_lowercase().contains("websocket");
        if seen.status == Some(426) && seen.upgrade.as_ref().is_some_and(is_other) {
            return None;
        }
        // Other servers say it in words of their own.
        let says_upgrade = hint.is_some_and(|h| h.text.to_ascii_lowercase().contains("upgrade"));
        match seen.status {
            Some(426) => Some(Self::DropsUpgrade),
            Some(400) if says_upgrade => Some(Self::DropsUpgrade),
            _ => None,
        }
    }
}

/// Returns the lines for these proxies, or if nobody is known, for each that could be there.
///
/// `inner` is the server behind the proxy, where it is known.
pub(crate) fn lines(symptom: Symptom, proxies: &[Proxy], inner: Option<&Target>) -> Vec<Remedy> {
    // Caddy needs no line for any of this, so it is another one's fault.
    let known: Vec<_> = proxies
        .iter()
        .copied()
        .filter(|p| *p != Proxy::Caddy)
        .collect();
    let proxies = if known.is_empty() {
        Proxy::ALL.to_vec()
    } else {
        known
    };
    let remedies = proxies.into_iter().map(|proxy| Remedy {
        proxy,
        lines: for_proxy(symptom, proxy, inner),
    });
    remedies.filter(|remedy| !remedy.lines.is_empty()).collect()
}

fn for_proxy(symptom: Symptom, proxy: Proxy, inner: Option<&Target>) -> Vec<String> {
    let server = inner.map_or_else(|| "HOST:PORT".into(), Target::authority);
    let path = inner.map_or("/PATH", Target::path);
    let lines: &[&str] = match proxy {
        Proxy::Nginx => nginx(symptom),
        Proxy::Haproxy => haproxy(symptom),
        Proxy::Apache => apache(symptom),
        Proxy::Caddy => &[],
    };
    let lines = lines.iter();
    lines
        .map(|line| line.replace("{server}", &server).replace("{path}", path))
        .collect()
}

fn nginx(symptom: Symptom) -> &'static [&'static str] {
    match symptom {
        Symptom::DropsUpgrade | Symptom::SpeaksOldHttp | Symptom::DropsConnection => &[
            "proxy_http_version 1.1;",
            "proxy_set_header Upgrade $http_upgrade;",
            "proxy_set_header Connection $connection_upgrade;",
            "map $http_upgrade $connection_upgrade { default upgrade; '' close; }  # in http {}",
        ],
        Symptom::RewritesHost => &["proxy_set_header Host $http_host;"],
        Symptom::CutsIdle => &["proxy_read_timeout 1h;", "proxy_send_timeout 1h;"],
        Symptom::DropsSubprotocol => &[
            "remove `proxy_set_header Sec-WebSocket-Protocol ...;`",
            "remove `proxy_hide_header Sec-WebSocket-Protocol;`",
        ],
        Symptom::ChangesPath => {
            &["location {path} { proxy_pass http://{server}; }  # no path in it"]
        }
        Symptom::MissesServer => &["proxy_pass http://{server};"],
        Symptom::CopiesUpgrade => &["if ($http_upgrade = '') { return 400; }"],
        Symptom::NoExtendedConnect => &[],
    }
}

fn haproxy(symptom: Symptom) -> &'static [&'static str] {
    match symptom {
        Symptom::DropsUpgrade | Symptom::SpeaksOldHttp => &[
            "remove `http-request del-header Upgrade`",
            "remove `http-request set-header Upgrade ...`",
        ],
        Symptom::DropsConnection => &["remove `http-request del-header Connection`"],
        Symptom::RewritesHost => &["remove `http-request set-header Host ...`"],
        Symptom::CutsIdle => &["timeout tunnel 1h"],
        Symptom::DropsSubprotocol => &[
            "remove `http-request del-header Sec-WebSocket-Protocol`",
            "remove `http-response del-header Sec-WebSocket-Protocol`",
        ],
        Symptom::ChangesPath => &["remove `http-request set-path ...` and `replace-path`"],
        Symptom::MissesServer => &["server NAME {server}"],
        Symptom::NoExtendedConnect => &["bind :443 ssl crt FILE alpn h2,http/1.1"],
        Symptom::CopiesUpgrade => &[],
    }
}

fn apache(symptom: Symptom) -> &'static [&'static str] {
    match symptom {
        Symptom::DropsUpgrade | Symptom::SpeaksOldHttp | Symptom::DropsConnection => {
            &["ProxyPass \"{path}\" \"http://{server}{path}\" upgrade=websocket"]
        }
        Symptom::RewritesHost => &["ProxyPreserveHost On"],
        Symptom::CutsIdle => {
            &["ProxyPass \"{path}\" \"http://{server}{path}\" upgrade=websocket timeout=3600"]
        }
        Symptom::DropsSubprotocol => &["remove `RequestHeader unset Sec-WebSocket-Protocol`"],
        Symptom::ChangesPath | Symptom::MissesServer => {
            &["ProxyPass \"{path}\" \"http://{server}{path}\" upgrade=websocket"]
        }
        Symptom::NoExtendedConnect => &["H2WebSockets on"],
        Symptom::CopiesUpgrade => &[],
    }
}
