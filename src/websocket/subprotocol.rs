//! `Sec-WebSocket-Protocol` (RFC 6455 4.2.1 item 8, 4.2.2 item 5.5).

use http::HeaderValue;

use crate::{
    grammar::{List, MAX_MEMBERS, is_token},
    refusal::{Refusal, RefusalKind},
};

/// Returns the index of the first of `ours` that the client offers too, compared exactly.
pub(super) fn select(ours: &[HeaderValue], theirs: &List<'_>) -> Result<Option<usize>, Refusal> {
    let mut best = None;
    let mut seen: [&[u8]; MAX_MEMBERS] = [&[]; MAX_MEMBERS];
    let mut members = theirs.iter();
    // There is a place for as many members as are read.
    for at in 0..seen.len() {
        let Some(member) = members.next() else {
            break;
        };
        if !is_token(member) {
            return Err(refuse("`Sec-WebSocket-Protocol` is not a list of tokens"));
        }
        let (before, places) = seen.split_at_mut(at);
        if before.contains(&member) {
            return Err(refuse("`Sec-WebSocket-Protocol` names a subprotocol twice"));
        }
        if let Some(place) = places.first_mut() {
            *place = member;
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
    Ok(best)
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
    fn selects(lines: &[&str], expected: Option<usize>) {
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
