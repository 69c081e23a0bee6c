//! What else an offer could be accepted for, where the service has a say in it.

use std::sync::{Arc, atomic::Ordering};

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

use super::{
    acceptance::{Acceptance, Agreed, Choice},
    offer::{Form, Offer},
    policy::Policy,
};
use crate::{grammar::List, head::Head, websocket::WebSocket};

impl Acceptance {
    /// All that the offer could be accepted for, each sound in its own right, in the order that
    /// decides (rule 6); the selected protocol is among them.
    pub(crate) fn alternatives(&self, head: Head<'_>) -> Vec<Self> {
        if self.is_connect() {
            return vec![self.clone()];
        }
        let policy = &self.agreed().policy;
        let offer = Offer::read_with(head, None);
        let found = policy.wanted(&offer).into_iter();
        let found: Vec<_> = found
            .filter_map(|index| policy.accept_for(&offer, index))
            .collect();
        let own = self.agreed().choice().protocol;
        if found.iter().any(|a| a.agreed().choice().protocol == own) {
            return found;
        }
        // Something in between has changed the request; what was let through was let through.
        vec![self.clone()]
    }

    /// The same with another subprotocol, or none; `None` if the policy names some and this is none of
    /// them, if it requires one and this is none, or if it is no WebSocket.
    pub(crate) fn with_subprotocol(self, name: Option<&HeaderValue>) -> Option<Self> {
        let websocket = self.agreed().websocket()?;
        let subprotocol = match name {
            Some(name) if websocket.names_subprotocols() => Some(position(websocket, name)?),
            None if websocket.requires_subprotocol() => return None,
            _ => None,
        };
        self.agreed().choose(Choice {
            subprotocol,
            ..self.agreed().choice()
        });
        Some(self)
    }

    /// Whether these are names of its layers, each once and from the lowest up.
    pub(crate) fn is_named_by<'a>(&self, mut names: impl Iterator<Item = &'a [u8]>) -> bool {
        let mut layers = self.agreed().layers().iter();
        names.all(|name| layers.next().is_some_and(|layer| layer.matches(name)))
    }

    pub(crate) fn is_websocket(&self) -> bool {
        self.agreed().websocket().is_some()
    }

    /// Leaves those subprotocols in an offer that the policy names too, in its order, if it names any.
    pub(crate) fn restrict_subprotocols(&self, headers: &mut HeaderMap) {
        let Some(websocket) = self.agreed().websocket() else {
            return;
        };
        if !websocket.names_subprotocols() {
            return;
        }
        let offered = List::new(headers.get_all(SEC_WEBSOCKET_PROTOCOL));
        let own = (0..).map_while(|index| websocket.subprotocol(index));
        let common = own.map(HeaderValue::as_bytes);
        let common: Vec<_> = common
            .filter(|own| offered.iter().any(|offered| offered == *own))
            .collect();
        match HeaderValue::from_bytes(&common.join(&b", "[..])) {
            Ok(common) if !common.is_empty() => headers.insert(SEC_WEBSOCKET_PROTOCOL, common),
            _ => headers.remove(SEC_WEBSOCKET_PROTOCOL),
        };
    }
}

impl Agreed {
    fn choose(&self, choice: Choice) {
        self.choice.store(choice.pack(), Ordering::Relaxed);
    }

    /// Takes over what another says that was made by the same policy.
    pub(crate) fn settle(&self, other: &Self) {
        if Arc::ptr_eq(&self.policy, &other.policy) {
            self.choose(other.choice());
        }
    }
}

fn position(websocket: &WebSocket, name: &HeaderValue) -> Option<u16> {
    let mut own = (0..).map_while(|index| websocket.subprotocol(index));
    u16::try_from(own.position(|own| own == name)?).ok()
}

impl Policy {
    /// The protocols that both the offer and this policy name, each once.
    fn wanted(&self, offer: &Offer<'_>) -> Vec<u16> {
        let Form::Upgrade(members) = offer.form() else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for index in members.iter().filter_map(|member| self.position(member)) {
            if !found.contains(&index) {
                found.push(index);
            }
        }
        if self.server_order {
            found.sort_unstable();
        }
        found
    }

    fn accept_for(self: &Arc<Self>, offer: &Offer<'_>, index: u16) -> Option<Acceptance> {
        let (handshake, content) = self.spoken(index)?.check(offer).ok()?;
        let agreed = Agreed::new(self, index, handshake.as_ref(), offer.head().version);
        let key = handshake.and_then(|handshake| handshake.key);
        Some(Acceptance::new(agreed, false, key, content))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderValue, Request};

    use crate::{
        head::Head,
        negotiate::{Acceptance, Decision, Offer, Policy},
        protocol::Protocol,
        websocket::WebSocket,
    };

    fn protocol(name: &str) -> Protocol {
        Protocol::new(name).unwrap()
    }

    fn request(upgrade: &str, key: &str) -> Request<()> {
        Request::get("/")
            .header("host", "a.example")
            .header("connection", "upgrade")
            .header("upgrade", upgrade)
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", key)
            .header("sec-websocket-protocol", "v1, v2")
            .body(())
            .unwrap()
    }

    fn accept(policy: Policy, request: &Request<()>) -> Acceptance {
        match Arc::new(policy).decide(&Offer::read(request)) {
            Decision::Accept(acceptance) => acceptance,
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn finds(policy: Policy, upgrade: &str, key: &str, expected: &[&str]) {
        let request = request(upgrade, key);
        let found = accept(policy, &request).alternatives(Head::from(&request));
        let found: Vec<_> = found
            .iter()
            .map(|found| found.protocol().as_str())
            .collect();
        assert_eq!(found, expected, "{upgrade}");
    }

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    #[test]
    fn all_that_both_name_in_the_order_that_decides() {
        let policy = || {
            Policy::offer(protocol("b"))
                .or(protocol("a"))
                .or(WebSocket::new())
        };
        finds(policy(), "a, h2c, b, x", KEY, &["a", "b"]);
        finds(policy(), "a, A, b, a", KEY, &["a", "b"]);
        finds(policy(), "websocket, b", KEY, &["websocket", "b"]);
        finds(
            policy().server_order(),
            "websocket, a, b",
            KEY,
            &["b", "a", "websocket"],
        );
    }

    #[test]
    fn what_is_malformed_is_no_alternative() {
        let policy = Policy::offer(protocol("a")).or(WebSocket::new());
        finds(policy.clone(), "a, websocket", "x", &["a"]);
        let post_only = protocol("c").methods([http::Method::POST]);
        finds(policy.or(post_only), "a, c", KEY, &["a"]);
    }

    #[test]
    fn a_subprotocol_is_one_of_the_policys_where_it_names_any() {
        let request = request("websocket", KEY);
        let named = WebSocket::new().subprotocols(["v2", "v1"]);
        let accepted = accept(Policy::offer(named), &request);
        let settled = |name| {
            let name = HeaderValue::from_static(name);
            accepted.clone().with_subprotocol(Some(&name))
        };
        assert_eq!(accepted.subprotocol(), Some("v2"));
        assert_eq!(settled("v1").unwrap().subprotocol(), Some("v1"));
        assert!(settled("v3").is_none());
        let none = accepted.clone().with_subprotocol(None).unwrap();
        assert_eq!(none.subprotocol(), None);
    }
}
