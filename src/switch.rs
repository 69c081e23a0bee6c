//! `Switch`: an offer that was let through, until the service has answered (rules 12 and 15 to 18).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header::CONNECTION};

use crate::{
    body::ResponseBody,
    lifetime::{self, Guard},
    negotiate::Acceptance,
    refusal::{Refusal, RefusalKind},
    upgrade::{Handle, Io, Kind, Slot},
};

/// What is kept for a request between its offer and its answer.
///
/// Dropped in between, it tells whoever awaits the connection that none will come.
pub(crate) enum Switch {
    /// The handle goes from here to the slot, and only if the service accepts.
    Own { slot: Slot, handle: Option<Handle> },
    /// The handle is in the request, for a handler with an extractor of its own.
    Raw(Box<Raw>),
}

pub(crate) struct Raw {
    acceptance: Acceptance,
    /// Whose permits return with the answer: what comes after it is not seen by the layer.
    guard: Option<Arc<Guard<Io>>>,
}

impl Switch {
    pub(crate) const fn new(slot: Slot, handle: Handle) -> Self {
        let handle = Some(handle);
        Self::Own { slot, handle }
    }

    pub(crate) fn raw(acceptance: Acceptance, guard: Option<Arc<Guard<Io>>>) -> Self {
        Self::Raw(Box::new(Raw { acceptance, guard }))
    }

    pub(crate) fn acceptance(&self) -> &Acceptance {
        match self {
            Self::Own { slot, .. } => slot.acceptance(),
            Self::Raw(raw) => &raw.acceptance,
        }
    }

    pub(crate) const fn slot(&self) -> Option<&Slot> {
        match self {
            Self::Own { slot, .. } => Some(slot),
            Self::Raw(_) => None,
        }
    }

    fn guard(&self) -> Option<&Arc<Guard<Io>>> {
        match self {
            Self::Own { slot, .. } => slot.guard(),
            Self::Raw(raw) => raw.guard.as_ref(),
        }
    }

    /// Turns the service's answer into the one that is sent.
    pub(crate) fn settle<R>(&mut self, mut response: Response<R>) -> Response<ResponseBody<R>> {
        let acceptance = self.acceptance();
        if !acceptance.is_accepted_by(response.status()) {
            return self.decline(response);
        }
        if let Err(refusal) = acceptance.check_answer(response.headers()) {
            return self.refuse(&refusal);
        }
        let chosen = response.extensions_mut().remove();
        *response.status_mut() = acceptance.write_answer(response.headers_mut(), chosen);
        match self.hand_over() {
            Ok(()) => response.map(|_| ResponseBody::own(Bytes::new())),
            Err(refusal) => self.refuse(&refusal),
        }
    }

    /// The service gave another answer, which is sent unless it would open a tunnel (rule 17).
    fn decline<R>(&mut self, response: Response<R>) -> Response<ResponseBody<R>> {
        let opens_tunnel = self.acceptance().is_connect() && response.status().is_success();
        let fault = opens_tunnel.then(|| Fault::TunnelNotAccepted.refusal());
        self.close(Kind::Declined, fault.as_ref());
        match fault {
            Some(refusal) => answer_with(&refusal),
            None => response.map(ResponseBody::service),
        }
    }

    /// Lets the connection go, unless something stands against it.
    fn hand_over(&mut self) -> Result<(), Refusal> {
        if self.is_drained() {
            return Err(lifetime::draining(self.acceptance().version()));
        }
        let handed_over = match self {
            Self::Own { slot, .. } if !slot.is_content_read() => {
                return Err(Fault::ContentUnread.refusal());
            }
            Self::Own { slot, handle } => {
                handle.take().is_some_and(|handle| slot.hand_over(handle))
            }
            Self::Raw(raw) => {
                if let Some(guard) = &raw.guard {
                    guard.release();
                }
                true
            }
        };
        if handed_over {
            Ok(())
        } else if self.is_drained() {
            Err(lifetime::draining(self.acceptance().version()))
        } else {
            Err(Fault::Abandoned.refusal())
        }
    }

    /// Whether the deadline of a drain struck while the service was still deciding.
    fn is_drained(&self) -> bool {
        self.guard().is_some_and(|guard| guard.is_closed())
    }

    /// The service accepted in a way that cannot be let through.
    #[cold]
    fn refuse<R>(&mut self, refusal: &Refusal) -> Response<ResponseBody<R>> {
        let why = match refusal.kind() {
            RefusalKind::Draining => Kind::Drained,
            _ => Kind::Refused,
        };
        self.close(why, Some(refusal));
        answer_with(refusal)
    }

    /// Drops the handle and tells whoever awaits the connection why none will come.
    ///
    /// The guard last: what wakes by it looks into the slot for the reason.
    fn close(&mut self, why: Kind, refusal: Option<&Refusal>) {
        if let Self::Own { slot, handle } = self {
            if handle.take().is_none() && refusal.is_none() {
                return;
            }
            slot.close(why);
        }
        match (self.guard(), refusal) {
            (Some(guard), Some(refusal)) => guard.refuse(refusal),
            (Some(guard), None) => guard.decline(),
            (None, _) => {}
        }
    }
}

/// Something the service did that no connection can be switched after.
pub(crate) enum Fault {
    /// Rule 16: a 101 that no decision stands behind.
    UnexpectedSwitch,
    /// Rule 17: a 2xx would open a tunnel nobody waits for.
    TunnelNotAccepted,
    /// Rule 12. What is left of the content must not be taken for a next request.
    ContentUnread,
    Abandoned,
}

impl Fault {
    #[cold]
    pub(crate) fn answer<R>(self) -> Response<ResponseBody<R>> {
        answer_with(&self.refusal())
    }

    #[cold]
    fn refusal(self) -> Refusal {
        let (kind, hint) = match self {
            Self::UnexpectedSwitch => (
                RefusalKind::UnexpectedSwitch,
                "the service answered 101 to a request whose offer was not let through",
            ),
            Self::TunnelNotAccepted => (
                RefusalKind::TunnelNotAccepted,
                "the service answered an extended CONNECT without accepting it",
            ),
            Self::ContentUnread => (
                RefusalKind::ContentUnread,
                "the service accepted the upgrade without having read the request's content by \
                 `OnUpgrade::content` or axum's `Content`, or what it read is not as long as \
                 `Content-Length` says, because a layer in between changed it",
            ),
            Self::Abandoned => (
                RefusalKind::Abandoned,
                "the service accepted the upgrade, but had dropped its `OnUpgrade` or never took it",
            ),
        };
        let refusal = Refusal::new(kind, hint);
        if matches!(self, Self::ContentUnread) {
            return refusal.with_field(CONNECTION, HeaderValue::from_static("close"));
        }
        refusal
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.close(Kind::Canceled, None);
    }
}

#[cold]
fn answer_with<R>(refusal: &Refusal) -> Response<ResponseBody<R>> {
    refusal
        .to_response(&HeaderMap::new())
        .map(ResponseBody::own)
}
