//! A client's side of the key: made for an upstream, and its answer checked (RFC 6455 4.1).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::HeaderValue;

use super::key::{KEY_LENGTH, Key};

impl Key {
    /// Makes a key of 16 random octets.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        let (mut octets, mut text) = ([0; 16], [0; KEY_LENGTH]);
        getrandom::fill(&mut octets)?;
        let written = STANDARD.encode_slice(octets, &mut text);
        debug_assert_eq!(written, Ok(KEY_LENGTH));
        Ok(Self(text))
    }

    pub(crate) fn to_value(self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.0).ok()
    }

    /// Whether `accept` is the one value that answers this key.
    pub(crate) fn is_answered_by(&self, accept: &HeaderValue) -> bool {
        accept.as_bytes() == self.accept()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header::SEC_WEBSOCKET_ACCEPT};

    use crate::{fields::Lines, websocket::Key};

    #[test]
    fn a_made_key_is_sound_and_no_two_are_the_same() {
        let key = Key::random().unwrap();
        let value = key.to_value().unwrap();
        assert_eq!(Key::read(Lines::One(&value)).unwrap(), key);
        assert_ne!(Key::random().unwrap(), key);
    }

    #[test]
    fn a_key_is_answered_by_its_own_value_alone() {
        let (key, other) = (Key::random().unwrap(), Key::random().unwrap());
        let mut headers = HeaderMap::new();
        key.answer(&mut headers);
        assert!(key.is_answered_by(&headers[SEC_WEBSOCKET_ACCEPT]));
        assert!(!other.is_answered_by(&headers[SEC_WEBSOCKET_ACCEPT]));
    }
}
