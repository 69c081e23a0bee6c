//! `UpgradeLayer`: the policies, and what goes for all of them.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;
use tower_layer::Layer;

use crate::{
    config::{Config, Policies},
    head::Head,
    lifetime::{Drain, Limit, Terms},
    observe::Observer,
    refusal::Refusal,
    service::Upgrade,
};

/// Middleware that decides on every request to switch protocols, and hands over those connections
/// that the service behind it accepts.
///
/// Around one route it takes a [`Policy`](crate::Policy), around a whole app [`Routes`](crate::Routes). A request goes this way:
///
/// 1. Without an offer, where the policy demands nothing, it passes as it is.
/// 2. An offer that the policy does not want is taken out, and the request passes.
/// 3. What the policy refuses is answered with a [`Refusal`]; the service is not called.
/// 4. An offer that is let through reaches the service with an [`OnUpgrade`](crate::OnUpgrade) in
///    its extensions. If it answers 101, the layer writes the head and hands the connection over.
///
/// # Where to put it
///
/// Outside of anything that may replace a finished response, such as `map_response` or error pages:
/// what was switched once cannot be called back, and a client that is then told 403 would still have
/// its connection handed over. A timeout may stand on either side.
///
/// Outside, too, of anything that takes `Content-Length` off a request, as decompression does: without
/// it a request is taken to have no content.
///
/// # The life of connections
///
/// What is set by [`limit`](Self::limit), [`idle_timeout`](Self::idle_timeout) and the other clocks,
/// [`drain`](Self::drain) and [`observe`](Self::observe) holds until a connection's last byte; see
/// [`lifetime`](crate::lifetime). A layer with none of them hands over bare connections.
///
/// # Panics
///
/// The clocks need a tokio runtime with its own clock enabled, as it is under `#[tokio::main]`. Where a
/// layer that holds on to connections accepts one outside of such a runtime, it panics.
///
/// # Examples
///
/// ```
/// use http::{Request, Response};
/// use tower::{ServiceBuilder, service_fn};
/// use tower_upgrade::{Policy, UpgradeLayer, WebSocket};
///
/// let service = ServiceBuilder::new()
///     .layer(UpgradeLayer::new(Policy::require(WebSocket::new())))
///     .service(service_fn(async |request: Request<String>| {
///         Ok::<_, std::convert::Infallible>(Response::new(request.into_body()))
///     }));
/// # let _ = service;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct UpgradeLayer {
    config: Arc<Config>,
}

impl UpgradeLayer {
    /// Returns a layer with one policy, or with a table of them.
    pub fn new(policies: impl Into<Policies>) -> Self {
        Self {
            config: Arc::new(Config::new(policies.into())),
        }
    }

    /// Makes the responses of refusals, which [`Refusal::to_response`] does unless this is set.
    ///
    /// `respond` sees the refusal and the head of the request, and returns a response of [`Bytes`],
    /// which are those of axum too. Fields that the status demands are
    /// added to what it returns, unless it chose another status. A status that would switch the
    /// connection, 1xx and on CONNECT also 2xx, is replaced by that of the refusal.
    ///
    /// It is not asked about faults of the service
    /// ([`RefusalKind::is_service_fault`](crate::RefusalKind::is_service_fault)), which are found when
    /// the head is gone, nor about what an extractor of axum's refuses. Both are answered in plain text.
    pub fn refuse_with<F>(mut self, respond: F) -> Self
    where
        F: Fn(&Refusal, &Head<'_>) -> Response<Bytes> + Send + Sync + 'static,
    {
        Arc::make_mut(&mut self.config).refuse_with = Some(Arc::new(respond));
        self
    }

    /// Allows so many upgraded connections at a time; of several limits, all count.
    ///
    /// They are asked in the order they were given, after the offer was found acceptable and before
    /// the service is called.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.terms_mut().limits.push(limit);
        self
    }

    /// Gives up on a connection that was accepted and not handed over for so long, which is 30 s unless
    /// this is set; awaiting it then fails with
    /// [`is_timed_out`](crate::UpgradeError::is_timed_out).
    ///
    /// A client that does not read what it asked for before can keep a server from ever sending the 101.
    /// What the connection held returns at that time in any case; an [`OnUpgrade`](crate::OnUpgrade) that is neither polled nor
    /// dropped keeps the server's handle itself. [`Duration::MAX`] turns the clock off.
    ///
    /// In a layer with no limit, clock, drain or observer there is no such clock, for there is nothing it
    /// could return.
    pub fn hand_over_timeout(mut self, timeout: Duration) -> Self {
        self.terms_mut().clocks.hand_over = Some(timeout);
        self
    }

    /// Closes a connection that yields no first byte of the client for so long after it was handed over.
    ///
    /// Reads and writes then fail with [`TimedOut`](std::io::ErrorKind::TimedOut), and
    /// [`Cause::of`](crate::observe::Cause::of) says which clock it was.
    pub fn first_byte_timeout(mut self, timeout: Duration) -> Self {
        self.terms_mut().clocks.first_byte = Some(timeout);
        self
    }

    /// Closes a connection on which no byte goes either way for so long, as
    /// [`first_byte_timeout`](Self::first_byte_timeout) does.
    ///
    /// Bytes count when the handler reads or writes them; over HTTP/2 a server may take what is written
    /// before the client does. A byte sets no timer: one timer a connection
    /// fires once in so long, and looks when the last one went.
    ///
    /// A peer that ends its half and then is silent stops no clock by that, and starts none anew. This one
    /// closes the connection so long after the last byte of either side, and what the handler still writes puts it off;
    /// observers are told of [`Clock::Idle`](crate::observe::Clock::Idle). Without it, there is
    /// [`first_byte_timeout`](Self::first_byte_timeout) if the peer never sent a byte, and
    /// [`max_lifetime`](Self::max_lifetime) in any case; with none of them the connection lives for as long as its handler holds it.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.terms_mut().clocks.idle = Some(timeout);
        self
    }

    /// Closes a connection so long after it was handed over, whatever it does, as
    /// [`first_byte_timeout`](Self::first_byte_timeout) does.
    pub fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.terms_mut().clocks.lifetime = Some(lifetime);
        self
    }

    /// Lets a drain refuse offers, and wait for connections to end. The last one given counts.
    pub fn drain(mut self, drain: Drain) -> Self {
        self.terms_mut().drain = Some(drain);
        self
    }

    /// Tells an observer of offers and connections; of several, each in turn.
    pub fn observe(mut self, observer: impl Observer) -> Self {
        self.terms_mut().observers.push(Arc::new(observer));
        self
    }

    fn terms_mut(&mut self) -> &mut Terms {
        Arc::make_mut(&mut self.config).terms_mut()
    }
}

impl<S> Layer<S> for UpgradeLayer {
    type Service = Upgrade<S>;

    fn layer(&self, inner: S) -> Upgrade<S> {
        Upgrade::with_config(inner, Arc::clone(&self.config))
    }
}
