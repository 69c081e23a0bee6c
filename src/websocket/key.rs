//! `Sec-WebSocket-Key` and the value that accepts it (RFC 6455 4.2.1 item 5, 4.2.2 item 5.4).

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_ACCEPT};
use sha1::{Digest, Sha1};

use crate::{
    fields::Lines,
    grammar::ByteSet,
    refusal::{Refusal, RefusalKind},
};

/// A key that was checked, in the text that its accept value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(pub(super) [u8; KEY_LENGTH]);

impl Key {
    /// What a bridged handshake is shown when it came without a key, as over HTTP/2 it may: any
    /// key does, for the answer to it is taken out again.
    pub(crate) const STAND_IN: HeaderValue = HeaderValue::from_static("AAAAAAAAAAAAAAAAAAAAAA==");

    /// Reads the one key of a request.
    pub(crate) fn read(lines: Lines<'_>) -> Result<Self, Refusal> {
        match lines {
            Lines::None => Err(refuse("`Sec-WebSocket-Key` is missing")),
            Lines::One(line) => Self::parse(line.as_bytes()),
            Lines::Many => Err(refuse("`Sec-WebSocket-Key` came more than once")),
        }
    }

    /// Exactly the canonical base64 of 16 octets: 22 digits, of which the last has two bits that
    /// count and four that are zero, and two signs of padding (RFC 4648 3.5).
    fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let Ok(key): Result<[u8; KEY_LENGTH], _> = text.try_into() else {
            return Err(explain(text));
        };
        let [digits @ .., last, b'=', b'='] = &key else {
            return Err(explain(text));
        };
        if !matches!(last, b'A' | b'Q' | b'g' | b'w') || !DIGITS.contains_all(digits) {
            return Err(explain(text));
        }
        Ok(Self(key))
    }

    /// Writes `Sec-WebSocket-Accept`: the base64 of SHA-1 over the key and the protocol's GUID.
    pub(crate) fn answer(&self, headers: &mut HeaderMap) {
        if let Ok(value) = HeaderValue::from_bytes(&self.accept()) {
            headers.insert(SEC_WEBSOCKET_ACCEPT, value);
        }
    }

    pub(super) fn accept(&self) -> [u8; ACCEPT_LENGTH] {
        let digest = Sha1::new()
            .chain_update(self.0)
            .chain_update(GUID)
            .finalize();
        let mut text = [0; ACCEPT_LENGTH];
        let written = STANDARD.encode_slice(digest, &mut text);
        debug_assert_eq!(written, Ok(ACCEPT_LENGTH));
        text
    }
}

#[cold]
fn refuse(hint: &'static str) -> Refusal {
    Refusal::new(RefusalKind::WebSocketKey, hint)
}

/// What is wrong with a text that is not a key.
#[cold]
fn explain(text: &[u8]) -> Refusal {
    let mut octets = [0; 66];
    match STANDARD.decode_slice(text, &mut octets) {
        Ok(length) => Refusal::new(
            RefusalKind::WebSocketKey,
            format!("`Sec-WebSocket-Key` decodes to {length} octets, 16 are required"),
        ),
        Err(base64::DecodeSliceError::OutputSliceTooSmall) => {
            refuse("`Sec-WebSocket-Key` is far too long, 16 octets are required")
        }
        Err(_) => refuse("`Sec-WebSocket-Key` is not canonical base64"),
    }
}

/// The digits of base64 (RFC 4648 4).
static DIGITS: ByteSet = ByteSet::alphanumeric_and(b"+/");

const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
pub(super) const KEY_LENGTH: usize = 24;
const ACCEPT_LENGTH: usize = 28;

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header::SEC_WEBSOCKET_ACCEPT};

    use super::Key;

    #[test]
    fn a_key_is_what_the_decoder_takes_for_16_octets() {
        use base64::{Engine, engine::general_purpose::STANDARD};
        for byte in 0..=u8::MAX {
            for at in [0, 20, 21, 22, 23] {
                let mut text = *b"dGhlIHNhbXBsZSBub25jZQ==";
                text[at] = byte;
                let decodes = STANDARD.decode(text).is_ok_and(|octets| octets.len() == 16);
                assert_eq!(Key::parse(&text).is_ok(), decodes, "{byte:#x} at {at}");
            }
        }
    }

    #[track_caller]
    fn refuses(text: &str, hint: &str) {
        let refusal = Key::parse(text.as_bytes()).unwrap_err();
        assert!(refusal.hint().contains(hint), "{text}: {refusal}");
    }

    #[test]
    fn the_accept_value_is_that_of_rfc_6455_section_1_3() {
        let mut headers = HeaderMap::new();
        Key::parse(b"dGhlIHNhbXBsZSBub25jZQ==")
            .unwrap()
            .answer(&mut headers);
        assert_eq!(
            headers[SEC_WEBSOCKET_ACCEPT],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn a_key_is_the_canonical_base64_of_16_octets() {
        assert!(Key::parse(b"AAAAAAAAAAAAAAAAAAAAAA==").is_ok());
        refuses("", "decodes to 0 octets");
        refuses("AAAA", "decodes to 3 octets");
        refuses("AAAAAAAAAAAAAAAAAAAAAAA=", "decodes to 17 octets");
        refuses("AAAAAAAAAAAAAAAAAAAAAAAA", "decodes to 18 octets");
        refuses(&"A".repeat(200), "far too long");
        // Trailing bits set, padding missing, blanks and the URL alphabet are not canonical.
        refuses("AAAAAAAAAAAAAAAAAAAAAB==", "canonical");
        refuses("AAAAAAAAAAAAAAAAAAAAAA", "canonical");
        refuses("AAAAAAAAAAAAAAAAAAAAA ==", "canonical");
        refuses("AAAAAAAAAAAAAAAAAAAA-A==", "canonical");
    }
}
