//! `Head`: a request without its body.

use http::{Extensions, HeaderMap, Method, Request, Uri, Version, request::Parts};

/// A request's head: all that is decided on, borrowed from a [`Request`] or its [`Parts`].
///
/// # Examples
///
/// ```
/// use http::Request;
/// use tower_upgrade::Head;
///
/// let request = Request::get("/chat").header("x-forwarded-proto", "https").body(())?;
/// let head = Head::from(&request);
/// assert_eq!(head.uri.path(), "/chat");
/// assert_eq!(head.headers["x-forwarded-proto"], "https");
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Head<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target.
    pub uri: &'a Uri,
    /// The version of HTTP.
    pub version: Version,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// What the server and layers further out left.
    pub extensions: &'a Extensions,
}

impl<'a, B> From<&'a Request<B>> for Head<'a> {
    fn from(request: &'a Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            version: request.version(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            version: parts.version,
            headers: &parts.headers,
            extensions: &parts.extensions,
        }
    }
}
