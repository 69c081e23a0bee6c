//! An HTTP/1.1 request's offer, taken out or written anew (rule 7, and `hand_over_raw`).

use http::{
    HeaderMap, HeaderValue,
    header::{CONNECTION, SEC_WEBSOCKET_PROTOCOL, UPGRADE},
};

use super::acceptance::Acceptance;
use crate::grammar::List;

/// Takes an offer out: `Upgrade`, and its member in `Connection`.
///
/// Costs no allocation for the values of `Connection` that clients really send.
pub(crate) fn strip(headers: &mut HeaderMap) {
    if headers.remove(UPGRADE).is_none() {
        return;
    }
    let connection = List::new(headers.get_all(CONNECTION));
    let is_other = |member: &&[u8]| !member.eq_ignore_ascii_case(b"upgrade");
    let (mut members, mut others, mut first) = (0, 0, None);
    for member in connection.iter_all() {
        members += 1;
        if is_other(&member) {
            others += 1;
            first = first.or(Some(member));
        }
    }
    if others == members {
        return;
    }
    let rest = match first {
        Some(only) if others == 1 => Some(well_known(only).unwrap_or_else(|| value(only))),
        Some(_) => {
            let others = connection.iter_all().filter(is_other);
            Some(value(&others.collect::<Vec<_>>().join(&b", "[..])))
        }
        None => None,
    };
    match rest {
        Some(rest) => headers.insert(CONNECTION, rest),
        None => headers.remove(CONNECTION),
    };
}

/// Writes an offer anew, as one clean line a field with what was selected alone.
pub(crate) fn normalise(headers: &mut HeaderMap, acceptance: &Acceptance) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, acceptance.protocol().to_value());
    normalise_subprotocol(headers, acceptance);
}

/// Leaves the selected subprotocol alone in the offer, if the policy has a say in it.
pub(crate) fn normalise_subprotocol(headers: &mut HeaderMap, acceptance: &Acceptance) {
    if let Some(subprotocol) = acceptance.agreed().subprotocol_value() {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocol.clone());
    } else if acceptance.agreed().names_subprotocols() {
        headers.remove(SEC_WEBSOCKET_PROTOCOL);
    }
}

fn well_known(member: &[u8]) -> Option<HeaderValue> {
    let known = ["keep-alive", "close", "HTTP2-Settings", "TE"];
    let known = known
        .into_iter()
        .find(|known| member.eq_ignore_ascii_case(known.as_bytes()));
    known.map(HeaderValue::from_static)
}

/// The text came out of a field value, so it is one; should it not be, it is worth nothing.
fn value(text: &[u8]) -> HeaderValue {
    HeaderValue::from_bytes(text).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use http::{
        HeaderMap, HeaderValue,
        header::{CONNECTION, UPGRADE},
    };

    use super::strip;

    #[track_caller]
    fn strips(lines: &[&str], expected: Option<&str>) {
        let mut headers = HeaderMap::new();
        headers.append(UPGRADE, HeaderValue::from_static("a"));
        headers.append(UPGRADE, HeaderValue::from_static("b"));
        for line in lines {
            headers.append(CONNECTION, HeaderValue::from_str(line).unwrap());
        }
        strip(&mut headers);
        assert!(!headers.contains_key(UPGRADE));
        let rest: Vec<_> = headers
            .get_all(CONNECTION)
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        assert_eq!(rest.join("|"), expected.unwrap_or_default(), "{lines:?}");
    }

    #[test]
    fn the_offer_is_taken_out_and_nothing_else() {
        strips(&["Upgrade"], None);
        strips(&["keep-alive, Upgrade"], Some("keep-alive"));
        strips(&["Upgrade, HTTP2-Settings"], Some("HTTP2-Settings"));
        strips(&["upgrade", "a,b"], Some("a, b"));
        strips(&["x, upgrade, upgrade"], Some("x"));
        strips(&["a", "b"], Some("a|b"));
        strips(&[], None);
        let many = ["x"; 200].join(", ");
        strips(&[&many, "upgrade"], Some(&many));
    }

    #[test]
    fn a_request_without_an_offer_keeps_its_connection_field() {
        let mut headers = HeaderMap::new();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        strip(&mut headers);
        assert_eq!(headers[CONNECTION], "upgrade");
    }
}
