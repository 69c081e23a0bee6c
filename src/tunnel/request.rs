//! The request that goes to an upstream.

use http::{
    HeaderValue, Method, Request, Uri, Version,
    header::{self, HOST},
    request::Parts,
    uri::PathAndQuery,
};
use http_body::Body;
use hyper::ext::Protocol;

use super::{
    body::RequestBody,
    error::{TunnelError, TunnelErrorKind},
    exchange::{Asked, AskedBy, Exchange},
    forwarded::{Forwarded, Told},
    hop,
    relay::Speed,
};
use crate::{
    fields::Fields,
    head::Head,
    negotiate::{Acceptance, join_cookies},
    upgrade::OnUpgrade,
    websocket::{HostPort, Key},
};

/// How requests are forwarded.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// That of the upstream.
    pub(super) version: Version,
    pub(super) via: Option<HeaderValue>,
    pub(super) forwarded: Forwarded,
    /// How fast its relays may become.
    pub(super) top: Speed,
}

/// The host that a client asked for: in the extensions of a request that goes to an HTTP/2 upstream.
///
/// Over HTTP/1.1 it is in `Host`, whatever address the connection goes to. Over HTTP/2 `:authority` says
/// both, and hyper-util's client knows a connection by it, so that the upstream sees its own name there. A
/// client service that knows its connections otherwise may put this in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginalHost(HeaderValue);

impl OriginalHost {
    /// Returns the host, with a port if the client wrote one.
    #[must_use]
    pub const fn get(&self) -> &HeaderValue {
        &self.0
    }
}

impl Manner {
    /// Makes a client's request that of a proxy.
    pub(super) fn forward<B>(
        &self,
        mut request: Request<B>,
        upstream: Uri,
        in_details: bool,
    ) -> Result<(Request<RequestBody<B>>, Exchange), TunnelError>
    where
        B: Body,
    {
        let on_upgrade = OnUpgrade::take(&mut request);
        check(&request, on_upgrade.is_some())?;
        if !hop::may_go_on(&request.method().clone(), request.headers_mut()) {
            return Err(not_forwarded());
        }
        let host = host(&request)?;
        let acceptances = on_upgrade.as_ref().map(|on| on.alternatives(&request));
        // That of the connection, where a translated request shows another.
        let version = on_upgrade
            .as_ref()
            .map_or(request.version(), |on| on.version());
        let told = self.forwarded.read(&Head::from(&request));

        let (mut head, body) = request.into_parts();
        self.rewrite(&mut head, version, &told, host.as_ref());
        if self.version != Version::HTTP_2 {
            keep_open(&mut head, &body);
        }
        head.uri = target(upstream, &head.uri)?;
        head.version = self.version;
        head.extensions.remove::<Protocol>();
        if let (Some(host), Version::HTTP_2) = (host, self.version) {
            head.extensions.insert(OriginalHost(host));
        }
        let (body, progress) = RequestBody::new(body, on_upgrade.as_ref());
        let mut request = Request::from_parts(head, body);
        let asked = match on_upgrade.zip(acceptances) {
            Some((on_upgrade, acceptances)) => {
                Some(self.ask(on_upgrade, acceptances, &mut request)?)
            }
            None => None,
        };
        let exchange = Exchange {
            version,
            asked,
            progress,
            top: self.top,
            via: self.via.clone(),
            in_details,
        };
        Ok((request, exchange))
    }

    /// The fields of a request, from those it came with.
    fn rewrite(&self, head: &mut Parts, version: Version, told: &Told, host: Option<&HeaderValue>) {
        let headers = &mut head.headers;
        let trailers = hop::takes_trailers(headers);
        hop::strip(headers);
        self.forwarded.write(told, host, headers);
        if let Some(via) = &self.via {
            hop::append_via(headers, version, via);
        }
        if self.version == Version::HTTP_2 {
            headers.remove(HOST);
        } else {
            join_cookies(headers);
            if let Some(host) = host {
                headers.insert(HOST, host.clone());
            }
        }
        if trailers {
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
            if self.version != Version::HTTP_2 {
                headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
            }
        }
    }

    /// Offers the upstream what was let through, in the form of its version.
    fn ask<B>(
        &self,
        on_upgrade: OnUpgrade,
        mut acceptances: Vec<Acceptance>,
        request: &mut Request<RequestBody<B>>,
    ) -> Result<Asked, TunnelError> {
        let form = if self.version == Version::HTTP_2 {
            acceptances.truncate(1);
            connect(&acceptances, request)?
        } else {
            upgrade(&acceptances, request)?
        };
        for acceptance in &acceptances {
            acceptance.restrict_subprotocols(request.headers_mut());
        }
        let headers = request.headers();
        Ok(Asked::new(on_upgrade, form, acceptances, headers))
    }
}

/// hyper takes a GET for empty that says neither how long it is nor that it does not know.
fn keep_open(head: &mut Parts, body: &impl Body) {
    let is_open = !body.is_end_stream() && body.size_hint().exact().is_none();
    if is_open && !head.headers.contains_key(header::CONTENT_LENGTH) {
        let chunked = HeaderValue::from_static("chunked");
        head.headers.insert(header::TRANSFER_ENCODING, chunked);
    }
}

/// What cannot be forwarded, whatever the upstream.
fn check<B>(request: &Request<B>, is_accepted: bool) -> Result<(), TunnelError> {
    let (kind, hint) = if *request.method() == Method::CONNECT && !is_accepted {
        let hint = "this is a reverse proxy: a CONNECT needs a `:protocol` that is forwarded here";
        (TunnelErrorKind::Connect, hint)
    } else if request.headers().len() > hop::MAX_FIELDS {
        let hint = "the request has more fields than are forwarded";
        (TunnelErrorKind::TooManyFields, hint)
    } else if hop::is_coded(request.headers()) {
        let hint = "the request's content comes in a transfer coding other than `chunked`";
        (TunnelErrorKind::TransferCoding, hint)
    } else {
        return Ok(());
    };
    Err(TunnelError::new(kind, hint))
}

/// RFC 9110 7.8: all in one list, in the order that decides.
fn upgrade<B>(
    acceptances: &[Acceptance],
    request: &mut Request<RequestBody<B>>,
) -> Result<AskedBy, TunnelError> {
    if *request.method() == Method::CONNECT {
        *request.method_mut() = Method::GET;
    }
    if acceptances.is_empty() {
        return Err(no_protocol());
    }
    let names: Vec<_> = acceptances.iter().map(|a| a.protocol().as_str()).collect();
    let names = HeaderValue::try_from(names.join(", ")).map_err(|_| no_protocol())?;
    let key = match acceptances.iter().find(|a| a.is_websocket()) {
        Some(acceptance) => Some(key(acceptance)?),
        None => None,
    };
    let headers = request.headers_mut();
    let connection = if headers.contains_key(header::TE) {
        HeaderValue::from_static("upgrade, te")
    } else {
        HeaderValue::from_static("upgrade")
    };
    headers.insert(header::CONNECTION, connection);
    headers.insert(header::UPGRADE, names);
    if let Some(value) = key.and_then(Key::to_value) {
        headers.insert(header::SEC_WEBSOCKET_KEY, value);
    }
    Ok(AskedBy::Upgrade { key })
}

/// The client's own, so that what answers it is the same on both sides; or one that is made, where
/// the client sent none.
fn key(acceptance: &Acceptance) -> Result<Key, TunnelError> {
    if let Some(key) = acceptance.key() {
        return Ok(key);
    }
    Key::random().map_err(|error| {
        let hint = "no random octets could be had for a `Sec-WebSocket-Key`";
        TunnelError::new(TunnelErrorKind::NoKey, hint).with_source(error.into())
    })
}

/// RFC 8441 4 and 5: one protocol, and no key.
fn connect<B>(
    acceptances: &[Acceptance],
    request: &mut Request<RequestBody<B>>,
) -> Result<AskedBy, TunnelError> {
    let acceptance = acceptances.first().ok_or_else(no_protocol)?;
    if acceptance.content().is_some() {
        let hint = "an offer with content cannot be forwarded over HTTP/2, where it is a CONNECT";
        return Err(TunnelError::new(TunnelErrorKind::Content, hint));
    }
    *request.method_mut() = Method::CONNECT;
    let protocol = Protocol::from(acceptance.protocol().as_str());
    request.extensions_mut().insert(protocol);
    request.headers_mut().remove(header::CONTENT_LENGTH);
    request.headers_mut().remove(header::SEC_WEBSOCKET_KEY);
    Ok(AskedBy::Connect)
}

/// The one host that a request is for: that of its target, or of `Host` (RFC 9112 3.2).
fn host<B>(request: &Request<B>) -> Result<Option<HeaderValue>, TunnelError> {
    let head = Head::from(request);
    let line = head.headers.get(HOST);
    if head.version < Version::HTTP_11 && line.is_none() {
        return Ok(None);
    }
    let fields = Fields::read(head.headers);
    let host = HostPort::of_request(&fields, &head).map_err(|refusal| {
        let hint = "the request has not exactly one valid host";
        TunnelError::new(TunnelErrorKind::Host, hint).with_source(refusal.into())
    })?;
    // The line itself where it is the one, which costs no copy.
    match line.filter(|line| line.as_bytes() == host.text) {
        Some(line) => Ok(Some(line.clone())),
        None => Ok(HeaderValue::from_bytes(host.text).ok()),
    }
}

/// The upstream's scheme and authority, with the request's path behind the upstream's own.
fn target(upstream: Uri, requested: &Uri) -> Result<Uri, TunnelError> {
    if upstream.scheme().is_none() || upstream.authority().is_none() {
        let hint = "the upstream that was chosen has no scheme or no authority";
        return Err(TunnelError::new(TunnelErrorKind::NoUpstream, hint));
    }
    let path = path(upstream.path().trim_end_matches('/'), requested)?;
    let mut target = upstream.into_parts();
    target.path_and_query = Some(path);
    Uri::from_parts(target).map_err(|error| too_long().with_source(error.into()))
}

fn path(prefix: &str, requested: &Uri) -> Result<PathAndQuery, TunnelError> {
    match requested.path_and_query() {
        // `OPTIONS *`, which no absolute target can say.
        Some(path) if path.as_str() == "*" => Ok(PathAndQuery::from_static("/")),
        Some(path) if prefix.is_empty() => Ok(path.clone()),
        Some(path) => PathAndQuery::try_from(format!("{prefix}{path}"))
            .map_err(|error| too_long().with_source(error.into())),
        None => Ok(PathAndQuery::from_static("/")),
    }
}

#[cold]
fn too_long() -> TunnelError {
    let hint = "the request's path is too long behind that of the upstream";
    TunnelError::new(TunnelErrorKind::TooLong, hint)
}

#[cold]
fn not_forwarded() -> TunnelError {
    let hint = "`Max-Forwards` is used up here, and a reverse proxy has nothing to tell of itself";
    TunnelError::new(TunnelErrorKind::MaxForwards, hint)
}

#[cold]
fn no_protocol() -> TunnelError {
    let hint = "the offer names no protocol that can be forwarded";
    TunnelError::new(TunnelErrorKind::Switch, hint)
}
