//! `Sec-WebSocket-Extensions` as offered (RFC 6455 9.1).

use std::{error::Error, fmt};

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};

use crate::grammar::{InvalidParams, List, Param, Params, is_token, split_params};

/// The extensions a client offers, in its order of preference.
///
/// They are read and checked where a handler asks for them, so that nobody pays who does not; with
/// feature `axum` they are an extractor. The layer selects none: a handler whose engine speaks
/// one writes `Sec-WebSocket-Extensions` into its 101, which is left as it is.
///
/// ```text
/// Sec-WebSocket-Extensions = 1#extension
/// extension                = extension-token *( ";" extension-param )
/// extension-param          = token [ "=" ( token / quoted-string ) ]
/// ```
///
/// # Examples
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
/// use tower_upgrade::websocket::ExtensionOffers;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(
///     SEC_WEBSOCKET_EXTENSIONS,
///     HeaderValue::from_static("permessage-deflate; client_max_window_bits"),
/// );
/// let offers = ExtensionOffers::from_headers(&headers)?;
/// let deflate = offers.iter().next().unwrap();
/// assert_eq!(deflate.name(), "permessage-deflate");
/// assert!(deflate.params().any(|param| param.name() == "client_max_window_bits"));
/// # Ok::<(), tower_upgrade::websocket::MalformedExtensions>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct ExtensionOffers {
    lines: Vec<HeaderValue>,
}

impl ExtensionOffers {
    /// Reads and checks the field over all its lines.
    ///
    /// # Errors
    ///
    /// Fails if a member does not follow the grammar above, if a quoted value is not a token once
    /// its quotes are off, or if there are more than [`MAX_MEMBERS`](crate::grammar::MAX_MEMBERS).
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, MalformedExtensions> {
        let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
        let kept = lines.iter().cloned().collect();
        let offers = List::new(lines);
        if !offers.iter().all(is_sound) || offers.is_overlong() {
            return Err(MalformedExtensions);
        }
        Ok(Self { lines: kept })
    }

    /// Returns the offers in the client's order.
    pub fn iter(&self) -> impl Iterator<Item = ExtensionOffer<'_>> {
        self.lines
            .iter()
            .flat_map(|line| List::from_line(line.as_bytes()).iter())
            .map(|member| {
                let (name, params) = split_params(member);
                // Checked to be a token, so this never falls back.
                let name = std::str::from_utf8(name).unwrap_or_default();
                ExtensionOffer { name, params }
            })
    }

    /// Returns whether nothing is offered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }
}

/// One extension as a client offers it.
#[derive(Clone, Debug)]
pub struct ExtensionOffer<'a> {
    name: &'a str,
    params: Params<'a>,
}

impl<'a> ExtensionOffer<'a> {
    /// Returns the extension's name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// Returns its parameters in the order they were written.
    pub fn params(&self) -> impl Iterator<Item = Param<'a>> {
        self.params.clone().filter_map(Result::ok)
    }
}

/// `Sec-WebSocket-Extensions` does not follow its grammar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedExtensions;

impl fmt::Display for MalformedExtensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`Sec-WebSocket-Extensions` does not follow its grammar")
    }
}

impl Error for MalformedExtensions {}

fn is_sound(member: &[u8]) -> bool {
    let (name, mut params) = split_params(member);
    is_token(name) && params.all(is_sound_param)
}

/// RFC 6455 9.1: a quoted value must be a token after unescaping.
fn is_sound_param(param: Result<Param<'_>, InvalidParams>) -> bool {
    param.is_ok_and(|param| param.value().is_none_or(|value| is_token(value.as_bytes())))
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};

    use super::{ExtensionOffers, MalformedExtensions};

    fn parse(lines: &[&str]) -> Result<ExtensionOffers, MalformedExtensions> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(
                SEC_WEBSOCKET_EXTENSIONS,
                HeaderValue::from_str(line).unwrap(),
            );
        }
        ExtensionOffers::from_headers(&headers)
    }

    #[test]
    fn offers_keep_their_order_over_lines() {
        let offers = parse(&["a; x=1; y, b", "c; z=\"2\""]).unwrap();
        let names: Vec<_> = offers.iter().map(|offer| offer.name().to_owned()).collect();
        assert_eq!(names, ["a", "b", "c"]);
        let last = offers.iter().last().unwrap().params().next().unwrap();
        assert_eq!((last.name(), last.value().as_deref()), ("z", Some("2")));
        assert!(parse(&[]).unwrap().is_empty());
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for line in [
            "a b",
            "a; =1",
            "a; b=",
            "\"a\"",
            "a; b=\"c d\"",
            "a; b=\"\"",
            "a; b=\"c",
        ] {
            assert!(parse(&[line]).is_err(), "{line}");
        }
        assert!(parse(&[&"a,".repeat(200)]).is_err());
    }
}
