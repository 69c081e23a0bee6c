//! `Tunnel`: a reverse proxy as a Tower service.

use std::{
    convert::Infallible,
    error::Error,
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderValue, Request, Response, Version};
use http_body::Body;
use tower_service::Service;

use super::{
    body::RequestBody,
    error::{TunnelError, TunnelErrorKind},
    exchange::Exchange,
    forwarded::Forwarded,
    future::TunnelFuture,
    relay::Speed,
    request::Manner,
    upstream::Upstream,
};
use crate::{body::ResponseBody, head::Head, refusal::accepts_details};

/// A service that forwards requests to another server, and the upgrades that a layer around it lets
/// through.
///
/// `C` is the client: hyper-util's `legacy::Client`, or any service around it that takes and gives the
/// same. Its connector, its pool and its TLS are its own; a connection that was upgraded leaves the pool.
/// `U` is an [`Upstream`]: a [`Uri`](http::Uri), or a closure that chooses one.
///
/// # What is forwarded
///
/// 1. A CONNECT that the layer did not let through is answered with 501, a request without exactly one host
///    with 400, one in a transfer coding other than `chunked` or whose `Max-Forwards` is used up with 501, one with more than
///    8,192 fields with 431, one whose path is too long behind the upstream's with 414, one for which no
///    upstream is chosen with 503.
/// 2. The fields of one hop are taken off, over all their lines: those that `Connection` names, and
///    `Connection`, `Keep-Alive`, `Proxy-*`, `TE`, `Transfer-Encoding`, `Upgrade` and `HTTP2-Settings`. That trailers
///    are taken is passed on.
/// 3. What a client claims of itself by `Forwarded`, `X-Forwarded-*` or `X-Real-IP` is taken off, unless
///    [`forwarded`](Self::forwarded) says otherwise; [`via`](Self::via) adds `Via`.
/// 4. `Host` is the one the client asked for; towards HTTP/2 see [`OriginalHost`](super::OriginalHost).
///    `OPTIONS *` becomes `OPTIONS /`.
/// 5. An offer that the layer let through is made to the upstream, as the
///    [module](super#the-way-of-an-upgrade) tells. Without a layer there are none, nor behind one that
///    leaves the server's handle to others by [`hand_over_raw`](crate::Policy::hand_over_raw).
/// 6. Content is streamed both ways. That of an offer is read to its end before it can be accepted.
/// 7. From the answer the same fields are taken off. Its status stays: a 426 too, whose `Upgrade` stays over
///    HTTP/1.1 but for `h2c`, and cannot be said over HTTP/2.
///
/// A tunnel never fails: what goes wrong is a response, with a [`TunnelError`] in its extensions.
///
/// # Panics
///
/// Its future panics outside of a tokio runtime with a timer.
///
/// # Examples
///
/// In an axum app, for all paths that have no other route:
///
/// ```
/// # #[cfg(feature = "axum")]
/// # fn main() {
/// use axum::Router;
/// use http::Uri;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower::Layer;
/// use tower_upgrade::{Policy, UpgradeLayer, WebSocket, tunnel::Tunnel};
///
/// let client = Client::builder(TokioExecutor::new()).build_http();
/// let tunnel = Tunnel::new(client, Uri::from_static("http://127.0.0.1:3001")).via("edge");
/// let app: Router = Router::new()
///     .fallback_service(UpgradeLayer::new(Policy::offer(WebSocket::new())).layer(tunnel));
/// # let _ = app;
/// # }
/// # #[cfg(not(feature = "axum"))]
/// # fn main() {}
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Tunnel<C, U> {
    client: C,
    upstream: U,
    manner: Manner,
    timeout: Duration,
    /// Why the client service is of no use any more.
    broken: Option<TunnelError>,
}

impl<C, U> Tunnel<C, U> {
    /// Forwards by `client` to `upstream`, over HTTP/1.1.
    pub const fn new(client: C, upstream: U) -> Self {
        Self {
            client,
            upstream,
            manner: Manner {
                version: Version::HTTP_11,
                via: None,
                forwarded: Forwarded::strip(),
                top: Speed::Fast,
            },
            timeout: Duration::from_secs(60),
            broken: None,
        }
    }

    /// Sets the version of HTTP that the upstream is spoken to in: 1.1, which it is unless this is set, or
    /// 2, where offers become extended CONNECTs ([RFC 8441]).
    ///
    /// The client must speak it and nothing else: one of hyper-util's needs `http2_only(true)` for HTTP/2, and
    /// no connector that negotiates HTTP/2 for HTTP/1.1. The upstream must have extended CONNECT enabled.
    ///
    /// Two things are different over HTTP/2. `:authority`, which is the host the upstream sees, is that of the
    /// connection, so that an `Origin` does not match it: let the upstream
    /// [trust the forwarded host](crate::WebSocket::trust_forwarded_host), or use a client that restores
    /// [`OriginalHost`](super::OriginalHost), as the example `proxy` does. And an extended CONNECT cannot be answered with
    /// a page: where an upstream would pass an offer over, the client gets 501.
    ///
    /// Over HTTP/2 all tunnels share a connection: there are no more of them than the upstream allows streams
    /// (hyper 200, unless it is told otherwise), the next waits; and clients that do not read can use up the
    /// connection's window, for which the others wait. Over HTTP/1.1 each has a connection of its own.
    ///
    /// # Panics
    ///
    /// Panics if it is another.
    ///
    /// [RFC 8441]: https://www.rfc-editor.org/rfc/rfc8441.html
    #[track_caller]
    pub fn upstream_version(mut self, version: Version) -> Self {
        assert!(
            matches!(version, Version::HTTP_11 | Version::HTTP_2),
            "an upstream is spoken to in HTTP/1.1 or HTTP/2, not {version:?}"
        );
        self.manner.version = version;
        self
    }

    /// Answers with 504 where the upstream gave no head of an answer for so long, which is 60 s unless this
    /// is set, and with 408 where it waits for the client's content; [`Duration::MAX`] waits for ever.
    ///
    /// Making the connection counts. Content of the request starts it anew with every piece, and the answer's,
    /// like an upgraded connection, takes as long as it takes.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Leaves a direction that stays busy to the kernel, by `splice(2)`: on Linux, between TCP sockets.
    ///
    /// This takes less than half of the processor time here, and more at both ends, whose pages are then in no
    /// cache. It is for a proxy with a machine to itself; where the ends run on the same one, it slows them
    /// down by more than it saves.
    pub const fn splice(mut self) -> Self {
        self.manner.top = Speed::Steady;
        self
    }

    /// Tells the upstream of the client.
    pub fn forwarded(mut self, forwarded: Forwarded) -> Self {
        self.manner.forwarded = forwarded;
        self
    }

    /// Adds `Via` with this name to requests and answers ([RFC 9110 section 7.6.3]), as a gateway must to
    /// requests; without a name, nothing tells that there is one.
    ///
    /// # Panics
    ///
    /// Panics if the name is no host, with a port or without, and no token.
    ///
    /// [RFC 9110 section 7.6.3]: https://www.rfc-editor.org/rfc/rfc9110.html#section-7.6.3
    #[track_caller]
    pub fn via(mut self, name: &str) -> Self {
        let is_sound = name
            .bytes()
            .all(|b| b.is_ascii_graphic() && !b",()".contains(&b));
        let value = HeaderValue::from_str(name).ok();
        let value = value.filter(|_| is_sound && !name.is_empty());
        assert!(value.is_some(), "{name:?} is no name for `Via`");
        self.manner.via = value;
        self
    }

    /// Returns the client.
    #[must_use]
    pub const fn get_ref(&self) -> &C {
        &self.client
    }

    /// Returns the client.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut C {
        &mut self.client
    }

    /// Gives back the client.
    #[must_use]
    pub fn into_inner(self) -> C {
        self.client
    }
}

impl<C, U, B, R> Service<Request<B>> for Tunnel<C, U>
where
    B: Body,
    C: Service<Request<RequestBody<B>>, Response = Response<R>>,
    C::Error: Into<Box<dyn Error + Send + Sync>>,
    U: Upstream,
{
    type Response = Response<ResponseBody<R>>;
    type Error = Infallible;
    type Future = TunnelFuture<C::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.broken.is_some() {
            return Poll::Ready(Ok(()));
        }
        self.client.poll_ready(cx).map(|ready| {
            let broken = ready
                .err()
                .map(|error| TunnelError::of_client(error.into(), false));
            self.broken = broken;
            Ok(())
        })
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let in_details = accepts_details(request.headers());
        match self.prepare(request, in_details) {
            Ok((request, exchange)) => {
                TunnelFuture::new(self.client.call(request), exchange, self.timeout)
            }
            Err(error) => TunnelFuture::failed(&error, in_details),
        }
    }
}

impl<C, U: Upstream> Tunnel<C, U> {
    fn prepare<B>(
        &self,
        request: Request<B>,
        in_details: bool,
    ) -> Result<(Request<RequestBody<B>>, Exchange), TunnelError>
    where
        B: Body,
    {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let Some(upstream) = self.upstream.choose(&Head::from(&request)) else {
            let hint = "no upstream is there to answer this request";
            return Err(TunnelError::new(TunnelErrorKind::NoUpstream, hint));
        };
        self.manner.forward(request, upstream, in_details)
    }
}
