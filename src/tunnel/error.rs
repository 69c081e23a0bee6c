//! `TunnelError`: why a request could not be forwarded, and what its sender is told.

use std::{error::Error, fmt, sync::Arc};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::LengthLimitError;

use crate::refusal::Problem;

/// Why a request was not forwarded, or its answer not passed back.
///
/// It is in the extensions of the response that says so. [`Display`](fmt::Display) is the hint that the
/// client is told, which names no address and repeats no bytes of either peer;
/// [`source`](Error::source) is what the client service said.
#[derive(Clone, Debug)]
pub struct TunnelError {
    kind: TunnelErrorKind,
    hint: &'static str,
    source: Option<Arc<dyn Error + Send + Sync>>,
}

/// The reason of a [`TunnelError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TunnelErrorKind {
    /// The request has not exactly one valid host. 400.
    Host,
    /// The request has more fields than can be passed on with those of a proxy. 431.
    TooManyFields,
    /// The content of the request is not what its fields say, or broke off. 400.
    BrokenContent,
    /// The client sent no more of its content in time. 408.
    SlowContent,
    /// The content of the request comes in a transfer coding other than `chunked`. 501.
    TransferCoding,
    /// The request asks not to be forwarded any more, by `Max-Forwards`. 501.
    MaxForwards,
    /// The request's path is too long behind that of the upstream. 414.
    TooLong,
    /// The offer has more content than its protocol allows. 413.
    ContentTooLarge,
    /// The request is a CONNECT without a protocol, for which a reverse proxy is the wrong address. 501.
    Connect,
    /// The offer has content, which cannot go with the extended CONNECT of an HTTP/2 upstream. 501.
    Content,
    /// No upstream was chosen for the request. 503.
    NoUpstream,
    /// No connection to the upstream could be made. 502.
    Unreachable,
    /// The connection to the upstream failed before its answer came. 502.
    Lost,
    /// The upstream did not answer in time. 504.
    TimedOut,
    /// The upstream's answer cannot be passed on: it has a transfer coding other than `chunked`, or far too
    /// many fields. 502.
    Answer,
    /// The upstream switched to a protocol that it was not offered, or in a malformed way. 502.
    Switch,
    /// The upstream's `Sec-WebSocket-Accept` is not the answer to the key it was sent. 502.
    Accept,
    /// The upstream selected a subprotocol that it was not offered. 502.
    Subprotocol,
    /// The upstream selected an extension that it was not offered. 502.
    Extension,
    /// No random octets could be had for a key. 500.
    NoKey,
    /// The upstream accepted, and the client service then gave no connection. 502.
    NotHandedOver,
}

impl TunnelErrorKind {
    /// Returns the status of the response.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Host | Self::BrokenContent => StatusCode::BAD_REQUEST,
            Self::SlowContent => StatusCode::REQUEST_TIMEOUT,
            Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::NoKey => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooLong => StatusCode::URI_TOO_LONG,
            Self::ContentTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Connect | Self::Content | Self::TransferCoding | Self::MaxForwards => {
                StatusCode::NOT_IMPLEMENTED
            }
            Self::NoUpstream => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
            Self::Unreachable
            | Self::Lost
            | Self::Answer
            | Self::Switch
            | Self::Accept
            | Self::Subprotocol
            | Self::Extension
            | Self::NotHandedOver => StatusCode::BAD_GATEWAY,
        }
    }

    /// Returns a name in lower case with hyphens, fit for logs and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::TooManyFields => "too-many-fields",
            Self::BrokenContent => "broken-content",
            Self::SlowContent => "slow-content",
            Self::TransferCoding => "transfer-coding",
            Self::MaxForwards => "max-forwards",
            Self::NoKey => "no-key",
            Self::Answer => "upstream-answer",
            Self::TooLong => "too-long",
            Self::ContentTooLarge => "content-too-large",
            Self::Connect => "connect",
            Self::Content => "content",
            Self::NoUpstream => "no-upstream",
            Self::Unreachable => "upstream-unreachable",
            Self::Lost => "upstream-lost",
            Self::TimedOut => "upstream-timed-out",
            Self::Switch => "upstream-switch",
            Self::Accept => "upstream-accept",
            Self::Subprotocol => "upstream-subprotocol",
            Self::Extension => "upstream-extension",
            Self::NotHandedOver => "upstream-not-handed-over",
        }
    }

    /// Returns whether the upstream is at fault, or the way to it.
    #[must_use]
    pub const fn is_upstream_fault(self) -> bool {
        matches!(
            self,
            Self::NoUpstream
                | Self::Unreachable
                | Self::Lost
                | Self::TimedOut
                | Self::Answer
                | Self::Switch
                | Self::Accept
                | Self::Subprotocol
                | Self::Extension
                | Self::NotHandedOver
        )
    }
}

impl fmt::Display for TunnelErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TunnelError {
    #[cold]
    pub(super) const fn new(kind: TunnelErrorKind, hint: &'static str) -> Self {
        Self {
            kind,
            hint,
            source: None,
        }
    }

    /// What the client service fails with instead of an answer.
    #[cold]
    pub(super) fn of_client(error: Box<dyn Error + Send + Sync>, is_content: bool) -> Self {
        let (kind, hint) = if any(&*error, <dyn Error>::is::<LengthLimitError>) {
            let hint = "the offer has more content than its protocol allows";
            (TunnelErrorKind::ContentTooLarge, hint)
        } else if is_content {
            let hint = "the content of the request broke off, or is not what its fields say";
            (TunnelErrorKind::BrokenContent, hint)
        } else if any(&*error, is_connect) {
            let hint = "no connection to the upstream could be made: nothing listens there, or the \
                        way to it is closed";
            (TunnelErrorKind::Unreachable, hint)
        } else {
            let hint = "the upstream ended the connection before its answer was complete, or answered \
                        what is no HTTP";
            (TunnelErrorKind::Lost, hint)
        };
        Self::new(kind, hint).with_source(error)
    }

    pub(super) fn with_source(mut self, source: Box<dyn Error + Send + Sync>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(&self) -> TunnelErrorKind {
        self.kind
    }

    /// Returns the status of the response.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// Returns the sentence that says what is wrong, without a full stop.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        self.hint
    }

    /// The response that says so, in problem details or as plain text.
    pub(super) fn to_response(&self, in_details: bool) -> Response<Bytes> {
        let problem = Problem {
            status: self.status(),
            kind: self.kind.as_str(),
            hint: self.hint,
        };
        let mut response = problem.to_response(in_details);
        response.extensions_mut().insert(self.clone());
        response
    }
}

/// Whether an error, or one behind it, is such.
fn any(error: &(dyn Error + 'static), is: impl Fn(&(dyn Error + 'static)) -> bool) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if is(error) {
            return true;
        }
        next = error.source();
    }
    false
}

/// Whether it says that there never was a connection.
fn is_connect(error: &(dyn Error + 'static)) -> bool {
    let error = error.downcast_ref::<hyper_util::client::legacy::Error>();
    error.is_some_and(hyper_util::client::legacy::Error::is_connect)
}

impl fmt::Display for TunnelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.hint)
    }
}

impl Error for TunnelError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
