//! A service that has a say in what was agreed on, until it answers.

use http::Request;

use super::on_upgrade::OnUpgrade;
use crate::{head::Head, negotiate::Acceptance};

impl OnUpgrade {
    /// What the layer let the offer through for.
    pub(crate) fn acceptance(&self) -> &Acceptance {
        self.slot.acceptance()
    }

    /// All that the offer could be accepted for, by the head of the request it came in.
    pub(crate) fn alternatives<B>(&self, request: &Request<B>) -> Vec<Acceptance> {
        self.acceptance().alternatives(Head::from(request))
    }

    /// Settles on one of them. What is settled first counts.
    pub(crate) fn settle(&self, acceptance: Acceptance) {
        if let Some(guard) = self.slot.guard() {
            guard.agreed().settle(acceptance.agreed());
        }
        let _ = self.slot.0.settled.set(Box::new(acceptance));
    }
}
