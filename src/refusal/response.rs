//! A refusal as a response.

use bytes::Bytes;
use http::{HeaderMap, Response};

use super::{
    problem::{Problem, accepts_details},
    reason::Refusal,
};

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
        let problem = Problem {
            status: self.status(),
            kind: self.kind().as_str(),
            hint: self.hint(),
        };
        let mut response = problem.to_response(accepts_details(request));
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
        let mut request = HeaderMap::new();
        let details = HeaderValue::from_static("application/problem+json");
        request.insert(header::ACCEPT, details);
        let content = refusal.to_response(&request).into_body();
        let problem: serde_json::Value = serde_json::from_slice(&content).unwrap();
        assert_eq!(problem["detail"], r#"a "quote" and a \"#);
        assert_eq!(problem["status"], 403);
        assert_eq!(problem["kind"], "origin");
    }
}
