//! Where a `WebSocketUpgrade` comes from: a layer's offer, or a decision of its own.

use std::sync::{Arc, LazyLock};

use ::axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{Extensions, request::Parts};

use super::{subprotocols::Subprotocols, upgrade::WebSocketUpgrade};
use crate::{
    axum::not_negotiated,
    head::Head,
    negotiate::{Acceptance, Decision, Offer, Policy},
    refusal::{Refusal, RefusalKind},
    service::not_upgradable,
    switch::Switch,
    upgrade::{self, Handle, Offered, OnUpgrade, Slot},
    websocket::WebSocket,
};

impl<S: Sync> FromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        static POLICY: LazyLock<Arc<Policy>> =
            LazyLock::new(|| Arc::new(Policy::require(WebSocket::new())));
        if is_for_another(&parts.extensions) {
            return Err(other_protocol());
        }
        match find(&POLICY, parts)? {
            Some(upgrade) => Ok(upgrade),
            None => Err(not_negotiated(&parts.method)),
        }
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for WebSocketUpgrade {
    type Rejection = Refusal;

    /// An offer of another protocol, which the layer let through, stays for another extractor.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refusal> {
        static POLICY: LazyLock<Arc<Policy>> =
            LazyLock::new(|| Arc::new(Policy::offer(WebSocket::new())));
        if is_for_another(&parts.extensions) {
            return Ok(None);
        }
        find(&POLICY, parts)
    }
}

/// Whether a layer let an offer through that is not of a WebSocket.
fn is_for_another(extensions: &Extensions) -> bool {
    let offered = extensions.get();
    offered.is_some_and(|Offered(slot)| !slot.acceptance().protocol().matches(b"websocket"))
}

/// Takes what a layer let through, or else decides by this policy.
fn find(policy: &Arc<Policy>, parts: &mut Parts) -> Result<Option<WebSocketUpgrade>, Refusal> {
    if let Some(upgrade) = take(parts, None) {
        return Ok(Some(upgrade));
    }
    let connect = upgrade::connect_protocol(&parts.extensions);
    match policy.decide(&Offer::read_with(Head::from(&*parts), connect)) {
        Decision::Accept(acceptance) => admit(policy, acceptance, parts),
        Decision::Pass => Ok(None),
        Decision::Refuse(refusal) => Err(refusal),
    }
}

/// Makes ready what a layer would, where the server can hand the connection over (rule 23).
fn admit(
    policy: &Policy,
    acceptance: Acceptance,
    parts: &mut Parts,
) -> Result<Option<WebSocketUpgrade>, Refusal> {
    let Some(handle) = Handle::take(&mut parts.extensions) else {
        return if policy.is_required() {
            Err(not_upgradable())
        } else {
            Ok(None)
        };
    };
    let slot = Slot::new(acceptance, None);
    OnUpgrade::insert(&slot, &mut parts.extensions);
    Ok(take(parts, Some(Switch::new(slot, handle))))
}

fn take(parts: &mut Parts, switch: Option<Switch>) -> Option<WebSocketUpgrade> {
    let Offered(slot) = parts.extensions.get()?;
    let subprotocols = Subprotocols::new(&parts.headers, slot.acceptance().agreed());
    let on_upgrade = OnUpgrade::take_from(&mut parts.extensions)?;
    Some(WebSocketUpgrade::new(on_upgrade, switch, subprotocols))
}

#[cold]
fn other_protocol() -> Refusal {
    let hint = "the handler takes a `WebSocketUpgrade`, but the offer that was let through is of \
                another protocol: take an `OnUpgrade`, or an `Option` of both";
    Refusal::new(RefusalKind::NotNegotiated, hint)
}
