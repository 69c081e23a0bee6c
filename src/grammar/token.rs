//! `token`, optional whitespace and quoting (RFC 9110 5.6.2 to 5.6.4).

use super::bytes::{ByteSet, find_either};

/// Returns whether `bytes` is a `token`: one or more `tchar`s and nothing else.
///
/// ```text
/// token = 1*tchar
/// tchar = "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" / "." /
///         "^" / "_" / "`" / "|" / "~" / DIGIT / ALPHA
/// ```
///
/// See [RFC 9110 section 5.6.2](https://www.rfc-editor.org/rfc/rfc9110.html#section-5.6.2).
///
/// # Examples
///
/// ```
/// use tower_upgrade::grammar::is_token;
///
/// assert!(is_token(b"websocket"));
/// assert!(!is_token(b"web socket"));
/// assert!(!is_token(b""));
/// ```
#[must_use]
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && TCHARS.contains_all(bytes)
}

/// Returns `bytes` without the spaces and tabs at both ends (`OWS`).
///
/// # Examples
///
/// ```
/// use tower_upgrade::grammar::trim_ows;
///
/// assert_eq!(trim_ows(b" \tupgrade "), b"upgrade");
/// ```
#[must_use]
#[inline]
pub const fn trim_ows(bytes: &[u8]) -> &[u8] {
    let mut rest = bytes;
    while let [b' ' | b'\t', tail @ ..] | [tail @ .., b' ' | b'\t'] = rest {
        rest = tail;
    }
    rest
}

/// Splits at the first `delimiter` outside a quoted string; a string left open runs to the end.
#[inline]
pub(super) fn split_unquoted(bytes: &[u8], delimiter: u8) -> (&[u8], Option<&[u8]>) {
    match find_either(bytes, delimiter, b'"') {
        None => (bytes, None),
        Some(at) if bytes.get(at) == Some(&delimiter) => {
            let (head, rest) = bytes.split_at(at);
            (head, rest.get(1..))
        }
        Some(_) => split_quoted(bytes, delimiter),
    }
}

#[cold]
fn split_quoted(bytes: &[u8], delimiter: u8) -> (&[u8], Option<&[u8]>) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, byte) in bytes.iter().enumerate() {
        match *byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            byte if byte == delimiter && !quoted => {
                let (head, rest) = bytes.split_at(at);
                return (head, rest.get(1..));
            }
            _ => {}
        }
    }
    (bytes, None)
}

static TCHARS: ByteSet = ByteSet::alphanumeric_and(b"!#$%&'*+-.^_`|~");

#[cfg(test)]
mod tests {
    use super::{is_token, trim_ows};

    #[test]
    fn tokens_are_made_of_tchars() {
        for byte in 0..=u8::MAX {
            let expected = byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(&byte);
            assert_eq!(is_token(&[byte]), expected, "{byte:#x}");
        }
    }

    #[test]
    fn a_token_is_never_empty_and_has_no_blank() {
        assert!(!is_token(b""));
        assert!(!is_token(b"a b"));
        assert!(!is_token(b" a"));
        assert!(is_token(b"chat.v2"));
    }

    #[test]
    fn only_blanks_and_tabs_are_trimmed() {
        assert_eq!(trim_ows(b"\t a b \t"), b"a b");
        assert_eq!(trim_ows(b"  "), b"");
        assert_eq!(trim_ows(b"\x0ba"), b"\x0ba");
    }
}
