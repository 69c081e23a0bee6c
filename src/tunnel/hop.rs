//! The fields that concern one hop, and end with it (RFC 9110 7.6.1).

use http::{HeaderMap, HeaderName, HeaderValue, Method, Version, header};

use crate::grammar::List;

/// Takes off what concerns the hop a message came by: what `Connection` names, over all its lines, and
/// what is known to.
///
/// `Host` stays whatever `Connection` says, for the message would go nowhere without it.
pub(super) fn strip(headers: &mut HeaderMap) {
    // RFC 9112 6.3: it overrules a length, which must not be passed on.
    if headers.contains_key(header::TRANSFER_ENCODING) {
        headers.remove(header::CONTENT_LENGTH);
    }
    for name in named(headers) {
        headers.remove(name);
    }
    for name in &ONE_HOP {
        headers.remove(name);
    }
}

fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    if !headers.contains_key(header::CONNECTION) {
        return Vec::new();
    }
    let members = List::new(headers.get_all(header::CONNECTION));
    let names = members.iter_all().map(HeaderName::from_bytes);
    names
        .filter_map(Result::ok)
        .filter(|name| *name != header::HOST)
        .collect()
}

/// Whether content comes in a coding that would be lost with its name: any but `chunked`, which is that of
/// the hop (RFC 9112 6.1).
pub(super) fn is_coded(headers: &HeaderMap) -> bool {
    let codings = List::new(headers.get_all(header::TRANSFER_ENCODING));
    let is_chunked = |coding: &[u8]| coding.eq_ignore_ascii_case(b"chunked");
    !codings.iter_all().all(is_chunked)
}

/// Counts a request on that says how often it may be forwarded; false if it may not (RFC 9110 7.6.2).
pub(super) fn may_go_on(method: &Method, headers: &mut HeaderMap) -> bool {
    let counts = matches!(*method, Method::OPTIONS | Method::TRACE);
    let left = headers.get(header::MAX_FORWARDS).filter(|_| counts);
    let left: Option<u64> = left.and_then(|left| left.to_str().ok()?.parse().ok());
    match left {
        Some(0) => false,
        Some(left) => {
            headers.insert(header::MAX_FORWARDS, (left - 1).into());
            true
        }
        None => true,
    }
}

/// Whether the sender of a request takes trailers, which it says to this hop and means all of them.
pub(super) fn takes_trailers(headers: &HeaderMap) -> bool {
    List::new(headers.get_all(header::TE)).contains("trailers")
}

/// Adds a proxy to those that a message of this version went through (RFC 9110 7.6.3).
pub(super) fn append_via(headers: &mut HeaderMap, version: Version, name: &HeaderValue) {
    let received: &[u8] = match version {
        Version::HTTP_09 | Version::HTTP_10 => b"1.0 ",
        Version::HTTP_2 => b"2 ",
        Version::HTTP_3 => b"3 ",
        _ => b"1.1 ",
    };
    if let Ok(member) = HeaderValue::from_bytes(&[received, name.as_bytes()].concat()) {
        headers.append(header::VIA, member);
    }
}

/// How many fields a message may have to be passed on. A map that takes no more panics, and a proxy adds some.
pub(super) const MAX_FIELDS: usize = 8192;

static ONE_HOP: [HeaderName; 10] = [
    header::CONNECTION,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-authenticate"),
    HeaderName::from_static("proxy-authentication-info"),
    HeaderName::from_static("proxy-authorization"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::strip;

    #[track_caller]
    fn leaves(fields: &[(&'static str, &str)], expected: &[&str]) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let value = HeaderValue::from_str(value).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        strip(&mut headers);
        let mut left: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
        left.sort_unstable();
        assert_eq!(left, expected, "{fields:?}");
    }

    #[test]
    fn what_connection_names_goes_over_all_its_lines() {
        leaves(
            &[
                ("connection", "close, X-One"),
                ("x-one", "1"),
                ("x-one", "2"),
                ("connection", "x-two"),
                ("x-two", "1"),
                ("x-three", "1"),
            ],
            &["x-three"],
        );
        let many = "a,".repeat(500) + "x-last";
        leaves(&[("connection", &many), ("x-last", "1")], &[]);
    }

    #[test]
    fn what_is_known_to_go_goes_unnamed() {
        let fields = [
            "http2-settings",
            "keep-alive",
            "proxy-authenticate",
            "proxy-authentication-info",
            "proxy-authorization",
            "proxy-connection",
            "te",
            "transfer-encoding",
            "upgrade",
        ];
        for name in fields {
            leaves(&[(name, "x"), ("cookie", "a=b")], &["cookie"]);
        }
    }

    #[test]
    fn a_length_that_is_overruled_goes() {
        let both = [("transfer-encoding", "chunked"), ("content-length", "3")];
        leaves(&both, &[]);
        leaves(&[("content-length", "3")], &["content-length"]);
    }

    #[test]
    fn a_host_cannot_be_named_away() {
        leaves(&[("connection", "host, a b, ()"), ("host", "a")], &["host"]);
    }
}
