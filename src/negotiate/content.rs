//! Whether a request has content (RFC 9110 6.4, RFC 9112 6.3).

use http::Version;

use crate::{
    fields::Fields,
    refusal::{Refusal, RefusalKind},
};

/// Content that a request may have: so much at most, and so much exactly if its length is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) limit: u64,
    pub(crate) length: Option<u64>,
}

/// Rule 12: checks a request's content against what its protocol allows; `None` if it has none.
pub(super) fn check(
    fields: &Fields<'_>,
    version: Version,
    limit: Option<u64>,
) -> Result<Option<Content>, Refusal> {
    if fields.content_length.is_none() && fields.transfer_encoding.is_none() {
        return Ok(None);
    }
    let length = length(fields)?;
    if length == Some(0) {
        return Ok(None);
    }
    let Some(limit) = limit.filter(|_| version < Version::HTTP_2) else {
        return Err(not_allowed());
    };
    if length.is_some_and(|length| length > limit) {
        return Err(too_large(limit));
    }
    Ok(Some(Content { limit, length }))
}

/// `None` if only reading tells.
fn length(fields: &Fields<'_>) -> Result<Option<u64>, Refusal> {
    if !fields.transfer_encoding.is_none() {
        return Ok(None);
    }
    let mut length = None;
    let mut members = fields.content_length().iter();
    for member in members.by_ref() {
        match parse(member) {
            Some(parsed) if length.is_none_or(|length| length == parsed) => length = Some(parsed),
            _ => return Err(not_a_number()),
        }
    }
    if members.is_cut() {
        return Err(not_a_number());
    }
    Ok(Some(length.unwrap_or(0)))
}

#[cold]
fn not_a_number() -> Refusal {
    let hint = "`Content-Length` is not one number";
    Refusal::new(RefusalKind::ContentLength, hint)
}

fn parse(member: &[u8]) -> Option<u64> {
    let digits = std::str::from_utf8(member).ok()?;
    let is_number = digits.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| digits.parse().ok())?
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

    use super::{Content, check};
    use crate::{fields::Fields, refusal::RefusalKind};

    fn checked(
        fields: &[(&str, &str)],
        limit: Option<u64>,
    ) -> Result<Option<Content>, RefusalKind> {
        let mut request = Request::get("/").version(Version::HTTP_11);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        check(&Fields::read(&head.headers), head.version, limit).map_err(|refusal| refusal.kind())
    }

    fn content(limit: u64, length: Option<u64>) -> Option<Content> {
        Some(Content { limit, length })
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
        assert_eq!(checked(&five, Some(5)), Ok(content(5, Some(5))));
        let chunked = [("transfer-encoding", "chunked")];
        assert_eq!(checked(&chunked, None), Err(RefusalKind::ContentNotAllowed));
        assert_eq!(checked(&chunked, Some(5)), Ok(content(5, None)));
    }

    #[test]
    fn a_length_is_one_number() {
        let (zeros, empties) = ("0,".repeat(128) + "5", ",".repeat(128) + "5");
        for text in [
            zeros.as_str(),
            empties.as_str(),
            "x",
            "-1",
            "+1",
            "1, 2",
            "99999999999999999999",
            "1 1",
        ] {
            assert_eq!(
                checked(&[("content-length", text)], Some(5)),
                Err(RefusalKind::ContentLength),
                "{text}"
            );
        }
        assert_eq!(
            checked(&[("content-length", "5, 5")], Some(5)),
            Ok(content(5, Some(5)))
        );
    }
}
