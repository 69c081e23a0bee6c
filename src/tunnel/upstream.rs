//! `Upstream`: which server a request is forwarded to.

use std::sync::Arc;

use http::Uri;

use crate::head::Head;

/// Chooses the server that a request is forwarded to.
///
/// Implemented for [`Uri`], the same for all, and for closures. A URI has a scheme and an authority; a path,
/// if it has one, is put before that of the request; a query is not looked at.
///
/// # Security
///
/// The path is a prefix and no boundary: nothing in the request's, as `..` might be, is resolved.
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
/// takes(|head: &Head<'_>| by_path(head));
/// takes(Uri::from_static("http://127.0.0.1:3001"));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` chooses no upstream",
    label = "not a `Uri`, a closure `|head: &Head<'_>| -> Option<Uri>` or an `Upstream` of one's own"
)]
pub trait Upstream {
    /// Returns the server for a request; with `None` it is answered with 503.
    fn choose(&self, head: &Head<'_>) -> Option<Uri>;
}

impl Upstream for Uri {
    fn choose(&self, _: &Head<'_>) -> Option<Uri> {
        Some(self.clone())
    }
}

impl<U: Upstream + ?Sized> Upstream for Arc<U> {
    fn choose(&self, head: &Head<'_>) -> Option<Uri> {
        (**self).choose(head)
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
