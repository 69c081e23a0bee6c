//! `Routes`: a policy by path, for a layer around a whole app.

use std::{fmt, sync::Arc};

use super::policy::Policy;

/// A table of policies by path, for a layer around a whole app.
///
/// Patterns are those of axum: `/chat/{room}`, `/files/{*path}`. They are compared with the path of
/// the request as it stands, as axum compares its own: inside of a nested router that is what the
/// nesting left of it. A path that no pattern matches has the policy set by
/// [`otherwise`](Self::otherwise), which is [`Policy::forbid`] unless set. What a table forbids, no
/// layer further in gets to see: a route has its policy either here or in a layer of its own.
///
/// # Examples
///
/// ```
/// use tower_upgrade::{Policy, Routes, UpgradeLayer, WebSocket};
///
/// let layer = UpgradeLayer::new(
///     Routes::new()
///         .at("/chat/{room}", Policy::require(WebSocket::new()))
///         .at("/live", Policy::offer(WebSocket::new())),
/// );
/// # let _ = layer;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Routes {
    paths: matchit::Router<Arc<Policy>>,
    otherwise: Arc<Policy>,
    /// Whether any of them may refuse a request without an offer.
    has_demands: bool,
}

impl Routes {
    /// Returns a table without paths.
    pub fn new() -> Self {
        Self {
            paths: matchit::Router::new(),
            otherwise: Arc::new(Policy::forbid()),
            has_demands: false,
        }
    }

    /// Sets the policy of the paths that match a pattern.
    ///
    /// # Panics
    ///
    /// Panics if the pattern is malformed or matches the same paths as one set before.
    #[track_caller]
    pub fn at(mut self, pattern: &str, policy: Policy) -> Self {
        self.has_demands |= policy.has_demands();
        let inserted = self.paths.insert(pattern, Arc::new(policy));
        assert!(
            inserted.is_ok(),
            "{pattern:?} cannot be a route: {}",
            inserted.err().map_or_else(String::new, |e| e.to_string())
        );
        self
    }

    /// Sets the policy of all other paths.
    pub fn otherwise(mut self, policy: Policy) -> Self {
        self.has_demands |= policy.has_demands();
        self.otherwise = Arc::new(policy);
        self
    }

    /// Returns the policy of a path.
    #[must_use]
    pub fn find(&self, path: &str) -> &Arc<Policy> {
        self.paths
            .at(path)
            .map_or(&self.otherwise, |found| found.value)
    }

    pub(crate) const fn has_demands(&self) -> bool {
        self.has_demands
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routes")
            .field("otherwise", &self.otherwise)
            .finish_non_exhaustive()
    }
}
