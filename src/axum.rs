//! Extractors and responses for axum.
//!
//! [`OnUpgrade`] is an extractor on routes that require an upgrade, `Option<OnUpgrade>` on those that
//! offer one, and [`Content`] reads the content that came with an offer.
//!
//! ```
//! use axum::{Json, Router, http::StatusCode, response::{IntoResponse, Response}, routing::any};
//! use tower_upgrade::{OnUpgrade, Policy, Protocol, UpgradeLayer, WebSocket, axum::Content};
//!
//! async fn required(upgrade: OnUpgrade) -> Response {
//!     upgrade.accept(|io| async move { drop(io) })
//! }
//!
//! async fn offered(upgrade: Option<OnUpgrade>) -> Response {
//!     match upgrade {
//!         Some(upgrade) => upgrade.accept(|io| async move { drop(io) }),
//!         None => "an ordinary answer".into_response(),
//!     }
//! }
//!
//! async fn exec(upgrade: OnUpgrade, Content(Json(command)): Content<Json<Vec<String>>>) -> Response {
//!     if command.is_empty() {
//!         return StatusCode::BAD_REQUEST.into_response();
//!     }
//!     upgrade.accept(|io| async move { drop((io, command)) })
//! }
//!
//! let app: Router = Router::new()
//!     .route("/chat", any(required).layer(UpgradeLayer::new(Policy::require(WebSocket::new()))))
//!     .route("/live", any(offered).layer(UpgradeLayer::new(Policy::offer(WebSocket::new()))))
//!     .route("/exec", any(exec).layer(UpgradeLayer::new(
//!         Policy::require(Protocol::new("tcp")?.content_limit(64 << 10)),
//!     )));
//! # let _ = app;
//! # Ok::<(), tower_upgrade::InvalidProtocol>(())
//! ```
//!
//! A route needs `any(..)`: an extended CONNECT is no `GET`. With
//! [`Policy::translate_connect`](crate::Policy::translate_connect) and the layer around the whole
//! router, `get(..)` will do.
//!
//! (A `use tower_upgrade::*` makes the name `axum` ambiguous; import what is needed by name.)
//!
//! Beware of `any(..).route_layer(..)`: axum takes `any` for a fallback, which the `route_layer` of a
//! `MethodRouter` leaves out, and panics if there is nothing else. `any(..).layer(..)` is right, and so is the `route_layer` of a `Router`.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use ::axum::{
    body::Body,
    extract::{ConnectInfo, FromRequest, FromRequestParts, OptionalFromRequestParts, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, request::Parts};

use crate::{
    head::Head,
    lifetime::peer_ip,
    refusal::{Refusal, RefusalKind},
    upgrade::{ContentBody, OnUpgrade},
    websocket::{ExtensionOffers, MalformedExtensions},
};

impl<S: Sync> FromRequestParts<S> for OnUpgrade {
    /// The handler is on a route where an upgrade is not required, or not in the layer at all: 500.
    /// To a plain CONNECT, which every policy lets pass: 501.
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Self::take_from(&mut parts.extensions).ok_or_else(|| not_negotiated(&parts.method))
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for OnUpgrade {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(Self::take_from(&mut parts.extensions))
    }
}

/// As plain text: whether the client accepts problem details is not known here.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.to_response(&HeaderMap::new()).map(Body::from)
    }
}

/// Reads the content of a request that makes an offer by another extractor, such as `Json` or
/// `Bytes`, as [`OnUpgrade::content`] does: when it was read to its end, the handler may accept.
///
/// It can stand before or behind the argument that takes the [`OnUpgrade`]; like every extractor of
/// content it comes last. On requests without an offer it is the inner extractor and no more.
#[derive(Clone, Copy, Debug, Default)]
pub struct Content<T>(pub T);

impl<S, T> FromRequest<S> for Content<T>
where
    S: Send + Sync,
    T: FromRequest<S>,
{
    type Rejection = T::Rejection;

    async fn from_request(request: Request, state: &S) -> Result<Self, T::Rejection> {
        let (mut head, body) = request.into_parts();
        let claimed = ContentBody::claim(&mut head.extensions, body);
        let body = claimed.map_or_else(|body| body, Body::new);
        let request = Request::from_parts(head, body);
        T::from_request(request, state).await.map(Self)
    }
}

impl<S: Sync> FromRequestParts<S> for ExtensionOffers {
    /// The field does not follow its grammar: 400.
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let malformed = |error: MalformedExtensions| {
            Refusal::new(RefusalKind::MalformedExtensions, error.to_string())
        };
        Self::from_headers(&parts.headers).map_err(malformed)
    }
}

/// A key for [`Limit::per_key`](crate::Limit::per_key): the address a connection came from, by axum's
/// [`ConnectInfo`] or else by [`PeerAddress`](crate::PeerAddress).
///
/// The first is there where the app is served with `into_make_service_with_connect_info::<SocketAddr>()`,
/// the other where a server that is not axum's leaves it; without either it is `None`. Behind a proxy it
/// is the proxy's: use [`forwarded_for`](crate::lifetime::forwarded_for).
///
/// # Examples
///
/// ```
/// use tower_upgrade::{Limit, Policy, UpgradeLayer, WebSocket, axum::client_ip};
///
/// let layer = UpgradeLayer::new(Policy::require(WebSocket::new()))
///     .limit(Limit::per_key(20, client_ip));
/// # let _ = layer;
/// ```
#[must_use]
pub fn client_ip(head: &Head<'_>) -> Option<IpAddr> {
    match head.extensions.get::<ConnectInfo<SocketAddr>>() {
        Some(info) => Some(info.0.ip()),
        None => peer_ip(head),
    }
}

#[cold]
pub(crate) fn not_negotiated(method: &Method) -> Refusal {
    if *method == Method::CONNECT {
        let hint = "this resource is no tunnel: a CONNECT needs a `:protocol` that is spoken here";
        return Refusal::new(RefusalKind::NotNegotiated, hint)
            .with_status(StatusCode::NOT_IMPLEMENTED);
    }
    let hint = "the handler takes an `OnUpgrade`, but no offer was let through or it was taken \
                already: the route needs an `UpgradeLayer` with `Policy::require`, or the handler an \
                `Option<OnUpgrade>`";
    Refusal::new(RefusalKind::NotNegotiated, hint)
}
