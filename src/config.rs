//! What all clones of a service share: the policies, and how refusals are answered.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{Method, Response};

use crate::{
    head::Head,
    lifetime::Terms,
    negotiate::{Policy, Routes},
    observe::Observer,
    refusal::Refusal,
};

/// One policy for all requests, or a table of them by path.
#[derive(Clone, Debug)]
pub struct Policies {
    kind: Kind,
    /// Whether a request without an offer may be refused anywhere, so that it has to be looked at.
    has_demands: bool,
}

#[derive(Clone, Debug)]
enum Kind {
    One(Arc<Policy>),
    Table(Arc<Routes>),
}

impl Policies {
    /// Whether a request for this path may be refused though it offers nothing.
    #[inline]
    pub(crate) fn demand_of(&self, path: &str) -> bool {
        self.has_demands && self.find(path).has_demands()
    }

    pub(crate) fn find(&self, path: &str) -> &Arc<Policy> {
        match &self.kind {
            Kind::One(policy) => policy,
            Kind::Table(routes) => routes.find(path),
        }
    }
}

impl From<Arc<Policy>> for Policies {
    fn from(policy: Arc<Policy>) -> Self {
        Self {
            has_demands: policy.has_demands(),
            kind: Kind::One(policy),
        }
    }
}

impl From<Policy> for Policies {
    fn from(policy: Policy) -> Self {
        Arc::new(policy).into()
    }
}

impl From<Routes> for Policies {
    fn from(routes: Routes) -> Self {
        Self {
            has_demands: routes.has_demands(),
            kind: Kind::Table(Arc::new(routes)),
        }
    }
}

/// A response of the user's own to a refusal.
pub(crate) type Respond = dyn Fn(&Refusal, &Head<'_>) -> Response<Bytes> + Send + Sync;

/// What all clones of a service share.
#[derive(Clone)]
pub(crate) struct Config {
    pub(crate) policies: Policies,
    pub(crate) refuse_with: Option<Arc<Respond>>,
    /// What connections live by; none where nothing is asked of them.
    pub(crate) terms: Option<Arc<Terms>>,
}

impl Config {
    pub(crate) const fn new(policies: Policies) -> Self {
        Self {
            policies,
            refuse_with: None,
            terms: None,
        }
    }

    pub(crate) fn terms_mut(&mut self) -> &mut Terms {
        Arc::make_mut(self.terms.get_or_insert_default())
    }

    /// Tells the observers, if there are any.
    pub(crate) fn tell(&self, event: impl Fn(&dyn Observer)) {
        if let Some(terms) = &self.terms {
            terms.tell(event);
        }
    }

    /// Answers a request with a refusal.
    #[cold]
    pub(crate) fn refuse(&self, refusal: &Refusal, head: &Head<'_>) -> Response<Bytes> {
        self.tell(|observer| observer.refused(refusal));
        let Some(respond) = &self.refuse_with else {
            return refusal.to_response(head.headers);
        };
        let mut response = respond(refusal, head);
        let status = response.status();
        let is_connect = *head.method == Method::CONNECT;
        if status.is_informational() || (is_connect && status.is_success()) {
            *response.status_mut() = refusal.status();
        }
        refusal.complete(&mut response);
        response
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("policies", &self.policies)
            .field("refuse_with", &self.refuse_with.is_some())
            .field("terms", &self.terms)
            .finish()
    }
}
