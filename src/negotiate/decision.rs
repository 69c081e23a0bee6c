//! `Decision`: what follows from a policy and a request's head.

use std::sync::Arc;

use super::{
    acceptance::{Acceptance, Agreed},
    content,
    offer::{Form, Offer},
    policy::Policy,
};
use crate::refusal::Refusal;

/// What becomes of a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// It is an ordinary request; an offer in it is taken out.
    Pass,
    /// It may be switched, if the service says so too.
    Accept(Acceptance),
    /// It is answered with a refusal; the service does not see it.
    Refuse(Refusal),
}

impl Policy {
    /// Decides on a request: a pure function of the policy and the offer.
    ///
    /// # Examples
    ///
    /// A policy can be tested without a server:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use http::Request;
    /// use tower_upgrade::{Policy, RefusalKind, WebSocket, negotiate::{Decision, Offer}};
    ///
    /// let policy = Arc::new(Policy::require(WebSocket::new()));
    /// let request = Request::get("/").body(())?;
    /// let Decision::Refuse(refusal) = policy.decide(&Offer::read(&request)) else {
    ///     panic!("a plain request has no business here");
    /// };
    /// assert_eq!(refusal.kind(), RefusalKind::NotOffered);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn decide(self: &Arc<Self>, offer: &Offer<'_>) -> Decision {
        match self.accept(offer) {
            Ok(Some(acceptance)) => Decision::Accept(acceptance),
            Ok(None) => Decision::Pass,
            Err(refusal) => Decision::Refuse(self.complete(refusal)),
        }
    }

    /// The rules in their order; `Ok(None)` is a pass.
    fn accept(self: &Arc<Self>, offer: &Offer<'_>) -> Result<Option<Acceptance>, Refusal> {
        self.check_requirements(offer.head())?;
        if self.is_forbidden() || matches!(offer.form(), Form::Tunnel) {
            return Ok(None);
        }
        let Some((index, spoken)) = self.select(offer) else {
            return if self.is_required() {
                Err(self.refuse_offer(offer))
            } else {
                Ok(None)
            };
        };
        let (handshake, content) = spoken.check(offer)?;
        if self.is_raw() && content.is_some() {
            return Err(content::not_allowed());
        }
        let agreed = Agreed::new(self, index, handshake.as_ref(), offer.head().version);
        let key = handshake.and_then(|handshake| handshake.key);
        Ok(Some(Acceptance::new(
            agreed,
            offer.is_connect(),
            key,
            content,
        )))
    }
}
