//! The host and port a request was sent to (RFC 9110 7.2, RFC 9113 8.3.1).

use http::{Version, header::HOST, request::Parts};

use crate::refusal::{Refusal, RefusalKind};

/// A host and, where one was written, a port.
#[derive(Clone, Copy, Debug)]
pub(super) struct HostPort<'a> {
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// `uri-host [ ":" port ]`: no user, no path, nothing else.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let end = match text.strip_prefix('[') {
            Some(literal) => literal.find(']')? + 2,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (host, port) = text.split_at_checked(end)?;
        let port = match port.strip_prefix(':') {
            None if port.is_empty() => None,
            None => return None,
            // RFC 3986 3.2.3: a colon with no digits behind it stands for the default port.
            Some("") => None,
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                Some(digits.parse().ok()?)
            }
            Some(_) => return None,
        };
        is_host(host).then_some(Self { host, port })
    }

    /// Where the request was sent: the one `Host` over HTTP/1.1 (an absolute target overrules it,
    /// RFC 9112 3.2.2), `:authority` over HTTP/2 and 3.
    pub(super) fn of_request(head: &'a Parts) -> Result<Self, Refusal> {
        let mut lines = head.headers.get_all(HOST).iter();
        let host = lines.next();
        if lines.next().is_some() {
            return Err(refuse("`Host` came more than once"));
        }
        let host = match host.map(|line| Self::parse(line.as_bytes())) {
            None => None,
            Some(Some(host)) => Some(host),
            Some(None) => return Err(refuse("`Host` is not a host with an optional port")),
        };
        let authority = head
            .uri
            .authority()
            .map(|a| Self::parse(a.as_str().as_bytes()));
        match (authority, host) {
            (Some(None), _) => Err(refuse(
                "the request's authority is not a host with an optional port",
            )),
            (Some(Some(_)), None) if head.version < Version::HTTP_2 => {
                Err(refuse("`Host` is missing"))
            }
            (Some(Some(target)), Some(host))
                if head.version >= Version::HTTP_2 && !target.is(&host) =>
            {
                Err(refuse("`Host` and `:authority` differ"))
            }
            (Some(Some(target)), _) => Ok(target),
            (None, Some(host)) => Ok(host),
            (None, None) => Err(refuse("`Host` is missing")),
        }
    }

    fn is(&self, other: &HostPort<'_>) -> bool {
        self.port == other.port && self.host.eq_ignore_ascii_case(other.host)
    }
}

#[cold]
fn refuse(hint: &'static str) -> Refusal {
    Refusal::new(RefusalKind::Host, hint)
}

/// The characters a host is written with (RFC 3986 3.2.2), or an IP literal in brackets.
fn is_host(host: &str) -> bool {
    match host.strip_prefix('[').and_then(|h| h.strip_suffix(']')) {
        Some(literal) => {
            !literal.is_empty()
                && literal
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b":.-_~%".contains(&b))
        }
        None => {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&b))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::HostPort;

    #[track_caller]
    fn reads(text: &str, host: &str, port: Option<u16>) {
        let parsed = HostPort::parse(text.as_bytes()).unwrap();
        assert_eq!((parsed.host, parsed.port), (host, port), "{text}");
    }

    #[test]
    fn a_host_may_have_a_port() {
        reads("a.example", "a.example", None);
        reads("a.example:8080", "a.example", Some(8080));
        reads("a:", "a", None);
        reads("127.0.0.1:1", "127.0.0.1", Some(1));
        reads("[::1]", "[::1]", None);
        reads("[::1]:443", "[::1]", Some(443));
    }

    #[test]
    fn nothing_else_is_a_host() {
        for text in [
            "", ":80", "a:b", "a:1:2", "a:65536", "a:+1", "u@a", "a/b", "a b", "[::1", "[]", "::1",
            "[::1]x", "\u{e9}",
        ] {
            assert!(HostPort::parse(text.as_bytes()).is_none(), "{text}");
        }
    }
}
