//! `Upgrade`: the service, where a request's way is decided.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, header::UPGRADE};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    config::{Config, Policies},
    future::ResponseFuture,
    head::Head,
    negotiate::{self, Acceptance, Decision, Form, Offer, Policy},
    refusal::{Refusal, RefusalKind},
    switch::Switch,
    upgrade::{self, Handle, OnUpgrade, ServerHandle, Slot, Unread},
};

/// The service made by [`UpgradeLayer`](crate::UpgradeLayer).
///
/// It is ready when the service inside is. A refused request uses up no readiness: that of the
/// service inside stays for the next call.
#[derive(Clone, Debug)]
pub struct Upgrade<S> {
    inner: S,
    config: Arc<Config>,
}

impl<S> Upgrade<S> {
    /// Wraps a service in a policy or a table of them, as [`UpgradeLayer`](crate::UpgradeLayer) does.
    pub fn new(inner: S, policies: impl Into<Policies>) -> Self {
        Self::with_config(inner, Arc::new(Config::new(policies.into())))
    }

    pub(crate) const fn with_config(inner: S, config: Arc<Config>) -> Self {
        Self { inner, config }
    }

    /// Returns the service inside.
    #[must_use]
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns the service inside.
    #[must_use]
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Gives back the service inside.
    #[must_use]
    pub fn into_inner(self) -> S {
        self.inner
    }
}

impl<S, B, R> Service<Request<B>> for Upgrade<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<ResponseBody<R>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    #[inline]
    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !may_offer(&request) && !self.config.policies.demand_of(request.uri().path()) {
            return ResponseFuture::passed(self.inner.call(request));
        }
        self.negotiate(request)
    }
}

/// The one cheap look that nearly every request gets and no more.
fn may_offer<B>(request: &Request<B>) -> bool {
    matches!(*request.method(), Method::CONNECT) || request.headers().contains_key(UPGRADE)
}

impl<S> Upgrade<S> {
    /// Apart from `call`, which it would make dearer for requests that never come here.
    #[inline(never)]
    fn negotiate<B, R>(&mut self, mut request: Request<B>) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        let policy = self.config.policies.find(request.uri().path());
        match way(&self.config, policy, &mut request) {
            Ok(Way::Accept(switch)) => ResponseFuture::accepted(self.inner.call(request), switch),
            Ok(Way::Pass) => ResponseFuture::passed(self.inner.call(request)),
            Ok(Way::PassConnect) => ResponseFuture::passed_connect(self.inner.call(request)),
            Err(refusal) => {
                let response = self.config.refuse(&refusal, &Head::from(&request));
                ResponseFuture::refused(response)
            }
        }
    }
}

/// Where a request goes, and what its service is shown of it.
enum Way {
    Accept(Switch),
    Pass,
    PassConnect,
}

/// Reads the offer, decides on it, and makes the request ready for its way.
fn way<B>(config: &Config, policy: &Arc<Policy>, request: &mut Request<B>) -> Result<Way, Refusal> {
    let is_connect = *request.method() == Method::CONNECT;
    let connect = is_connect.then(|| upgrade::connect_protocol(request.extensions()));
    let head = Head::from(&*request);
    let offer = Offer::read_with(head, connect.flatten());
    // Rule 5: a request for a tunnel, for which the handle is what the service needs.
    let is_tunnel = matches!(offer.form(), Form::Tunnel);
    let is_offer = matches!(offer.form(), Form::Upgrade(_) | Form::Connect(_));
    if is_offer {
        config.tell(|observer| observer.offered(&head));
    }
    match policy.decide(&offer) {
        Decision::Accept(acceptance) => admit(config, policy, acceptance, request),
        Decision::Pass if is_tunnel => Ok(Way::Pass),
        Decision::Pass => {
            if is_offer {
                config.tell(|observer| observer.passed(&head));
            }
            Ok(pass(request))
        }
        Decision::Refuse(refusal) => Err(refusal),
    }
}

/// Rule 7: takes an offer out, with all that could switch the connection.
fn pass<B>(request: &mut Request<B>) -> Way {
    drop(Handle::take(request.extensions_mut()));
    drop(OnUpgrade::take(request));
    if *request.method() == Method::CONNECT {
        return Way::PassConnect;
    }
    negotiate::strip(request.headers_mut());
    Way::Pass
}

/// Makes ready what an accepted offer needs, and shows it to the service as its policy says.
///
/// Where the server cannot hand the connection over, it passes unless the policy insists (rule 23).
fn admit<B>(
    config: &Config,
    policy: &Policy,
    acceptance: Acceptance,
    request: &mut Request<B>,
) -> Result<Way, Refusal> {
    let handle = if policy.is_raw() {
        None
    } else {
        Handle::take(request.extensions_mut())
    };
    if handle.is_none() && !(policy.is_raw() && ServerHandle::is_in(request.extensions())) {
        return if policy.is_required() && policy.is_raw() {
            Err(not_hypers())
        } else if policy.is_required() {
            Err(not_upgradable())
        } else {
            config.tell(|observer| observer.passed(&Head::from(&*request)));
            Ok(pass(request))
        };
    }
    let guard = match &config.terms {
        Some(terms) => Some(terms.admit(&Head::from(&*request), acceptance.agreed())?),
        None => None,
    };
    let switch = match handle {
        Some(handle) => Switch::new(Slot::new(acceptance, guard), handle),
        None => Switch::raw(acceptance, guard),
    };
    let acceptance = switch.acceptance();
    if acceptance.is_connect() && policy.translates() {
        negotiate::translate(request, acceptance);
        upgrade::forget_connect(request.extensions_mut());
    } else if policy.is_raw() {
        normalise(request, acceptance);
    }
    if let Some(slot) = switch.slot() {
        OnUpgrade::insert(slot, request.extensions_mut());
        Unread::insert(slot, request.extensions_mut());
    }
    Ok(Way::Accept(switch))
}

/// Shows a handler with an extractor of its own one clean offer.
fn normalise<B>(request: &mut Request<B>, acceptance: &Acceptance) {
    if acceptance.is_connect() {
        negotiate::normalise_subprotocol(request.headers_mut(), acceptance);
        upgrade::normalise_connect(request.extensions_mut(), acceptance);
    } else {
        negotiate::normalise(request.headers_mut(), acceptance);
    }
}

#[cold]
pub(crate) fn not_upgradable() -> Refusal {
    let hint = "the server gave no handle for this connection: it does no upgrades, or a layer \
                further out took the handle";
    Refusal::new(RefusalKind::NotUpgradable, hint)
}

/// Other servers' handles are of no use to such handlers.
#[cold]
fn not_hypers() -> Refusal {
    let hint = "the handler here takes hyper's own handle for this connection, which is not there: the \
                server is another or does no upgrades, or a layer further out took the handle";
    Refusal::new(RefusalKind::NotUpgradable, hint)
}
