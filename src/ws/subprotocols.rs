//! `Subprotocols`: which one a handler speaks, among those the client offers (rule 11).

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

use crate::{grammar::List, negotiate::Agreed, websocket::Subprotocol};

/// The client's subprotocols and the one selected, in copies: a value of the request would keep its
/// whole head alive for as long as the connection (rule 22).
#[derive(Debug)]
pub(super) struct Subprotocols {
    requested: Vec<HeaderValue>,
    selected: Option<HeaderValue>,
    /// Whether the policy names subprotocols, so that the handler has no say.
    is_settled: bool,
}

impl Subprotocols {
    /// Reads what the client offers, and takes over what the policy selected.
    pub(super) fn new(headers: &HeaderMap, agreed: &Agreed) -> Self {
        let members = List::new(headers.get_all(SEC_WEBSOCKET_PROTOCOL));
        let members = members.iter();
        Self {
            requested: members
                .filter_map(|m| HeaderValue::from_bytes(m).ok())
                .collect(),
            selected: agreed.subprotocol_value().cloned(),
            is_settled: agreed.names_subprotocols(),
        }
    }

    pub(super) fn requested(&self) -> impl Iterator<Item = &HeaderValue> {
        self.requested.iter()
    }

    pub(super) const fn selected(&self) -> Option<&HeaderValue> {
        self.selected.as_ref()
    }

    /// Returns this one if the client offers it.
    pub(super) fn find(&self, name: &[u8]) -> Option<HeaderValue> {
        let mut requested = self.requested.iter();
        requested.find(|theirs| **theirs == *name).cloned()
    }

    /// Selects one of those that the client offers, or none, unless the policy has a say.
    pub(super) fn select(&mut self, selected: Option<HeaderValue>) {
        if !self.is_settled {
            self.selected = selected;
        }
    }

    /// What the layer is to answer with, where it does not know by itself.
    pub(super) fn chosen(&self) -> Option<Subprotocol> {
        let selected = self.selected.clone().filter(|_| !self.is_settled);
        selected.map(Subprotocol)
    }

    pub(super) fn into_selected(self) -> Option<HeaderValue> {
        self.selected
    }
}
