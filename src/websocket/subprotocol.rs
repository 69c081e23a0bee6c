//! `Sec-WebSocket-Protocol` (RFC 6455 4.2.1 item 8, 4.2.2 item 5.5).

use http::HeaderValue;

use crate::{
    grammar::{List, is_token},
    refusal::{Refusal, RefusalKind},
};

/// A subprotocol to answer with: the policy's or, in a response's extensions, the one that a handler
/// chose among those the client offered.
#[derive(Clone, Debug)]
pub(crate) struct Subprotocol(pub(crate) HeaderValue);

/// Returns the index of the first of `ours` that the client offers too, compared exactly.
pub(super) fn select(ours: &[HeaderValue], theirs: &List<'_>) -> Result<Option<u16>, Refusal> {
    let mut seen = Seen::default();
    let mut best = None;
    let mut members = theirs.iter();
    for member in members.by_ref() {
        if !is_token(member) {
            return Err(refuse("`Sec-WebSocket-Protocol` is not a list of tokens"));
        }
        if !seen.is_new(member) {
            return Err(refuse("`Sec-WebSocket-Protocol` names a subprotocol twice"));
        }
        if let Some(own) = ours.iter().position(|own| own.as_bytes() == member) {
            best = Some(best.map_or(own, |best: usize| best.min(own)));
        }
    }
    if members.is_cut() {
        return Err(refuse(
            "`Sec-WebSocket-Protocol` has more members than are read",
        ));
    }
    // More subprotocols than that are as good as not spoken.
    Ok(best.and_then(|best| best.try_into().ok()))
}

/// The members before; only a list of more than a few costs an allocation.
#[derive(Default)]
struct Seen<'a> {
    first: [Option<&'a [u8]>; 4],
    more: Vec<&'a [u8]>,
}

impl<'a> Seen<'a> {
    fn is_new(&mut self, member: &'a [u8]) -> bool {
        for place in &mut self.first {
            match place {
                Some(other) if *other == member => return false,
                Some(_) => {}
                None => {
                    *place = Some(member);
                    return true;
                }
            }
        }
        let is_new = !self.more.contains(&member);
        self.more.push(member);
        is_new
    }
}

#[cold]
fn refuse(hint: &'static str) -> Refusal {
    Refusal::new(RefusalKind::MalformedSubprotocols, hint)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

    use super::select;
    use crate::grammar::List;

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    fn list(headers: &HeaderMap) -> List<'_> {
        List::new(headers.get_all(SEC_WEBSOCKET_PROTOCOL))
    }

    #[track_caller]
    fn selects(lines: &[&str], expected: Option<u16>) {
        let ours = ["v2", "v1"].map(HeaderValue::from_static);
        assert_eq!(
            select(&ours, &list(&headers(lines))).unwrap(),
            expected,
            "{lines:?}"
        );
    }

    #[track_caller]
    fn refuses(lines: &[&str]) {
        assert!(select(&[], &list(&headers(lines))).is_err(), "{lines:?}");
    }

    #[test]
    fn our_order_decides() {
        selects(&["v1, v2"], Some(0));
        selects(&["v1", "x, v2"], Some(0));
        selects(&["v1"], Some(1));
    }

    #[test]
    fn they_compare_exactly() {
        selects(&["V1, v10, v"], None);
        selects(&[], None);
        selects(&[""], None);
    }

    #[test]
    fn they_are_unique_tokens() {
        refuses(&["a, a"]);
        refuses(&["a", "b,a"]);
        refuses(&["a b"]);
        refuses(&["\"a\""]);
        refuses(&["a;b"]);
        let many: Vec<String> = (0..200).map(|n| n.to_string()).collect();
        refuses(&[&many.join(",")]);
        assert!(select(&[], &list(&headers(&["a, A"]))).is_ok());
    }
}
