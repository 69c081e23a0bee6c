//! Who may open a WebSocket from a page: `Origin` (RFC 6454 7, RFC 6455 10.2).

use std::{fmt, sync::Arc};

use http::{HeaderValue, header};

use super::authority::HostPort;
use crate::{
    fields::Lines,
    grammar::{List, split_params},
    head::Head,
    refusal::{Refusal, RefusalKind},
};

/// The user's say on an `Origin`, with the head it came in.
pub(super) type Predicate = dyn Fn(&str, &Head<'_>) -> bool + Send + Sync;

/// Which origins are let in.
#[derive(Clone, Default)]
pub(super) enum Origins {
    /// The host and port the request was sent to.
    #[default]
    SameHost,
    /// The same, as a trusted proxy in front tells it.
    SameForwardedHost,
    /// These and no others.
    List(Vec<Origin>),
    /// Whatever this says.
    If(Arc<Predicate>),
    /// All.
    Any,
}

impl Origins {
    /// No `Origin` at all passes: what sends none is no browser, and could write what it likes.
    pub(super) fn check(
        &self,
        lines: Lines<'_>,
        target: HostPort<'_>,
        head: &Head<'_>,
    ) -> Result<(), Refusal> {
        let line = match lines {
            _ if matches!(self, Self::Any) => return Ok(()),
            Lines::None => return Ok(()),
            Lines::One(line) => line,
            Lines::Many => return Err(refuse("`Origin` came more than once")),
        };
        let text = line.as_bytes();
        let allowed = match self {
            Self::Any => true,
            Self::If(predicate) => line.to_str().is_ok_and(|text| predicate(text, head)),
            Self::List(list) => {
                Parsed::parse(text).is_some_and(|o| list.iter().any(|own| own.is(&o)))
            }
            Self::SameHost => is_of(text, target),
            Self::SameForwardedHost => match forwarded_host(head) {
                Some(host) => host.is_some_and(|host| is_of(text, host)),
                None => is_of(text, target),
            },
        };
        if allowed {
            Ok(())
        } else {
            Err(self.refuse(text))
        }
    }

    #[cold]
    fn refuse(&self, origin: &[u8]) -> Refusal {
        refuse(match self {
            _ if origin == b"null" => {
                "a page whose origin is opaque (`null`) may not open this WebSocket"
            }
            Self::SameHost => {
                "`Origin` is not the host and port the request was sent to: allow it by `allow_origins`, \
                 or by `trust_forwarded_host` if a proxy in front rewrites `Host`"
            }
            Self::SameForwardedHost => {
                "`Origin` is not the host and port that the proxy in front says the request was sent to"
            }
            _ => "`Origin` is not one that may open this WebSocket",
        })
    }
}

impl fmt::Debug for Origins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SameHost => f.write_str("SameHost"),
            Self::SameForwardedHost => f.write_str("SameForwardedHost"),
            Self::List(list) => f.debug_tuple("List").field(list).finish(),
            Self::If(_) => f.write_str("If(..)"),
            Self::Any => f.write_str("Any"),
        }
    }
}

/// An origin of the policy: scheme, host, and a port that is always written out.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    scheme: Box<[u8]>,
    host: Box<[u8]>,
    port: Option<u16>,
}

impl Origin {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let origin = Parsed::parse(text.as_bytes())?;
        Some(Self {
            scheme: origin.scheme.into(),
            host: origin.host.into(),
            port: origin.port,
        })
    }

    fn is(&self, other: &Parsed<'_>) -> bool {
        self.port == other.port
            && self.scheme.eq_ignore_ascii_case(other.scheme)
            && self.host.eq_ignore_ascii_case(other.host)
    }
}

/// `scheme "://" host [ ":" port ]`, the scheme's default port filled in.
struct Parsed<'a> {
    scheme: &'a [u8],
    host: &'a [u8],
    port: Option<u16>,
}

impl<'a> Parsed<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (scheme, authority) = split_scheme(text)?;
        let [first, rest @ ..] = scheme else {
            return None;
        };
        let is_scheme_char = |b: &u8| b.is_ascii_alphanumeric() || b"+-.".contains(b);
        let is_sound = first.is_ascii_alphabetic() && rest.iter().all(is_scheme_char);
        let HostPort { host, port, .. } = HostPort::parse(authority)?;
        is_sound.then_some(Self {
            scheme,
            host,
            port: port.or(default_port(scheme)),
        })
    }
}

/// Whether a page of this origin was served by `target`. Where `target` has no port written and its
/// scheme is not known, it is the default one of the page's own scheme, for TLS may end at a proxy in
/// front.
fn is_of(origin: &[u8], target: HostPort<'_>) -> bool {
    let Some((scheme, authority)) = split_scheme(origin) else {
        return false;
    };
    let Some(default) = default_port(scheme) else {
        return false;
    };
    if authority == target.text && target.default.is_none_or(|known| known == default) {
        return true;
    }
    let Some(page) = HostPort::parse(authority) else {
        return false;
    };
    let target_port = target.port.or(target.default).unwrap_or(default);
    page.port.unwrap_or(default) == target_port && page.host.eq_ignore_ascii_case(target.host)
}

/// Splits an origin at its `://`.
fn split_scheme(origin: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = origin.iter().position(|b| *b == b':')?;
    let (scheme, rest) = origin.split_at_checked(colon)?;
    Some((scheme, rest.strip_prefix(b"://")?))
}

fn default_port(scheme: &[u8]) -> Option<u16> {
    let is = |name: &str| scheme.eq_ignore_ascii_case(name.as_bytes());
    if is("https") || is("wss") {
        Some(443)
    } else if is("http") || is("ws") {
        Some(80)
    } else {
        None
    }
}

/// The host as the nearest proxy tells it, who writes the last member: `Forwarded` (RFC 7239) where
/// that names one, else `X-Forwarded-Host`. `None` if there is neither, `Some(None)` if it cannot be
/// read.
fn forwarded_host<'a>(head: &Head<'a>) -> Option<Option<HostPort<'a>>> {
    // Unbounded, for the last member is the one to be trusted, however many a client puts before it.
    let forwarded = List::new(head.headers.get_all(header::FORWARDED));
    if let Some(host) = forwarded.iter_all().last().and_then(forwarded_param) {
        return Some(HostPort::parse(host));
    }
    let mut lines = head.headers.get_all("x-forwarded-host").iter();
    let line: &HeaderValue = lines.next_back()?;
    let last = line.as_bytes().rsplit(|b| *b == b',').next()?;
    Some(HostPort::parse(last.trim_ascii()))
}

/// The value of `host=` in one element of `Forwarded`, whose first pair stands before any `;`.
fn forwarded_param(element: &[u8]) -> Option<&[u8]> {
    let (first, _) = split_params(element);
    let rest = element.get(first.len()..).unwrap_or_default();
    std::iter::once(first)
        .chain(rest.split(|b| *b == b';'))
        .map(<[u8]>::trim_ascii)
        .find_map(|pair| {
            let (name, value) = pair.split_at_checked(5)?;
            name.eq_ignore_ascii_case(b"host=").then_some(value)
        })
        .map(|value| {
            value
                .strip_prefix(b"\"")
                .and_then(|v| v.strip_suffix(b"\""))
                .unwrap_or(value)
        })
}

#[cold]
fn refuse(hint: &'static str) -> Refusal {
    Refusal::new(RefusalKind::Origin, hint)
}

#[cfg(test)]
mod tests {
    use http::{Request, request::Parts};

    use super::{Origin, Origins};
    use crate::{fields::Fields, head::Head, websocket::authority::HostPort};

    fn head(host: &str, fields: &[(&str, &str)]) -> Parts {
        let mut request = Request::get("/").header("host", host);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[track_caller]
    fn check(origins: &Origins, host: &str, fields: &[(&str, &str)], expected: bool) {
        let head = head(host, fields);
        let head = Head::from(&head);
        let read = Fields::read(head.headers);
        let target = HostPort::of_request(&read, &head).unwrap();
        assert_eq!(
            origins.check(read.origin, target, &head).is_ok(),
            expected,
            "{host} {fields:?}"
        );
    }

    #[track_caller]
    fn same(host: &str, origin: &str, expected: bool) {
        check(&Origins::SameHost, host, &[("origin", origin)], expected);
    }

    #[test]
    fn by_default_host_and_port_are_those_of_the_request() {
        same("a.example", "http://a.example", true);
        same("a.example", "https://A.EXAMPLE", true);
        same("a.example:8080", "http://a.example:8080", true);
        same("[::1]:8080", "http://[::1]:8080", true);
        same("a.example", "http://b.example", false);
        same("a.example", "http://a.example.evil", false);
        same("a.example:8080", "http://a.example", false);
        same("a.example", "http://a.example:8080", false);
    }

    #[test]
    fn a_default_port_counts_as_written() {
        same("a:443", "https://a", true);
        same("a", "https://a:443", true);
        same("a:80", "http://a", true);
        same("a:80", "https://a", false);
        same("a:443", "http://a", false);
        same("a", "https://a:80", false);
    }

    #[test]
    fn what_is_no_origin_of_a_page_is_refused() {
        for origin in [
            "null",
            "",
            "a",
            "http://",
            "http://a/",
            "http://u@a",
            "http://a http://b",
            "file://a",
            "ftp://a",
        ] {
            same("a", origin, false);
        }
        check(
            &Origins::SameHost,
            "a",
            &[("origin", "http://a"), ("origin", "http://a")],
            false,
        );
        check(&Origins::SameHost, "a", &[], true);
    }

    #[test]
    fn a_list_compares_scheme_host_and_port() {
        let list = Origins::List(vec![
            Origin::parse("https://a.example").unwrap(),
            Origin::parse("app://x").unwrap(),
        ]);
        check(&list, "h", &[("origin", "https://a.example:443")], true);
        check(&list, "h", &[("origin", "app://x")], true);
        check(&list, "h", &[("origin", "http://a.example")], false);
        check(&list, "h", &[("origin", "https://a.example:8443")], false);
        check(&list, "a.example", &[("origin", "https://h")], false);
        check(&list, "h", &[("origin", "null")], false);
    }

    #[test]
    fn forwarded_fields_count_only_where_they_are_trusted() {
        let spoofed = [
            ("origin", "http://a"),
            ("x-forwarded-host", "a"),
            ("forwarded", "host=a"),
        ];
        check(&Origins::SameHost, "inner", &spoofed, false);

        let trusting = Origins::SameForwardedHost;
        check(
            &trusting,
            "inner",
            &[("origin", "http://a"), ("x-forwarded-host", "evil, a")],
            true,
        );
        check(
            &trusting,
            "inner",
            &[("origin", "http://evil"), ("x-forwarded-host", "evil, a")],
            false,
        );
        check(
            &trusting,
            "inner",
            &[
                ("origin", "http://a:81"),
                ("forwarded", "for=1;Host=\"a:81\";proto=http"),
            ],
            true,
        );
        check(
            &trusting,
            "inner",
            &[("origin", "http://a"), ("forwarded", "for=1, host=a")],
            true,
        );
        check(
            &trusting,
            "inner",
            &[("origin", "http://a"), ("forwarded", "host=a, host=b")],
            false,
        );
        check(&trusting, "inner", &[("origin", "http://inner")], true);
        check(
            &trusting,
            "inner",
            &[("origin", "http://inner"), ("x-forwarded-host", "/")],
            false,
        );
    }
}
