//! The host and port a request was sent to (RFC 9110 7.2, RFC 9113 8.3.1).

use http::{Version, uri::Scheme};

use crate::{
    fields::{Fields, Lines},
    grammar::ByteSet,
    head::Head,
    refusal::{Refusal, RefusalKind},
};

/// A host and, where one was written, a port.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostPort<'a> {
    /// Both as they were written.
    pub(crate) text: &'a [u8],
    pub(super) host: &'a [u8],
    pub(super) port: Option<u16>,
    /// What no port stands for, where the request tells its scheme by being sent to `https`. That of
    /// one sent to `http` tells nothing: TLS may have ended at a proxy in front.
    pub(super) default: Option<u16>,
}

impl<'a> HostPort<'a> {
    /// `uri-host [ ":" port ]`: no user, no path, nothing else.
    pub(super) fn parse(text: &'a [u8]) -> Option<Self> {
        let (host, rest, is_sound) = match text {
            [b'[', ..] => {
                let end = text.iter().position(|b| *b == b']')? + 1;
                let (host, rest) = text.split_at_checked(end)?;
                let literal = host.get(1..end - 1)?;
                let is_sound = literal
                    .iter()
                    .all(|b| *b == b':' || HOST_CHARS.contains(*b));
                (host, rest, is_sound && !literal.is_empty())
            }
            _ => {
                let end = text.iter().position(|b| !HOST_CHARS.contains(*b));
                let (host, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
                (host, rest, !host.is_empty())
            }
        };
        is_sound.then_some(Self {
            text,
            host,
            port: parse_port(rest)?,
            default: None,
        })
    }

    /// Where the request was sent: the one `Host` over HTTP/1.1 (an absolute target overrules it,
    /// RFC 9112 3.2.2), `:authority` over HTTP/2 and 3.
    pub(crate) fn of_request(fields: &Fields<'a>, head: &Head<'a>) -> Result<Self, Refusal> {
        let host = match fields.host {
            Lines::None => None,
            Lines::One(line) => match Self::parse(line.as_bytes()) {
                Some(host) => Some(host),
                None => return Err(refuse("`Host` is not a host with an optional port")),
            },
            Lines::Many => return Err(refuse("`Host` came more than once")),
        };
        let Some(authority) = head.uri.authority() else {
            return host.ok_or_else(|| refuse("`Host` is missing"));
        };
        let Some(mut target) = Self::parse(authority.as_str().as_bytes()) else {
            return Err(refuse(
                "the request's authority is not a host with an optional port",
            ));
        };
        target.default = (head.uri.scheme() == Some(&Scheme::HTTPS)).then_some(443);
        match host {
            None if head.version < Version::HTTP_2 => Err(refuse("`Host` is missing")),
            Some(host) if head.version >= Version::HTTP_2 && !target.is(&host) => {
                Err(refuse("`Host` and `:authority` differ"))
            }
            _ => Ok(target),
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

/// What stands behind a host: nothing, or a colon and digits. A colon alone stands for the default
/// port (RFC 3986 3.2.3).
fn parse_port(text: &[u8]) -> Option<Option<u16>> {
    match text {
        [] | [b':'] => Some(None),
        [b':', digits @ ..] if digits.iter().all(u8::is_ascii_digit) => {
            std::str::from_utf8(digits).ok()?.parse().ok().map(Some)
        }
        _ => None,
    }
}

/// `unreserved`, `sub-delims` and the sign of an escape (RFC 3986 3.2.2).
static HOST_CHARS: ByteSet = ByteSet::alphanumeric_and(b"-._~%!$&'()*+,;=");

#[cfg(test)]
mod tests {
    use super::HostPort;

    #[track_caller]
    fn reads(text: &str, host: &str, port: Option<u16>) {
        let parsed = HostPort::parse(text.as_bytes()).unwrap();
        assert_eq!(
            (parsed.host, parsed.port),
            (host.as_bytes(), port),
            "{text}"
        );
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
