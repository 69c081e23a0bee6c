//! `TestOffer`: an offer in memory.

use std::{convert::Infallible, fmt::Display, future::poll_fn, hash::BuildHasher};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Method, Request, Response, Uri, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, HOST, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
        SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING, UPGRADE,
    },
    uri::{Authority, PathAndQuery, Scheme},
};
use http_body::Body;
use http_body_util::Full;
use tokio::io::{DuplexStream, duplex};
use tower_service::Service;

use super::answer::Answer;
use crate::{grammar::List, negotiate::ConnectProtocol, protocol::Protocol, upgrade::Pending};

/// An offer to be sent through a service, with a connection in memory behind it.
///
/// It begins as what a client would send, and every method acts on it as it is then, so that a sound
/// offer can be broken in one thing. A clone is its twin, the key included.
///
/// # Examples
///
/// ```
/// use tower::Layer;
/// use tower_upgrade::{Policy, RefusalKind, UpgradeLayer, WebSocket, testing::TestOffer};
/// # use http::{Request, Response};
/// # use tower_upgrade::OnUpgrade;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # async fn chat<B>(mut request: Request<B>) -> Result<Response<String>, &'static str> {
/// #     let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
/// #     Ok(on_upgrade.accept(|io| async move { drop(io) }))
/// # }
/// let layer = UpgradeLayer::new(Policy::require(WebSocket::new()));
/// let service = layer.layer(tower::service_fn(chat));
///
/// let offer = TestOffer::websocket("/chat");
/// let client = offer.clone().send(service.clone()).await?.into_client();
/// assert_eq!(client.protocol(), "websocket");
///
/// let broken = offer.insert_header("sec-websocket-key", "no key");
/// let answer = broken.send(service).await?;
/// assert_eq!(answer.response.status(), 400);
/// assert_eq!(answer.refusal().kind(), RefusalKind::WebSocketKey);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "an offer does nothing until it is sent"]
pub struct TestOffer<B = Full<Bytes>> {
    request: Request<B>,
    scheme: Scheme,
    capacity: usize,
    hand_over: HandOver,
}

#[derive(Clone, Copy, Debug)]
enum HandOver {
    AtOnce,
    Never,
}

impl TestOffer {
    /// Makes an offer of a protocol: an HTTP/1.1 `GET` with `Host`, `Connection` and `Upgrade`.
    ///
    /// The target is a path with perhaps a query, sent to the host `localhost`, or a URI with
    /// another host. For several protocols there is [`append_header`](Self::append_header).
    ///
    /// # Panics
    ///
    /// Panics if the target is neither, or the protocol is not one that can be negotiated.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_upgrade::testing::TestOffer;
    ///
    /// let echo = TestOffer::new("/echo?room=1", "echo/2.0").append_header("upgrade", "echo/1.0");
    /// # let _ = echo;
    /// ```
    #[track_caller]
    pub fn new<T, P>(target: T, protocol: P) -> Self
    where
        T: TryInto<Uri, Error: Display>,
        P: TryInto<Protocol, Error: Display>,
    {
        let target = sound("target", target.try_into()).into_parts();
        let protocol = sound("protocol", protocol.try_into());
        let path = sound("target", target.path_and_query.ok_or("it has no path"));
        let mut offer = Self::from(Request::new(Full::default()));
        offer.scheme = scheme(target.scheme);
        *offer.request.uri_mut() = Uri::from(path);
        let host = target
            .authority
            .as_ref()
            .map_or(LOCALHOST, Authority::as_str);
        offer
            .insert_header(HOST, host)
            .insert_header(CONNECTION, "Upgrade")
            .insert_header(UPGRADE, protocol.as_str())
    }

    /// Makes the offer of a WebSocket: a complete opening handshake ([RFC 6455 section 4.1]) with a
    /// key of its own. It names no `Origin`, as programs don't and browsers do.
    ///
    /// # Panics
    ///
    /// Panics as [`new`](Self::new) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_upgrade::testing::TestOffer;
    ///
    /// let browsers = TestOffer::websocket("https://a.example/chat")
    ///     .origin("https://a.example")
    ///     .subprotocols(["v2", "v1"]);
    /// # let _ = browsers;
    /// ```
    ///
    /// [RFC 6455 section 4.1]: https://www.rfc-editor.org/rfc/rfc6455.html#section-4.1
    #[track_caller]
    pub fn websocket<T>(target: T) -> Self
    where
        T: TryInto<Uri, Error: Display>,
    {
        Self::new(target, Protocol::websocket())
            .insert_header(SEC_WEBSOCKET_VERSION, "13")
            .insert_header(SEC_WEBSOCKET_KEY, fresh_key())
    }
}

impl<B> TestOffer<B> {
    /// Makes it an extended CONNECT over HTTP/2 that asks for the same ([RFC 8441 section 4]).
    ///
    /// `:protocol` is the first protocol in `Upgrade`, and the target gets scheme and host; the
    /// fields of HTTP/1.1 are taken out, and the key with them.
    ///
    /// # Panics
    ///
    /// Panics if `Upgrade` offers nothing, as it does of an offer that is a CONNECT already, or if
    /// `Host` has no place in a URI.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_upgrade::testing::TestOffer;
    ///
    /// let offer = TestOffer::websocket("/chat").subprotocols(["v1"]).extended_connect();
    /// # let _ = offer;
    /// ```
    ///
    /// [RFC 8441 section 4]: https://www.rfc-editor.org/rfc/rfc8441.html#section-4
    #[track_caller]
    pub fn extended_connect(mut self) -> Self {
        let protocol = sound("offer", self.first_offered().ok_or("`Upgrade` is empty"));
        let authority = match self.request.headers().get(HOST) {
            Some(host) => sound("authority", Authority::try_from(host.as_bytes())),
            None => Authority::from_static(LOCALHOST),
        };
        let mut target = std::mem::take(self.request.uri_mut()).into_parts();
        target.scheme.get_or_insert(self.scheme.clone());
        target.authority.get_or_insert(authority);
        target
            .path_and_query
            .get_or_insert(PathAndQuery::from_static("/"));
        *self.request.uri_mut() = sound("target", Uri::from_parts(target));
        *self.request.method_mut() = Method::CONNECT;
        *self.request.version_mut() = Version::HTTP_2;
        for name in [
            CONNECTION,
            HOST,
            SEC_WEBSOCKET_KEY,
            TRANSFER_ENCODING,
            UPGRADE,
        ] {
            self.request.headers_mut().remove(name);
        }
        self.extension(protocol)
    }

    fn first_offered(&self) -> Option<ConnectProtocol> {
        let upgrade = List::new(self.request.headers().get_all(UPGRADE));
        let first = std::str::from_utf8(upgrade.iter().next()?).ok()?;
        Some(ConnectProtocol::new(first))
    }

    /// Sets the method, in place of `GET`.
    pub fn method(mut self, method: Method) -> Self {
        *self.request.method_mut() = method;
        self
    }

    /// Sets `Origin`, the page that a browser would say it comes from.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be a field's value.
    #[track_caller]
    pub fn origin<V>(self, origin: V) -> Self
    where
        V: TryInto<HeaderValue, Error: Display>,
    {
        self.insert_header(ORIGIN, origin)
    }

    /// Sets `Sec-WebSocket-Protocol`, the first being the one that is wanted most.
    ///
    /// # Panics
    ///
    /// Panics if one of them cannot be in a field's value.
    #[track_caller]
    pub fn subprotocols<I>(self, subprotocols: I) -> Self
    where
        I: IntoIterator<Item: AsRef<str>>,
    {
        let mut list = String::new();
        for subprotocol in subprotocols {
            if !list.is_empty() {
                list.push_str(", ");
            }
            list.push_str(subprotocol.as_ref());
        }
        self.insert_header(SEC_WEBSOCKET_PROTOCOL, list)
    }

    /// Sets a header field, in place of all lines it has.
    ///
    /// # Panics
    ///
    /// Panics if the name or the value cannot be one.
    #[track_caller]
    pub fn insert_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Display>,
        V: TryInto<HeaderValue, Error: Display>,
    {
        let name = sound("field's name", name.try_into());
        let value = sound("field's value", value.try_into());
        self.request.headers_mut().insert(name, value);
        self
    }

    /// Adds a line to a header field.
    ///
    /// # Panics
    ///
    /// Panics if the name or the value cannot be one.
    #[track_caller]
    pub fn append_header<N, V>(mut self, name: N, value: V) -> Self
    where
        N: TryInto<HeaderName, Error: Display>,
        V: TryInto<HeaderValue, Error: Display>,
    {
        let name = sound("field's name", name.try_into());
        let value = sound("field's value", value.try_into());
        self.request.headers_mut().append(name, value);
        self
    }

    /// Takes out all lines of a header field.
    ///
    /// # Panics
    ///
    /// Panics if the name cannot be one.
    #[track_caller]
    pub fn remove_header<N>(mut self, name: N) -> Self
    where
        N: TryInto<HeaderName, Error: Display>,
    {
        let name = sound("field's name", name.try_into());
        self.request.headers_mut().remove(name);
        self
    }

    /// Leaves something in the request's extensions, as a server or a layer further out would: axum's
    /// `ConnectInfo`, say.
    pub fn extension<T: Clone + Send + Sync + 'static>(mut self, extension: T) -> Self {
        self.request.extensions_mut().insert(extension);
        self
    }

    /// Changes the request in any other way.
    ///
    /// # Examples
    ///
    /// ```
    /// use http::Version;
    /// use tower_upgrade::testing::TestOffer;
    ///
    /// let outdated = TestOffer::websocket("/chat").edit(|request| {
    ///     *request.version_mut() = Version::HTTP_10;
    /// });
    /// # let _ = outdated;
    /// ```
    pub fn edit(mut self, edit: impl FnOnce(&mut Request<B>)) -> Self {
        edit(&mut self.request);
        self
    }

    /// Gives it content, and the `Content-Length` of that.
    pub fn content(self, content: impl Into<Bytes>) -> TestOffer {
        self.body(Full::new(content.into()))
    }

    /// Gives it any body, for services that do not take any: `.body(Body::empty())` of axum's, or
    /// `.body(Default::default())` for whatever the service takes.
    ///
    /// `Content-Length` is set to the body's length. A body that does not know it is said to be
    /// chunked, and an empty one is no content.
    pub fn body<C: Body>(self, body: C) -> TestOffer<C> {
        let length = body.size_hint().exact();
        let mut request = self.request.map(|_| body);
        let is_http1 = request.version() < Version::HTTP_2;
        let headers = request.headers_mut();
        headers.remove(CONTENT_LENGTH);
        headers.remove(TRANSFER_ENCODING);
        match length {
            Some(0) => None,
            Some(length) => headers.insert(CONTENT_LENGTH, length.into()),
            None if is_http1 => headers.insert(TRANSFER_ENCODING, CHUNKED),
            None => None,
        };
        TestOffer {
            request,
            scheme: self.scheme,
            capacity: self.capacity,
            hand_over: self.hand_over,
        }
    }

    /// Sets how many bytes may be on the way in each direction; 64 KiB unless this is set.
    ///
    /// With few of them a write waits until the other end reads.
    ///
    /// # Panics
    ///
    /// Panics if it is zero.
    #[track_caller]
    pub fn capacity(mut self, bytes: usize) -> Self {
        assert!(bytes > 0, "nothing goes through a capacity of 0 bytes");
        self.capacity = bytes;
        self
    }

    /// Makes the server promise a connection that it never hands over.
    ///
    /// The client's end sees it closed once nobody waits for it any longer.
    pub fn never_handed_over(mut self) -> Self {
        self.hand_over = HandOver::Never;
        self
    }

    /// Sends it through a service, once that is ready, and waits for the answer.
    ///
    /// A handler that awaits its [`OnUpgrade`](crate::OnUpgrade) before it answers makes this wait
    /// for ever, as it would a client. Dropping the future is a client that goes away.
    ///
    /// # Errors
    ///
    /// Fails with the service's own error. An answer that does not switch is none: see
    /// [`Answer::client`].
    pub async fn send<S, R>(self, mut service: S) -> Result<Answer<R>, S::Error>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        let (client, server) = duplex(self.capacity);
        let pending = self.hand_over.promise(server);
        let (mut head, body) = self.request.into_parts();
        let asked = head.clone();
        head.extensions.insert(pending.clone());
        poll_fn(|cx| service.poll_ready(cx)).await?;
        let response = service.call(Request::from_parts(head, body)).await?;
        Ok(Answer::new(&asked, response, client, &pending))
    }
}

/// Any request, as it is, with a connection behind it.
impl<B> From<Request<B>> for TestOffer<B> {
    fn from(request: Request<B>) -> Self {
        Self {
            request,
            scheme: Scheme::HTTP,
            capacity: 64 << 10,
            hand_over: HandOver::AtOnce,
        }
    }
}

impl HandOver {
    fn promise(self, server: DuplexStream) -> Pending {
        match self {
            Self::AtOnce => Pending::ready(server),
            Self::Never => Pending::new(async move {
                let never = std::future::pending::<Infallible>().await;
                drop(server);
                Err::<DuplexStream, Infallible>(never)
            }),
        }
    }
}

/// Takes what was asked for by the author of a test, or tells them that it cannot be had.
#[track_caller]
fn sound<T, E: Display>(what: &str, asked_for: Result<T, E>) -> T {
    #[expect(clippy::panic, reason = "this is for tests, and documented")]
    match asked_for {
        Ok(sound) => sound,
        Err(error) => panic!("this cannot be the {what}: {error}"),
    }
}

/// HTTP's scheme for a target's own; with TLS only if it says so.
fn scheme(of_target: Option<Scheme>) -> Scheme {
    match of_target.as_ref().map(Scheme::as_str) {
        Some("https" | "wss") => Scheme::HTTPS,
        _ => Scheme::HTTP,
    }
}

/// The base64 of 16 octets that were not used before (RFC 6455 4.1).
fn fresh_key() -> HeaderValue {
    let octets = [(); 2].map(|()| std::hash::RandomState::new().hash_one(()).to_ne_bytes());
    let mut text = [0; 24];
    let written = STANDARD.encode_slice(octets.as_flattened(), &mut text);
    debug_assert_eq!(written, Ok(text.len()));
    sound("key", HeaderValue::from_bytes(&text))
}

const LOCALHOST: &str = "localhost";
const CHUNKED: HeaderValue = HeaderValue::from_static("chunked");
