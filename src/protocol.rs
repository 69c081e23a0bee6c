//! The name of a protocol, as `Upgrade` and `:protocol` carry it.

use std::{
    error::Error,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use http::HeaderValue;

use crate::grammar::is_token;

/// The name of a protocol, and perhaps its version: `websocket`, `echo/1.0`.
///
/// ```text
/// protocol         = protocol-name ["/" protocol-version]
/// protocol-name    = token
/// protocol-version = token
/// ```
///
/// Names compare without case and versions exactly, and both must match: `websocket/13` is not
/// `websocket` ([RFC 9110 section 7.8]).
///
/// Cloning is cheap: the text is shared.
///
/// # Examples
///
/// ```
/// use tower_upgrade::Protocol;
///
/// let echo = Protocol::new("echo/1.0")?;
/// assert_eq!(echo.name(), "echo");
/// assert_eq!(echo.version(), Some("1.0"));
/// assert_eq!(echo, Protocol::new("ECHO/1.0")?);
/// assert_ne!(echo, Protocol::new("echo")?);
/// # Ok::<(), tower_upgrade::InvalidProtocol>(())
/// ```
///
/// [RFC 9110 section 7.8]: https://www.rfc-editor.org/rfc/rfc9110.html#section-7.8
#[derive(Clone)]
pub struct Protocol {
    text: HeaderValue,
}

impl Protocol {
    /// Reads a protocol from its text.
    ///
    /// # Errors
    ///
    /// Fails if the text does not follow the grammar above, and for `h2c` in any version: the
    /// upgrade to HTTP/2 in cleartext is obsolete and must not be selected
    /// ([RFC 9113 section 3.1](https://www.rfc-editor.org/rfc/rfc9113.html#section-3.1)).
    pub fn new(text: &str) -> Result<Self, InvalidProtocol> {
        let (name, version) = split(text);
        if !is_token(name.as_bytes()) || version.is_some_and(|v| !is_token(v.as_bytes())) {
            return Err(InvalidProtocol(Why::Grammar));
        }
        if name.eq_ignore_ascii_case("h2c") {
            return Err(InvalidProtocol(Why::H2c));
        }
        let text = HeaderValue::from_str(text).map_err(|_| InvalidProtocol(Why::Grammar))?;
        // The first clone of a value makes it shared; doing so here keeps later ones free.
        Ok(Self { text: text.clone() })
    }

    /// Returns the WebSocket protocol ([RFC 6455](https://www.rfc-editor.org/rfc/rfc6455.html)).
    #[must_use]
    pub fn websocket() -> Self {
        Self {
            text: HeaderValue::from_static("websocket"),
        }
    }

    /// Returns the name, in the case it was written in.
    #[must_use]
    pub fn name(&self) -> &str {
        split(self.as_str()).0
    }

    /// Returns the version, if one was written.
    #[must_use]
    pub fn version(&self) -> Option<&str> {
        split(self.as_str()).1
    }

    /// Returns the text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII passes the constructors, so this never falls back.
        self.text.to_str().unwrap_or_default()
    }

    /// Returns whether `offered`, a member of `Upgrade` or the value of `:protocol`, names this
    /// protocol in this version.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_upgrade::Protocol;
    ///
    /// assert!(Protocol::websocket().matches(b"WebSocket"));
    /// assert!(!Protocol::websocket().matches(b"websocket/13"));
    /// ```
    #[must_use]
    pub fn matches(&self, offered: &[u8]) -> bool {
        let own = self.text.as_bytes();
        if own == offered {
            return true;
        }
        if own.len() != offered.len() {
            return false;
        }
        let slash = own.iter().position(|b| *b == b'/').unwrap_or(own.len());
        let (name, version) = own.split_at(slash);
        let (offered_name, offered_version) = offered.split_at(slash);
        name.eq_ignore_ascii_case(offered_name) && version == offered_version
    }

    pub(crate) fn to_value(&self) -> HeaderValue {
        self.text.clone()
    }
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Protocol").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Protocol {
    fn eq(&self, other: &Self) -> bool {
        self.matches(other.text.as_bytes())
    }
}

impl Eq for Protocol {}

impl Hash for Protocol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.name().bytes() {
            byte.to_ascii_lowercase().hash(state);
        }
        self.version().hash(state);
    }
}

impl FromStr for Protocol {
    type Err = InvalidProtocol;

    fn from_str(text: &str) -> Result<Self, InvalidProtocol> {
        Self::new(text)
    }
}

impl TryFrom<&str> for Protocol {
    type Error = InvalidProtocol;

    fn try_from(text: &str) -> Result<Self, InvalidProtocol> {
        Self::new(text)
    }
}

/// A text is not a protocol that can be negotiated. Made by [`Protocol::new`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidProtocol(Why);

impl InvalidProtocol {
    /// Returns whether the text was sound but names `h2c`, which is obsolete.
    #[must_use]
    pub const fn is_h2c(&self) -> bool {
        matches!(self.0, Why::H2c)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Grammar,
    H2c,
}

impl fmt::Display for InvalidProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Why::Grammar => "a protocol is a token, or two with a slash between them",
            Why::H2c => "`h2c` is obsolete and cannot be negotiated",
        })
    }
}

impl Error for InvalidProtocol {}

fn split(text: &str) -> (&str, Option<&str>) {
    match text.split_once('/') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::Protocol;

    #[track_caller]
    fn matches(own: &str, offered: &str, expected: bool) {
        let own = Protocol::new(own).unwrap();
        assert_eq!(
            own.matches(offered.as_bytes()),
            expected,
            "{own} / {offered}"
        );
    }

    #[test]
    fn name_without_case_version_exactly() {
        matches("websocket", "WebSocket", true);
        matches("websocket", "websocket/13", false);
        matches("echo/1.0", "ECHO/1.0", true);
        matches("echo/1.0a", "echo/1.0A", false);
        matches("echo/1.0", "echo/1", false);
        matches("echo/1.0", "echo", false);
        matches("websocket", "xwebsocket", false);
    }

    #[test]
    fn what_is_not_a_protocol_is_told_apart_from_h2c() {
        for text in ["", "/", "a/", "/1", "a/b/c", "a b", "a,b", "a;b", "\u{e9}"] {
            assert!(!Protocol::new(text).unwrap_err().is_h2c(), "{text}");
        }
        for text in ["h2c", "H2C", "h2c/2"] {
            assert!(Protocol::new(text).unwrap_err().is_h2c(), "{text}");
        }
    }
}
