//! `Refusal`: a reason with its status, its mandatory fields and a hint.

use std::{borrow::Cow, error::Error, fmt};

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::RefusalKind;

/// Why a request was not switched, with all that its sender must be told.
///
/// The layer turns it into a response by itself and leaves it in the response's extensions, where
/// outer layers find it:
///
/// ```
/// # use http::Response;
/// use tower_upgrade::Refusal;
///
/// fn log<B>(response: &Response<B>) {
///     if let Some(refusal) = response.extensions().get::<Refusal>() {
///         eprintln!("{}: {refusal}", refusal.kind());
///     }
/// }
/// ```
///
/// [`Display`](fmt::Display) is the hint: one sentence that a person can act on. It never repeats
/// raw bytes of the peer.
#[derive(Clone)]
pub struct Refusal(Box<Reason>);

#[derive(Clone)]
struct Reason {
    kind: RefusalKind,
    status: StatusCode,
    hint: Cow<'static, str>,
    fields: HeaderMap,
}

impl Refusal {
    #[cold]
    pub(crate) fn new(kind: RefusalKind, hint: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Reason {
            kind,
            status: kind.status(),
            hint: hint.into(),
            fields: HeaderMap::new(),
        }))
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    pub(crate) fn with_field(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.fields.insert(name, value);
        self
    }

    /// Adds what every 426 must carry (RFC 9110 15.5.22), where it is one and lacks it.
    pub(crate) fn with_upgrade(self, protocols: &HeaderValue) -> Self {
        let is_426 = self.0.status == StatusCode::UPGRADE_REQUIRED;
        if !is_426 || self.0.fields.contains_key(header::UPGRADE) {
            return self;
        }
        self.with_field(header::UPGRADE, protocols.clone())
            .with_field(header::CONNECTION, HeaderValue::from_static("upgrade"))
    }

    /// Returns the reason.
    #[must_use]
    pub const fn kind(&self) -> RefusalKind {
        self.0.kind
    }

    /// Returns the status of the response.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.0.status
    }

    /// Returns the sentence that says what to do, without a full stop.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.0.hint
    }

    /// Returns the fields that a response with this status must carry: `Upgrade` and `Connection`
    /// on a 426, `Allow` on a 405, `Sec-WebSocket-Version` where the version was wrong, `Retry-After`
    /// where a limit is reached, `Connection: close` while the server drains.
    #[must_use]
    pub const fn fields(&self) -> &HeaderMap {
        &self.0.fields
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refusal")
            .field("kind", &self.0.kind)
            .field("status", &self.0.status)
            .field("hint", &self.0.hint)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.hint)
    }
}

impl Error for Refusal {}
