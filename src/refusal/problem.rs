//! What is told to a client as plain text, or as problem details to those who read them (RFC 9457).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};

use crate::grammar::{List, split_params};

/// A problem's status, its name for machines and its sentence for people.
#[derive(Clone, Copy)]
pub(crate) struct Problem<'a> {
    pub(crate) status: StatusCode,
    pub(crate) kind: &'a str,
    pub(crate) hint: &'a str,
}

impl Problem<'_> {
    pub(crate) fn to_response(self, in_details: bool) -> Response<Bytes> {
        let (content_type, content) = if in_details {
            ("application/problem+json", self.to_details())
        } else {
            ("text/plain; charset=utf-8", format!("{}\n", self.hint))
        };
        let mut response = Response::new(content.into());
        *response.status_mut() = self.status;
        let content_type = HeaderValue::from_static(content_type);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        response
    }

    /// No member needs escaping but the hint, in which only a quote or a backslash could.
    fn to_details(self) -> String {
        let reason = self.status.canonical_reason().unwrap_or_default();
        let (status, kind) = (self.status.as_u16(), self.kind);
        let detail = self.hint.replace('\\', "\\\\").replace('"', "\\\"");
        format!(
            r#"{{"type":"about:blank","title":"{reason}","status":{status},"detail":"{detail}","kind":"{kind}"}}"#
        )
    }
}

/// Whether the sender of a request with these fields asks for problem details.
pub(crate) fn accepts_details(headers: &HeaderMap) -> bool {
    List::new(headers.get_all(header::ACCEPT))
        .iter()
        .any(|range| {
            let (range, mut params) = split_params(range);
            range.eq_ignore_ascii_case(b"application/problem+json")
                && !params.any(|param| {
                    param.is_ok_and(|p| {
                        p.name().eq_ignore_ascii_case("q") && is_zero(p.value().as_deref())
                    })
                })
        })
}

/// `qvalue` zero: "not acceptable" (RFC 9110 12.4.2).
fn is_zero(qvalue: Option<&str>) -> bool {
    qvalue.is_some_and(|q| q.starts_with('0') && q.bytes().all(|b| matches!(b, b'0' | b'.')))
}
