//! Parameters behind a member: `;name=value` (RFC 9110 5.6.6).

use std::{borrow::Cow, error::Error, fmt};

use super::token::{is_token, split_unquoted, trim_ows};

/// Splits a list member into what stands before its first `;` and the parameters behind it.
///
/// # Examples
///
/// ```
/// use tower_upgrade::grammar::split_params;
///
/// let (name, params) = split_params(b"permessage-deflate; client_max_window_bits=10");
/// assert_eq!(name, b"permessage-deflate");
///
/// let param = params.into_iter().next().unwrap()?;
/// assert_eq!(param.name(), "client_max_window_bits");
/// assert_eq!(param.value().as_deref(), Some("10"));
/// # Ok::<(), tower_upgrade::grammar::InvalidParams>(())
/// ```
#[must_use]
pub fn split_params(member: &[u8]) -> (&[u8], Params<'_>) {
    match split_unquoted(member, b';') {
        (name, Some(rest)) => (trim_ows(name), Params { rest: Some(rest) }),
        (name, None) => (trim_ows(name), Params { rest: None }),
    }
}

/// An iterator over parameters, made by [`split_params`].
///
/// ```text
/// parameters = *( OWS ";" OWS [ parameter ] )
/// parameter  = token [ "=" ( token / quoted-string ) ]
/// ```
///
/// A parameter without a value is read too, as extensions of WebSocket have them
/// ([RFC 6455 section 9.1](https://www.rfc-editor.org/rfc/rfc6455.html#section-9.1)).
#[derive(Clone, Debug)]
pub struct Params<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Params<'a> {
    type Item = Result<Param<'a>, InvalidParams>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (param, rest) = split_unquoted(self.rest.take()?, b';');
            self.rest = rest;
            let param = trim_ows(param);
            if !param.is_empty() {
                return Some(Param::parse(param).ok_or(InvalidParams));
            }
        }
    }
}

/// One parameter: a name, and perhaps a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Param<'a> {
    name: &'a str,
    value: Option<&'a str>,
}

impl<'a> Param<'a> {
    /// Returns the name as it was written; names compare without case.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Returns the value with quotes and escapes taken off, `None` if there is none.
    #[must_use]
    pub fn value(&self) -> Option<Cow<'a, str>> {
        let value = self.value?;
        let Some(inner) = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')) else {
            return Some(Cow::Borrowed(value));
        };
        if !inner.contains('\\') {
            return Some(Cow::Borrowed(inner));
        }
        let mut chars = inner.chars();
        let mut plain = String::with_capacity(inner.len());
        while let Some(c) = chars.next() {
            plain.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        Some(Cow::Owned(plain))
    }

    fn parse(param: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(param).ok()?;
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (text, None),
        };
        let sound = is_token(name.as_bytes()) && value.is_none_or(is_token_or_quoted);
        sound.then_some(Self { name, value })
    }
}

/// The parameters of a member do not follow the grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidParams;

impl fmt::Display for InvalidParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("parameters are not `;name` or `;name=value`")
    }
}

impl Error for InvalidParams {}

fn is_token_or_quoted(value: &str) -> bool {
    is_token(value.as_bytes()) || is_quoted(value.as_bytes())
}

/// `quoted-string = DQUOTE *( qdtext / quoted-pair ) DQUOTE` (RFC 9110 5.6.4), and nothing behind it.
fn is_quoted(value: &[u8]) -> bool {
    let [b'"', inner @ .., b'"'] = value else {
        return false;
    };
    let mut escaped = false;
    for byte in inner {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return false,
            _ => {}
        }
    }
    !escaped
}

#[cfg(test)]
mod tests {
    use super::{InvalidParams, split_params};

    #[track_caller]
    fn reads(member: &str, name: &str, expected: &[(&str, Option<&str>)]) {
        let (read_name, params) = split_params(member.as_bytes());
        assert_eq!(read_name, name.as_bytes());
        let params: Vec<_> = params.map(Result::unwrap).collect();
        let params: Vec<_> = params.iter().map(|p| (p.name(), p.value())).collect();
        let params: Vec<_> = params.iter().map(|(n, v)| (*n, v.as_deref())).collect();
        assert_eq!(params, expected);
    }

    #[track_caller]
    fn fails(member: &str) {
        let (_, mut params) = split_params(member.as_bytes());
        assert!(params.any(|param| param == Err(InvalidParams)), "{member}");
    }

    #[test]
    fn parameters_may_be_bare_tokens_or_quoted() {
        reads("a", "a", &[]);
        reads("a ; b ; c=d", "a", &[("b", None), ("c", Some("d"))]);
        reads(r#"a;b="c;d\"""#, "a", &[("b", Some(r#"c;d""#))]);
        reads("a;;b;", "a", &[("b", None)]);
    }

    #[test]
    fn anything_else_fails() {
        for member in [
            "a; b c",
            "a;=b",
            "a;b=",
            r#"a;b="c"#,
            r#"a;b="c"d"#,
            "a; b =c",
            r#"a;b="\""#,
        ] {
            fails(member);
        }
    }
}
