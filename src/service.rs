//! `Upgrade`: the service, where a request's way is decided.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, header::UPGRADE, request::Parts};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    config::{Config, Policies},
    future::ResponseFuture,
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
        let policies = &self.config.policies;
        if !may_offer(&request)
            && (!policies.has_demands() || !policies.find(request.uri().path()).has_demands())
        {
            return ResponseFuture::passed(self.inner.call(request));
        }
        self.negotiate(request)
    }
}

/// The one cheap look that nearly every request gets and no more.
fn may_offer<B>(request: &Request<B>) -> bool {
    *request.method() == Method::CONNECT || request.headers().contains_key(UPGRADE)
}

impl<S> Upgrade<S> {
    #[inline(never)]
    fn negotiate<B, R>(&mut self, request: Request<B>) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        let (mut head, body) = request.into_parts();
        let policy = self.config.policies.find(head.uri.path());
        let is_connect = head.method == Method::CONNECT;
        let connect = is_connect.then(|| upgrade::connect_protocol(&head.extensions));
        let offer = Offer::read_with(&head, connect.flatten());
        let decision = match policy.decide(&offer, &head) {
            Decision::Pass => match offer.form() {
                // Rule 5: it is a request for a tunnel, and the handle is what the service needs.
                Form::Tunnel => Ok(Way::Untouched),
                Form::Connect(_) => Ok(Way::PassConnect),
                _ => Ok(Way::Pass),
            },
            Decision::Accept(acceptance) => admit(policy, acceptance, &mut head),
            Decision::Refuse(refusal) => Err(refusal),
        };
        let request = |head| Request::from_parts(head, body);
        match decision {
            Ok(Way::Accept(switch)) => {
                ResponseFuture::accepted(self.inner.call(request(head)), switch)
            }
            Ok(Way::Untouched) => ResponseFuture::passed(self.inner.call(request(head))),
            Ok(Way::Pass) => {
                take_out(&mut head);
                ResponseFuture::passed(self.inner.call(request(head)))
            }
            Ok(Way::PassConnect) => {
                take_out(&mut head);
                ResponseFuture::passed_connect(self.inner.call(request(head)))
            }
            Err(refusal) => ResponseFuture::refused(self.config.refuse(&refusal, &head)),
        }
    }
}

/// Where a request goes.
enum Way {
    Accept(Switch),
    Pass,
    PassConnect,
    Untouched,
}

/// Rule 7: takes an offer out, with all that could switch the connection.
fn take_out(head: &mut Parts) {
    drop(Handle::take(&mut head.extensions));
    drop(OnUpgrade::take_from(&mut head.extensions));
    negotiate::strip(&mut head.headers);
}

/// Makes ready what an accepted offer needs, and shows it to the service as its policy says.
///
/// Where the server cannot hand the connection over, it passes unless the policy insists (rule 23).
fn admit(policy: &Policy, acceptance: Acceptance, head: &mut Parts) -> Result<Way, Refusal> {
    let is_connect = acceptance.is_connect();
    let switch = if policy.is_raw() {
        ServerHandle::is_in(&head.extensions).then(|| Switch::raw(acceptance))
    } else {
        let handle = Handle::take(&mut head.extensions);
        handle.map(|handle| Switch::new(Slot::new(acceptance), handle))
    };
    let Some(switch) = switch else {
        return match () {
            () if policy.is_required() => Err(not_upgradable()),
            () if is_connect => Ok(Way::PassConnect),
            () => Ok(Way::Pass),
        };
    };
    if is_connect && policy.translates() {
        negotiate::translate(head, switch.acceptance());
        upgrade::forget_connect(&mut head.extensions);
    } else if policy.is_raw() {
        normalise(head, switch.acceptance());
    }
    if let Some(slot) = switch.slot() {
        OnUpgrade::insert(slot, &mut head.extensions);
        Unread::insert(slot, &mut head.extensions);
    }
    Ok(Way::Accept(switch))
}

/// Shows a handler with an extractor of its own one clean offer.
fn normalise(head: &mut Parts, acceptance: &Acceptance) {
    if acceptance.is_connect() {
        negotiate::normalise_subprotocol(&mut head.headers, acceptance);
        upgrade::normalise_connect(head, acceptance);
    } else {
        negotiate::normalise(&mut head.headers, acceptance);
    }
}

#[cold]
fn not_upgradable() -> Refusal {
    let hint = "the server cannot hand this connection over: it is served without upgrades \
                (`serve_connection_with_upgrades`), or a layer further out took the handle";
    Refusal::new(RefusalKind::NotUpgradable, hint)
}
