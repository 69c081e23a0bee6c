//! `Sec-WebSocket-Protocol` (RFC 6455 4.2.1 item 8, 4.2.2 item 5.5).

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_PROTOCOL};

use crate::{
    grammar::{List, is_token},
    refusal::{Refusal, RefusalKind},
};

/// Returns the index of the first of `ours` that the client offers too, compared exactly.
pub(super) fn select(ours: &[HeaderValue], headers: &HeaderMap) -> Result<Option<usize>, Refusal> {
    let theirs = List::new(headers.get_all(SEC_WEBSOCKET_PROTOCOL));
    let mut best = None;
    for (at, member) in theirs.iter().enumerate() {
        if !is_token(member) {
            return Err(refuse("`Sec-WebSocket-Protocol` is not a list of tokens"));
        }
        if theirs.iter().take(at).any(|before| before == member) {
            return Err(refuse("`Sec-WebSocket-Protocol` names a subprotocol twice"));
        }
        if let Some(own) = ours.iter().position(|own| own.as_bytes() == member) {
            best = Some(best.map_or(own, |best: usize| best.min(own)));
        }
    }
    if theirs.is_overlong() {
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

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(line).unwrap());
        }
        headers
    }

    #[track_caller]
    fn selects(lines: &[&str], expected: Option<usize>) {
        let ours = ["v2", "v1"].map(HeaderValue::from_static);
        assert_eq!(
            select(&ours, &headers(lines)).unwrap(),
            expected,
            "{lines:?}"
        );
    }

    #[track_caller]
    fn refuses(lines: &[&str]) {
        assert!(select(&[], &headers(lines)).is_err(), "{lines:?}");
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
        assert!(select(&[], &headers(&["a, A"])).is_ok());
    }
}
