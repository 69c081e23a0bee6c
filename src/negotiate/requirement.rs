//! Requirements that are no protocol a handler speaks: TLS, a newer HTTP (rule 13).

use http::{HeaderValue, StatusCode, Version};

use super::policy::Policy;
use crate::{
    head::Head,
    refusal::{Refusal, RefusalKind},
};

impl Policy {
    /// Requirements that are no protocol a handler speaks (rule 13).
    pub(super) fn check_requirements(&self, head: &Head<'_>) -> Result<(), Refusal> {
        if self.tls.as_ref().is_some_and(|is_tls| !is_tls(head)) {
            return Err(tls_required(head.version));
        }
        match self.http {
            Some(required) if head.version < required => Err(http_required(head.version, required)),
            _ => Ok(()),
        }
    }
}

#[cold]
fn tls_required(version: Version) -> Refusal {
    let refusal = Refusal::new(
        RefusalKind::TlsRequired,
        "this resource is served over TLS only: use `https`",
    );
    if version >= Version::HTTP_2 {
        return refusal.with_status(StatusCode::FORBIDDEN);
    }
    refusal.with_upgrade(&HeaderValue::from_static("TLS/1.2, HTTP/1.1"))
}

#[cold]
fn http_required(version: Version, required: Version) -> Refusal {
    let (name, hint) = match required {
        Version::HTTP_3 => ("HTTP/3.0", "this resource is served over HTTP/3 only"),
        Version::HTTP_2 => (
            "HTTP/2.0",
            "this resource is served over HTTP/2 or newer only",
        ),
        _ => (
            "HTTP/1.1",
            "this resource is served over HTTP/1.1 or newer only",
        ),
    };
    let refusal = Refusal::new(RefusalKind::HttpVersionRequired, hint);
    if version >= Version::HTTP_2 {
        return refusal.with_status(StatusCode::HTTP_VERSION_NOT_SUPPORTED);
    }
    refusal.with_upgrade(&HeaderValue::from_static(name))
}
