//! A refusal as a response: plain text, or problem details for those who read them (RFC 9457).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};

use super::Refusal;
use crate::grammar::{List, split_params};

impl Refusal {
    /// Returns the response the layer would give to a request with these header fields.
    ///
    /// The content is the hint as `text/plain`, or a problem details object if `Accept` names
    /// `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457.html)). The
    /// fields that the status demands are set, and the refusal is in the extensions.
    ///
    /// # Examples
    ///
    /// A response of one's own begins with this one:
    ///
    /// ```
    /// use http::{HeaderValue, header::CACHE_CONTROL};
    /// use tower_upgrade::{Policy, UpgradeLayer, WebSocket};
    ///
    /// let layer = UpgradeLayer::new(Policy::require(WebSocket::new()))
    ///     .refuse_with(|refusal, head| {
    ///         let mut response = refusal.to_response(head.headers);
    ///         response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    ///         response
    ///     });
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn to_response(&self, request: &HeaderMap) -> Response<Bytes> {
        let (content_type, content) = if accepts_problem(request) {
            ("application/problem+json", self.to_problem())
        } else {
            ("text/plain; charset=utf-8", format!("{self}\n"))
        };
        let mut response = Response::new(content.into());
        *response.status_mut() = self.status();
        let content_type = HeaderValue::from_static(content_type);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, content_type);
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        self.complete(&mut response);
        response
    }

    /// Adds to a response with the refusal's status what that status demands, and the refusal.
    pub(crate) fn complete<B>(&self, response: &mut Response<B>) {
        if response.status() == self.status() {
            for (name, value) in self.fields() {
                response.headers_mut().insert(name, value.clone());
            }
        }
        response.extensions_mut().insert(self.clone());
    }

    /// No member needs escaping but the hint, in which only a quote or a backslash could.
    fn to_problem(&self) -> String {
        let reason = self.status().canonical_reason().unwrap_or_default();
        let status = self.status().as_u16();
        let detail = self.hint().replace('\\', "\\\\").replace('"', "\\\"");
        let kind = self.kind();
        format!(
            r#"{{"type":"about:blank","title":"{reason}","status":{status},"detail":"{detail}","kind":"{kind}"}}"#
        )
    }
}

fn accepts_problem(headers: &HeaderMap) -> bool {
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

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use crate::refusal::{Refusal, RefusalKind};

    #[track_caller]
    fn answers(accept: &str, content_type: &str) {
        let mut headers = HeaderMap::new();
        headers.append(header::ACCEPT, HeaderValue::from_static("text/html"));
        headers.append(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        let response = Refusal::new(RefusalKind::Origin, "not from \"here\"").to_response(&headers);
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            content_type,
            "{accept}"
        );
    }

    #[test]
    fn problem_details_are_for_those_who_ask_for_them() {
        let problem = "application/problem+json";
        let text = "text/plain; charset=utf-8";
        answers("*/*", text);
        answers("application/*", text);
        answers("application/json", text);
        answers("application/problem+json", problem);
        answers("a/b, Application/Problem+JSON;q=0.1", problem);
        answers("application/problem+json; q=0", text);
        answers("application/problem+json; q=0.000", text);
    }

    #[test]
    fn problem_details_are_json() {
        let refusal = Refusal::new(RefusalKind::Origin, r#"a "quote" and a \"#);
        let problem: serde_json::Value = serde_json::from_str(&refusal.to_problem()).unwrap();
        assert_eq!(problem["detail"], r#"a "quote" and a \"#);
        assert_eq!(problem["status"], 403);
        assert_eq!(problem["kind"], "origin");
    }
}
