//! Whether a request has content (RFC 9110 6.4, RFC 9112 6.3).

use http::{
    Version,
    header::{CONTENT_LENGTH, TRANSFER_ENCODING},
    request::Parts,
};

use crate::{
    grammar::List,
    refusal::{Refusal, RefusalKind},
};

/// Rule 12: checks a request's content against what its protocol allows.
///
/// Returns how many octets may be read, `None` if there is no content.
pub(super) fn check(head: &Parts, limit: Option<u64>) -> Result<Option<u64>, Refusal> {
    let length = match length(head)? {
        Length::Known(0) => return Ok(None),
        Length::Known(length) => Some(length),
        Length::Unknown => None,
    };
    let Some(limit) = limit.filter(|_| head.version < Version::HTTP_2) else {
        return Err(not_allowed());
    };
    if length.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    Ok(Some(limit))
}

enum Length {
    Known(u64),
    Unknown,
}

fn length(head: &Parts) -> Result<Length, Refusal> {
    if head.headers.contains_key(TRANSFER_ENCODING) {
        return Ok(Length::Unknown);
    }
    let mut length = None;
    for member in &List::new(head.headers.get_all(CONTENT_LENGTH)) {
        let digits = std::str::from_utf8(member)
            .ok()
            .filter(|m| m.bytes().all(|b| b.is_ascii_digit()));
        let parsed: Option<u64> = digits.and_then(|digits| digits.parse().ok());
        match parsed {
            Some(parsed) if length.is_none_or(|length| length == parsed) => length = Some(parsed),
            _ => {
                return Err(Refusal::new(
                    RefusalKind::ContentLength,
                    "`Content-Length` is not one number",
                ));
            }
        }
    }
    Ok(Length::Known(length.unwrap_or(0)))
}

/// Also where it is allowed, but the handler has an extractor of its own and can prove nothing.
#[cold]
pub(super) fn not_allowed() -> Refusal {
    let hint = "a request that offers this protocol must have no content";
    Refusal::new(RefusalKind::ContentNotAllowed, hint)
}

#[cold]
fn too_large(limit: u64) -> Refusal {
    let hint =
        format!("a request that offers this protocol may have {limit} octets of content at most");
    Refusal::new(RefusalKind::ContentTooLarge, hint)
}

#[cfg(test)]
mod tests {
    use http::{Request, Version};

    use super::check;
    use crate::refusal::RefusalKind;

    fn checked(fields: &[(&str, &str)], limit: Option<u64>) -> Result<Option<u64>, RefusalKind> {
        let mut request = Request::get("/").version(Version::HTTP_11);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        check(&head, limit).map_err(|refusal| refusal.kind())
    }

    #[test]
    fn a_length_of_zero_is_no_content() {
        assert_eq!(checked(&[], None), Ok(None));
        assert_eq!(checked(&[("content-length", "0")], None), Ok(None));
    }

    #[test]
    fn content_needs_a_limit_and_keeps_it() {
        let five = [("content-length", "5")];
        assert_eq!(checked(&five, None), Err(RefusalKind::ContentNotAllowed));
        assert_eq!(checked(&five, Some(4)), Err(RefusalKind::ContentTooLarge));
        assert_eq!(checked(&five, Some(5)), Ok(Some(5)));
        let chunked = [("transfer-encoding", "chunked")];
        assert_eq!(checked(&chunked, None), Err(RefusalKind::ContentNotAllowed));
        assert_eq!(checked(&chunked, Some(5)), Ok(Some(5)));
    }

    #[test]
    fn a_length_is_one_number() {
        for text in ["x", "-1", "+1", "1, 2", "99999999999999999999", "1 1"] {
            assert_eq!(
                checked(&[("content-length", text)], Some(5)),
                Err(RefusalKind::ContentLength),
                "{text}"
            );
        }
        assert_eq!(checked(&[("content-length", "5, 5")], Some(5)), Ok(Some(5)));
    }
}
