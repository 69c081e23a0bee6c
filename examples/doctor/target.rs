//! `Target`: where a handshake is tried, read from a URL.

use http::Uri;

use crate::text::{printable, quoted};

/// The server, the way to it and the path.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    url: String,
    is_secure: bool,
    host: String,
    port: u16,
    path: String,
}

impl Target {
    /// Reads `ws`, `wss`, `http` or `https` URLs; the first two and the last two mean the same here.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{}: {why}", quoted(url));
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let scheme = uri.scheme_str().map(str::to_ascii_lowercase);
        let is_secure = match scheme.as_deref() {
            Some("ws" | "http") => false,
            Some("wss" | "https") => true,
            _ => return Err(wrong("begins with none of ws:, wss:, http: and https:")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("credentials in a URL are sent by no browser"));
        }
        let host = authority.host();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        // `Authority::port` takes a port that is none for the absence of one.
        let after_host = authority.as_str().strip_prefix(authority.host());
        let port = match after_host.and_then(|rest| rest.strip_prefix(':')) {
            Some(port) => port.parse().map_err(|_| wrong("no such port"))?,
            None => default_port(is_secure),
        };
        if host.is_empty() || port == 0 {
            return Err(wrong("names no host or no port"));
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            // A fragment can be anything.
            url: printable(url.as_bytes()),
            is_secure,
            host: host.to_owned(),
            port,
            path: as_sent(path),
        })
    }

    /// Returns the URL as it was given, escaped.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Returns the host, an IPv6 address without its brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns the path with the query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns host and port as a browser writes them in `Host`: without a port that goes without saying.
    pub(crate) fn authority(&self) -> String {
        let host = if self.host.contains(':') {
            format!("[{}]", self.host)
        } else {
            self.host.to_ascii_lowercase()
        };
        if self.port == default_port(self.is_secure) {
            host
        } else {
            format!("{host}:{}", self.port)
        }
    }

    /// Returns the origin of a page of this same server.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", self.http_scheme(), self.authority())
    }

    pub(crate) fn http_scheme(&self) -> &'static str {
        if self.is_secure { "https" } else { "http" }
    }
}

/// A path begins with a slash, and is of ASCII, whatever was typed.
fn as_sent(path: &str) -> String {
    let mut sent = String::with_capacity(path.len() + 1);
    if !path.starts_with('/') {
        sent.push('/');
    }
    for byte in path.bytes() {
        match byte {
            b'!'..=b'~' => sent.push(char::from(byte)),
            _ => sent.push_str(&format!("%{byte:02X}")),
        }
    }
    sent
}

fn default_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}
