//! `Upgrade`: the service, where a request's way is decided.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{Method, Request, Response, header::UPGRADE, request::Parts};
use tower_service::Service;

use crate::{
    body::ResponseBody,
    config::Config,
    future::ResponseFuture,
    negotiate::{self, Acceptance, Decision, Offer, Policy},
    refusal::{Refusal, RefusalKind},
    switch::Switch,
    upgrade::{self, ContentProof, Handle, OnUpgrade, Slot},
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
    pub(crate) const fn new(inner: S, config: Arc<Config>) -> Self {
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
        let offer = Offer::read_with(&head, upgrade::connect_protocol(&head.extensions));
        let is_connect = match offer {
            Offer::Tunnel => {
                let request = Request::from_parts(head, body);
                return ResponseFuture::untouched(self.inner.call(request));
            }
            Offer::Connect(_) => true,
            _ => false,
        };
        match policy.decide(&offer, &head) {
            Decision::Accept(acceptance) => match switch(policy, acceptance, &mut head) {
                Ok(Some(switch)) => {
                    let request = Request::from_parts(head, body);
                    ResponseFuture::accepted(self.inner.call(request), switch)
                }
                Ok(None) => self.pass(head, body, is_connect),
                Err(refusal) => ResponseFuture::refused(self.config.refuse(&refusal, &head)),
            },
            Decision::Pass => self.pass(head, body, is_connect),
            Decision::Refuse(refusal) => {
                ResponseFuture::refused(self.config.refuse(&refusal, &head))
            }
        }
    }

    /// Rule 7: lets a request through without its offer.
    fn pass<B, R>(
        &mut self,
        mut head: Parts,
        body: B,
        is_connect: bool,
    ) -> ResponseFuture<S::Future>
    where
        S: Service<Request<B>, Response = Response<R>>,
    {
        drop(Handle::take(&mut head.extensions));
        if is_connect {
            return ResponseFuture::passed_connect(
                self.inner.call(Request::from_parts(head, body)),
            );
        }
        negotiate::strip(&mut head.headers);
        ResponseFuture::passed(self.inner.call(Request::from_parts(head, body)))
    }
}

/// Makes ready what an accepted offer needs, and shows it to the service as its policy says.
///
/// `Ok(None)` if the server cannot hand the connection over and the policy does not insist (rule 23).
fn switch(
    policy: &Policy,
    acceptance: Acceptance,
    head: &mut Parts,
) -> Result<Option<Switch>, Refusal> {
    let switch = if policy.is_raw() {
        Handle::is_in(&head.extensions).then(|| Switch::raw(acceptance))
    } else {
        let handle = Handle::take(&mut head.extensions);
        handle.map(|handle| Switch::new(Slot::new(acceptance), handle))
    };
    let Some(switch) = switch else {
        return if policy.is_required() {
            Err(not_upgradable())
        } else {
            Ok(None)
        };
    };
    let acceptance = switch.acceptance();
    if acceptance.is_connect() && policy.translates() {
        negotiate::translate(head, acceptance);
        upgrade::forget_connect(&mut head.extensions);
    } else if policy.is_raw() {
        if acceptance.is_connect() {
            negotiate::normalise_subprotocol(&mut head.headers, acceptance);
            upgrade::normalise_connect(head, acceptance);
        } else {
            negotiate::normalise(&mut head.headers, acceptance);
        }
    }
    if let Some(slot) = switch.slot() {
        OnUpgrade::insert(slot, &mut head.extensions);
        ContentProof::insert(slot, &mut head.extensions);
    }
    Ok(Some(switch))
}

#[cold]
fn not_upgradable() -> Refusal {
    let hint = "the server cannot hand this connection over: it is served without upgrades \
                (`serve_connection_with_upgrades`), or a layer further out took the handle";
    Refusal::new(RefusalKind::NotUpgradable, hint)
}
