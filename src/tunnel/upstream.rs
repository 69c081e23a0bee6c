//! `Upstream`: which server a request is forwarded to.

use http::Uri;

use crate::head::Head;

/// Chooses the server that a request is forwarded to.
///
/// Implemented for [`Uri`], the same for all, and for closures. A URI has a scheme and an authority; a path,
/// if it has one, is put before that of the request.
///
/// # Examples
///
/// ```
/// use http::Uri;
/// use tower_upgrade::{Head, tunnel::Upstream};
///
/// fn by_path(head: &Head<'_>) -> Option<Uri> {
///     head.uri.path().starts_with("/live").then(|| Uri::from_static("http://127.0.0.1:3001"))
/// }
/// fn takes(upstream: impl Upstream) {}
/// takes(by_path);
/// takes(Uri::from_static("http://127.0.0.1:3001"));
/// ```
pub trait Upstream {
    /// Returns the server for a request; with `None` it is answered with 503.
    fn choose(&self, head: &Head<'_>) -> Option<Uri>;
}

impl Upstream for Uri {
    fn choose(&self, _: &Head<'_>) -> Option<Uri> {
        Some(self.clone())
    }
}

impl<F> Upstream for F
where
    F: Fn(&Head<'_>) -> Option<Uri>,
{
    fn choose(&self, head: &Head<'_>) -> Option<Uri> {
        self(head)
    }
}
