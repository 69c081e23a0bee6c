//! A request, written to the byte.

use std::fmt;

/// A request, whose parts can be changed one at a time.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    target: String,
    version: String,
    fields: Vec<(String, Vec<u8>)>,
    content: Vec<u8>,
}

impl Request {
    /// An ordinary GET.
    pub(crate) fn get(target: &str) -> Self {
        let request = Self {
            method: "GET".into(),
            target: target.into(),
            version: "HTTP/1.1".into(),
            fields: Vec::new(),
            content: Vec::new(),
        };
        request.set("Host", "a.example")
    }

    /// An offer of this list of protocols, and nothing else.
    pub(crate) fn upgrade(target: &str, protocols: &str) -> Self {
        let request = Self::get(target).set("Connection", "Upgrade");
        request.set("Upgrade", protocols)
    }

    /// A WebSocket handshake that is sound in every part, by no browser.
    pub(crate) fn websocket(target: &str) -> Self {
        Self::upgrade(target, "websocket")
            .set("Sec-WebSocket-Version", "13")
            .set("Sec-WebSocket-Key", KEY)
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.method = method.into();
        self
    }

    /// What stands at the end of the request line: `HTTP/1.1`.
    pub(crate) fn version(mut self, version: &str) -> Self {
        self.version = version.into();
        self
    }

    /// Sets a field to one line with this value, in the place it has.
    pub(crate) fn set(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let is_it = |(n, _): &(String, Vec<u8>)| n.eq_ignore_ascii_case(name);
        let at = self.fields.iter().position(is_it);
        let at = at.unwrap_or(self.fields.len());
        self = self.without(name);
        let line = (name.to_owned(), value.as_ref().to_owned());
        self.fields.insert(at, line);
        self
    }

    /// Adds a line of a field at the end.
    pub(crate) fn add(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        let line = (name.to_owned(), value.as_ref().to_owned());
        self.fields.push(line);
        self
    }

    /// Takes a field out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    /// Gives it content, and the `Content-Length` that tells of it.
    pub(crate) fn content(mut self, content: impl AsRef<[u8]>) -> Self {
        self.content = content.as_ref().to_owned();
        let length = self.content.len().to_string();
        self.set("Content-Length", length)
    }

    /// The bytes of it all.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let (method, target, version) = (&self.method, &self.target, &self.version);
        let mut bytes = format!("{method} {target} {version}\r\n").into_bytes();
        for (name, value) in &self.fields {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.content);
        bytes
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.to_bytes();
        let first = bytes.get(..800).unwrap_or(&bytes);
        write!(f, "\"{}\"", first.escape_ascii())
    }
}

/// The key of RFC 6455 1.3, and the value that accepts it.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(crate) const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
