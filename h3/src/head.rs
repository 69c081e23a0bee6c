//! Heads of requests and responses, from and to fields (RFC 9114 4.2 and 4.3).

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response, Uri, Version,
    header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, TE, TRANSFER_ENCODING, UPGRADE},
};
use tokio_quiche::quiche::h3::{Header, NameValue};
use tower_upgrade::negotiate::ConnectProtocol;

/// A head that is not one, which is the request's fault alone (RFC 9114 4.1.2).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

/// How large a list of fields is, as RFC 9114 4.2.2 counts.
pub(crate) fn size(fields: &[Header]) -> usize {
    let size = |field: &Header| field.name().len() + field.value().len() + 32;
    fields.iter().map(size).sum()
}

/// Makes a request of its fields, with a [`ConnectProtocol`] if it is an extended CONNECT.
pub(crate) fn request(fields: &[Header]) -> Result<Request<()>, Malformed> {
    let mut pseudo = Pseudo::default();
    let mut headers = HeaderMap::new();
    for field in fields {
        if field.name().first() != Some(&b':') {
            append(&mut headers, field)?;
        } else if headers.is_empty() {
            pseudo.set(field)?;
        } else {
            return Err(Malformed);
        }
    }
    join_cookies(&mut headers)?;
    pseudo.into_request(headers)
}

/// RFC 9114 4.2.1: a client may send a cookie a line, which everybody else expects in one.
fn join_cookies(headers: &mut HeaderMap) -> Result<(), Malformed> {
    let mut lines = headers.get_all(COOKIE).iter();
    let Some(first) = lines.next() else {
        return Ok(());
    };
    let mut all = first.as_bytes().to_vec();
    for line in lines {
        all.extend_from_slice(b"; ");
        all.extend_from_slice(line.as_bytes());
    }
    let all = HeaderValue::try_from(all).map_err(|_| Malformed)?;
    headers.insert(COOKIE, all);
    Ok(())
}

/// Makes fields of trailers of their own.
pub(crate) fn trailers(fields: &[Header]) -> Result<HeaderMap, Malformed> {
    let mut headers = HeaderMap::new();
    for field in fields {
        append(&mut headers, field)?;
    }
    Ok(headers)
}

/// Returns `Content-Length`, which there must be one of or none.
pub(crate) fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut lines = headers.get_all(CONTENT_LENGTH).iter();
    let Some(line) = lines.next() else {
        return Ok(None);
    };
    let digits = line.to_str().map_err(|_| Malformed)?;
    if lines.next().is_some() || !digits.bytes().all(|octet| octet.is_ascii_digit()) {
        return Err(Malformed);
    }
    digits.parse().map(Some).map_err(|_| Malformed)
}

/// The fields of a response's head.
pub(crate) fn response<B>(response: &Response<B>) -> Vec<Header> {
    let status = Header::new(b":status", response.status().as_str().as_bytes());
    let mut fields = vec![status];
    fields.extend(regular(response.headers()));
    fields
}

/// The fields of trailers.
pub(crate) fn trailing(trailers: &HeaderMap) -> Vec<Header> {
    regular(trailers).collect()
}

/// Those that are not about a connection of HTTP/1.1.
fn regular(headers: &HeaderMap) -> impl Iterator<Item = Header> {
    let fields = headers.iter().filter(|(name, _)| !is_of_a_connection(name));
    fields.map(|(name, value)| Header::new(name.as_str().as_bytes(), value.as_bytes()))
}

/// RFC 9114 4.2: what says something of a connection that HTTP/3 says otherwise.
fn is_of_a_connection(name: &HeaderName) -> bool {
    [CONNECTION, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

fn append(headers: &mut HeaderMap, field: &Header) -> Result<(), Malformed> {
    // It takes no upper case, and no pseudo-field.
    let name = HeaderName::from_lowercase(field.name()).map_err(|_| Malformed)?;
    let value = HeaderValue::from_bytes(field.value()).map_err(|_| Malformed)?;
    if is_of_a_connection(&name) || (name == TE && value != "trailers") {
        return Err(Malformed);
    }
    headers.try_append(name, value).map_err(|_| Malformed)?;
    Ok(())
}

#[derive(Default)]
struct Pseudo<'a> {
    method: Option<&'a [u8]>,
    scheme: Option<&'a [u8]>,
    authority: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    protocol: Option<&'a [u8]>,
}

impl<'a> Pseudo<'a> {
    fn set(&mut self, field: &'a Header) -> Result<(), Malformed> {
        let place = match field.name() {
            b":method" => &mut self.method,
            b":scheme" => &mut self.scheme,
            b":authority" => &mut self.authority,
            b":path" => &mut self.path,
            b":protocol" => &mut self.protocol,
            _ => return Err(Malformed),
        };
        if field.value().is_empty() || place.replace(field.value()).is_some() {
            return Err(Malformed);
        }
        Ok(())
    }

    fn into_request(self, headers: HeaderMap) -> Result<Request<()>, Malformed> {
        let method = self.method.ok_or(Malformed)?;
        let method = Method::from_bytes(method).map_err(|_| Malformed)?;
        let is_connect = method == Method::CONNECT;
        if self.protocol.is_some() && !is_connect {
            return Err(Malformed);
        }
        let protocol = self.protocol.map(protocol).transpose()?;
        let uri = self.uri(&method, protocol.is_some(), &headers)?;
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = Version::HTTP_3;
        *request.headers_mut() = headers;
        request.extensions_mut().extend(extension(protocol));
        Ok(request)
    }

    /// RFC 9114 4.3.1 and 4.4: an authority alone for a CONNECT without `:protocol`, else all of it.
    fn uri(
        self,
        method: &Method,
        is_extended: bool,
        headers: &HeaderMap,
    ) -> Result<Uri, Malformed> {
        let host = headers.get(HOST).map(HeaderValue::as_bytes);
        let authority = self.authority;
        if authority.is_some() && host.is_some_and(|host| authority != Some(host)) {
            return Err(Malformed);
        }
        if *method == Method::CONNECT && !is_extended {
            if self.scheme.is_some() || self.path.is_some() {
                return Err(Malformed);
            }
            return Uri::try_from(authority.ok_or(Malformed)?).map_err(|_| Malformed);
        }
        let (scheme, path) = (self.scheme.ok_or(Malformed)?, self.path.ok_or(Malformed)?);
        let is_server = path == b"*" && *method == Method::OPTIONS;
        if !path.starts_with(b"/") && !is_server {
            return Err(Malformed);
        }
        let authority = authority.or(host).ok_or(Malformed)?;
        // RFC 9114 4.3.1: no userinfo.
        if authority.contains(&b'@') {
            return Err(Malformed);
        }
        let uri = Uri::builder()
            .scheme(scheme)
            .authority(authority)
            .path_and_query(path);
        uri.build().map_err(|_| Malformed)
    }
}

fn protocol(value: &[u8]) -> Result<ConnectProtocol, Malformed> {
    let value = HeaderValue::from_bytes(value).map_err(|_| Malformed)?;
    value
        .to_str()
        .map(ConnectProtocol::new)
        .map_err(|_| Malformed)
}

fn extension(protocol: Option<ConnectProtocol>) -> http::Extensions {
    let mut extensions = http::Extensions::new();
    if let Some(protocol) = protocol {
        extensions.insert(protocol);
    }
    extensions
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};
    use tower_upgrade::negotiate::ConnectProtocol;

    use tokio_quiche::quiche::h3::Header;

    use super::{Malformed, content_length, request, response, size, trailers};

    const GET: [(&str, &str); 4] = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "a.example"),
        (":path", "/p?q"),
    ];

    fn fields(fields: &[(&str, &str)]) -> Vec<Header> {
        let field = |(name, value): &(&str, &str)| Header::new(name.as_bytes(), value.as_bytes());
        fields.iter().map(field).collect()
    }

    #[track_caller]
    fn reads(more: &[(&'static str, &'static str)]) -> Request<()> {
        request(&fields(more)).unwrap()
    }

    #[track_caller]
    fn refuses(list: &[(&'static str, &'static str)]) {
        assert_eq!(request(&fields(list)).unwrap_err(), Malformed, "{list:?}");
    }

    #[test]
    fn a_request_has_its_method_and_its_whole_target() {
        let read = reads(&GET);
        assert_eq!(read.uri(), "https://a.example/p?q");
        assert_eq!(read.version(), http::Version::HTTP_3);
        let host = [GET[0], GET[1], GET[3], ("host", "b.example")];
        assert_eq!(reads(&host).uri(), "https://b.example/p?q");
        let star = [(":method", "OPTIONS"), GET[1], GET[2], (":path", "*")];
        assert_eq!(reads(&star).uri().path(), "*");
    }

    #[test]
    fn an_extended_connect_has_its_protocol_and_the_whole_target_too() {
        let connect = [(":method", "CONNECT"), GET[1], GET[2], GET[3]];
        let read = reads(&[&connect[..], &[(":protocol", "Echo/2.0")]].concat());
        assert_eq!(read.uri(), "https://a.example/p?q");
        let protocol = read.extensions().get::<ConnectProtocol>().unwrap();
        assert_eq!(protocol.as_str(), "Echo/2.0");
        refuses(&connect);
        refuses(&[&GET[..], &[(":protocol", "websocket")]].concat());
        refuses(&[&connect[..], &[(":protocol", "")]].concat());
        refuses(&[&connect[..], &[(":protocol", "\u{e4}")]].concat());

        let plain = reads(&[(":method", "CONNECT"), (":authority", "a:1")]);
        assert_eq!(plain.uri(), "a:1");
        assert!(plain.extensions().get::<ConnectProtocol>().is_none());
    }

    #[test]
    fn cookies_are_one_line() {
        let lines = [("cookie", "a=1"), ("x-a", "1"), ("cookie", "b=2; c=3")];
        let read = reads(&[&GET[..], &lines].concat());
        let cookies: Vec<_> = read.headers().get_all("cookie").iter().collect();
        assert_eq!(cookies, ["a=1; b=2; c=3"]);
        let one = reads(&[&GET[..], &[("cookie", "a=1")]].concat());
        assert_eq!(one.headers()["cookie"], "a=1");
        assert!(!reads(&GET).headers().contains_key("cookie"));
    }

    #[test]
    fn a_list_is_as_large_as_its_fields_and_32_octets_for_each() {
        assert_eq!(size(&[]), 0);
        assert_eq!(size(&fields(&[("a", "bc"), ("", "")])), 35 + 32);
    }

    #[test]
    fn a_malformed_request_is_none() {
        for missing in 0..GET.len() {
            let mut list = GET.to_vec();
            list.remove(missing);
            refuses(&list);
        }
        for more in [
            (":path", "/"),
            (":status", "200"),
            (":unknown", "a"),
            ("Accept", "a"),
            ("a b", "a"),
            ("", "a"),
            ("accept", "a\nb"),
            ("connection", "close"),
            ("upgrade", "websocket"),
            ("transfer-encoding", "chunked"),
            ("keep-alive", "1"),
            ("te", "gzip"),
            ("host", "another.example"),
        ] {
            refuses(&[&GET[..], &[more]].concat());
        }
        refuses(&[GET[0], GET[1], (":authority", "a@b.example"), GET[3]]);
        refuses(&[("accept", "a"), GET[0], GET[1], GET[2], GET[3]]);
        refuses(&[GET[0], GET[1], GET[2], (":path", "p")]);
        refuses(&[GET[0], GET[1], GET[2], (":path", "*")]);
        reads(&[&GET[..], &[("te", "trailers"), ("host", "a.example")]].concat());
        assert_eq!(trailers(&fields(&GET)), Err(Malformed));
    }

    #[test]
    fn a_content_length_is_one_number() {
        let read = |lines: &[(&'static str, &'static str)]| {
            content_length(reads(&[&GET[..], lines].concat()).headers())
        };
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("content-length", "12")]), Ok(Some(12)));
        for wrong in ["+1", "-1", "", "1, 1", "99999999999999999999", "a"] {
            assert_eq!(
                read(&[("content-length", wrong)]),
                Err(Malformed),
                "{wrong}"
            );
        }
        let twice = [("content-length", "1"), ("content-length", "1")];
        assert_eq!(read(&twice), Err(Malformed));
    }

    #[test]
    fn a_response_says_nothing_of_a_connection() {
        let sent = Response::builder()
            .status(426)
            .header("upgrade", "websocket")
            .header("connection", "upgrade")
            .header("x-a", "1")
            .header("x-a", "2")
            .body(())
            .unwrap();
        assert_eq!(
            response(&sent),
            fields(&[(":status", "426"), ("x-a", "1"), ("x-a", "2")])
        );
    }
}
