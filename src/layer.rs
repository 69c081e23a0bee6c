//! `UpgradeLayer`: the policies, and what goes for all of them.

use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use tower_layer::Layer;

use crate::{
    config::{Config, Policies},
    head::Head,
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
}

impl<S> Layer<S> for UpgradeLayer {
    type Service = Upgrade<S>;

    fn layer(&self, inner: S) -> Upgrade<S> {
        Upgrade::with_config(inner, Arc::clone(&self.config))
    }
}
