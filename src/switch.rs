//! `Switch`: an offer that was let through, until the service has answered (rules 12 and 15 to 18).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header::CONNECTION};

use crate::{
    body::ResponseBody,
    negotiate::Acceptance,
    refusal::{Refusal, RefusalKind},
    upgrade::{Handle, Kind, Slot},
};

/// What is kept for a request between its offer and its answer.
///
/// Dropped in between, it tells whoever awaits the connection that none will come.
pub(crate) enum Switch {
    /// The handle goes from here to the slot, and only if the service accepts.
    Own {
        slot: Arc<Slot>,
        handle: Option<Handle>,
    },
    /// The handle is in the request, for a handler with an extractor of its own.
    Raw(Box<Acceptance>),
}

impl Switch {
    pub(crate) const fn new(slot: Arc<Slot>, handle: Handle) -> Self {
        let handle = Some(handle);
        Self::Own { slot, handle }
    }

    pub(crate) fn raw(acceptance: Acceptance) -> Self {
        Self::Raw(Box::new(acceptance))
    }

    pub(crate) fn acceptance(&self) -> &Acceptance {
        match self {
            Self::Own { slot, .. } => slot.acceptance(),
            Self::Raw(acceptance) => acceptance,
        }
    }

    pub(crate) const fn slot(&self) -> Option<&Arc<Slot>> {
        match self {
            Self::Own { slot, .. } => Some(slot),
            Self::Raw(_) => None,
        }
    }

    /// Turns the service's answer into the one that is sent.
    pub(crate) fn settle<R>(&mut self, mut response: Response<R>) -> Response<ResponseBody<R>> {
        let acceptance = self.acceptance();
        if !acceptance.is_accepted_by(response.status()) {
            return self.decline(response);
        }
        if let Err(refusal) = acceptance.check_answer(response.headers()) {
            self.close(Kind::Refused);
            return answer_with(&refusal);
        }
        *response.status_mut() = acceptance.write_answer(response.headers_mut());
        match self.hand_over() {
            Ok(()) => response.map(|_| ResponseBody::own(Bytes::new())),
            Err(fault) => fault.answer(),
        }
    }

    /// The service gave another answer, which is sent unless it would open a tunnel (rule 17).
    fn decline<R>(&mut self, response: Response<R>) -> Response<ResponseBody<R>> {
        let is_connect = self.acceptance().is_connect();
        self.close(Kind::Declined);
        if is_connect && response.status().is_success() {
            return Fault::TunnelNotAccepted.answer();
        }
        response.map(ResponseBody::service)
    }

    /// Lets the connection go, unless the service did something that stands against it.
    fn hand_over(&mut self) -> Result<(), Fault> {
        let Self::Own { slot, handle } = self else {
            return Ok(());
        };
        if !slot.is_content_read() {
            self.close(Kind::Refused);
            return Err(Fault::ContentUnread);
        }
        if handle.take().is_some_and(|handle| slot.hand_over(handle)) {
            Ok(())
        } else {
            Err(Fault::Abandoned)
        }
    }

    /// Drops the handle and tells whoever awaits the connection why none will come.
    fn close(&mut self, why: Kind) {
        if let Self::Own { slot, handle } = self {
            if handle.take().is_some() {
                slot.close(why);
            }
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
        let mut answer = answer_with(&Refusal::new(kind, hint));
        if matches!(self, Self::ContentUnread) {
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        answer
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.close(Kind::Canceled);
    }
}

#[cold]
fn answer_with<R>(refusal: &Refusal) -> Response<ResponseBody<R>> {
    refusal
        .to_response(&HeaderMap::new())
        .map(ResponseBody::own)
}
