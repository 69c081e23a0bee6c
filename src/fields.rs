//! `Fields`: what an offer is made of, found in one pass over a request's head.
//!
//! A look-up by name costs about a hundred instructions, and an offer is decided by nine fields.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::grammar::List;

/// The fields that decide on an offer.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'a> {
    headers: &'a HeaderMap,
    pub(crate) connection: Lines<'a>,
    pub(crate) content_length: Lines<'a>,
    pub(crate) host: Lines<'a>,
    pub(crate) key: Lines<'a>,
    pub(crate) origin: Lines<'a>,
    pub(crate) subprotocol: Lines<'a>,
    pub(crate) transfer_encoding: Lines<'a>,
    pub(crate) upgrade: Lines<'a>,
    pub(crate) version: Lines<'a>,
}

/// The lines of one field.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Lines<'a> {
    #[default]
    None,
    One(&'a HeaderValue),
    Many,
}

impl<'a> Fields<'a> {
    pub(crate) fn read(headers: &'a HeaderMap) -> Self {
        let mut fields = Self {
            headers,
            connection: Lines::None,
            content_length: Lines::None,
            host: Lines::None,
            key: Lines::None,
            origin: Lines::None,
            subprotocol: Lines::None,
            transfer_encoding: Lines::None,
            upgrade: Lines::None,
            version: Lines::None,
        };
        for (name, line) in headers {
            if let Some(lines) = fields.of(name) {
                *lines = match lines {
                    Lines::None => Lines::One(line),
                    Lines::One(_) | Lines::Many => Lines::Many,
                };
            }
        }
        fields
    }

    fn of(&mut self, name: &HeaderName) -> Option<&mut Lines<'a>> {
        Some(match *name {
            header::CONNECTION => &mut self.connection,
            header::CONTENT_LENGTH => &mut self.content_length,
            header::HOST => &mut self.host,
            header::ORIGIN => &mut self.origin,
            header::SEC_WEBSOCKET_KEY => &mut self.key,
            header::SEC_WEBSOCKET_PROTOCOL => &mut self.subprotocol,
            header::SEC_WEBSOCKET_VERSION => &mut self.version,
            header::TRANSFER_ENCODING => &mut self.transfer_encoding,
            header::UPGRADE => &mut self.upgrade,
            _ => return None,
        })
    }

    pub(crate) fn connection(&self) -> List<'a> {
        self.list(self.connection, header::CONNECTION)
    }

    pub(crate) fn content_length(&self) -> List<'a> {
        self.list(self.content_length, header::CONTENT_LENGTH)
    }

    pub(crate) fn subprotocol(&self) -> List<'a> {
        self.list(self.subprotocol, header::SEC_WEBSOCKET_PROTOCOL)
    }

    pub(crate) fn upgrade(&self) -> List<'a> {
        self.list(self.upgrade, header::UPGRADE)
    }

    fn list(&self, lines: Lines<'a>, name: HeaderName) -> List<'a> {
        match lines {
            Lines::None => List::from_line(b""),
            Lines::One(line) => List::from_line(line.as_bytes()),
            Lines::Many => List::new(self.headers.get_all(name)),
        }
    }
}

impl Lines<'_> {
    pub(crate) const fn is_none(self) -> bool {
        matches!(self, Self::None)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::{Fields, Lines};

    #[test]
    fn one_pass_finds_every_line() {
        let mut headers = HeaderMap::new();
        let line = HeaderValue::from_static;
        headers.append(header::UPGRADE, line("a"));
        headers.append(header::HOST, line("h"));
        headers.append("x-custom", line("upgrade"));
        headers.append(header::UPGRADE, line("b"));
        let fields = Fields::read(&headers);
        assert!(fields.upgrade().iter().eq([b"a", b"b"]));
        assert!(matches!(fields.host, Lines::One(host) if host == "h"));
        assert!(fields.connection.is_none());
        assert!(fields.connection().is_empty());
    }
}
