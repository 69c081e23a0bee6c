//! Which protocol an offer selects, and what it is told if it selects none (rules 5, 6 and 8).

use http::{HeaderValue, header};

use super::{
    offer::{Absence, Form, Offer},
    policy::Policy,
    spoken::Spoken,
};
use crate::refusal::{Refusal, RefusalKind};

impl Policy {
    /// The protocol an offer selects (rules 5 and 6).
    pub(super) fn select(&self, offer: &Offer<'_>) -> Option<(u16, &Spoken)> {
        let index = match offer.form() {
            Form::Upgrade(members) if self.server_order => members
                .iter()
                .filter_map(|member| self.position(member))
                .min(),
            Form::Upgrade(members) => members.find_map(|member| self.position(member)),
            Form::Connect(offered) => self.position(offered),
            Form::None(_) | Form::Tunnel => None,
        }?;
        Some((index, self.spoken(index)?))
    }

    /// Where a member of an offer stands among the protocols spoken here (rule 5). More of them than
    /// that are as good as not spoken.
    pub(super) fn position(&self, offered: &[u8]) -> Option<u16> {
        let matches = |own: &Spoken| own.protocol().matches(offered);
        u16::try_from(self.spoken.iter().position(matches)?).ok()
    }

    /// What a request is told that selects nothing where something is required (rule 8).
    #[cold]
    pub(super) fn refuse_offer(&self, offer: &Offer<'_>) -> Refusal {
        match offer.form() {
            Form::None(absence) => refuse_absence(*absence),
            // It has passed before this is asked.
            Form::Tunnel => refuse_absence(Absence::Multiplexed),
            Form::Connect(_) => {
                let hint = "`:protocol` names none that is spoken here";
                Refusal::new(RefusalKind::ConnectNotSpoken, hint)
            }
            Form::Upgrade(members) if members.is_overlong() => {
                let hint =
                    "`Upgrade` has more members than are read, and none of those is spoken here";
                Refusal::new(RefusalKind::TooManyMembers, hint)
            }
            Form::Upgrade(members) if members.is_empty() => refuse_absence(Absence::NoField),
            Form::Upgrade(_) => {
                let listed = self.listed.to_str().unwrap_or_default();
                let hint =
                    format!("`Upgrade` names no protocol that is spoken here, which are: {listed}");
                Refusal::new(RefusalKind::NotSpoken, hint)
            }
        }
    }
}

#[cold]
fn refuse_absence(absence: Absence) -> Refusal {
    let (kind, hint) = absence.refusal();
    let refusal = Refusal::new(kind, hint);
    if kind == RefusalKind::ConnectRequired {
        return refusal.with_field(header::ALLOW, HeaderValue::from_static("CONNECT"));
    }
    refusal
}
