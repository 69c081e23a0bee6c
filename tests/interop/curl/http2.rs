//! Plain requests over HTTP/2, where there is nothing to switch.

use super::Curl;
use crate::process::Server;
use crate::rows::{ROWS, Row};

/// A plain request gets the handler's answer, or 405 with `Allow: CONNECT` (rule 8).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn plain_requests_pass_or_are_told_to_connect() {
    let server = Server::gallery(&[]).await;
    for (path, row) in ROWS {
        let answer = Curl::http2(&server.http(path)).send().await;
        assert_eq!(answer.version, "HTTP/2");
        match row {
            Row::Passes(..) => answer.is(path, row),
            Row::Requires(_) => {
                assert_eq!(answer.refuses(405).field("allow"), "CONNECT", "{path}");
                assert_eq!(answer.all("upgrade"), [""; 0], "{path}");
                assert_eq!(answer.all("connection"), [""; 0], "{path}");
            }
        }
    }
}

/// A POST is no offer on HTTP/2 either. It has no content here: this curl loses an answer that comes
/// before all content is sent, as RFC 9113 8.1 allows and as hyper does.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn the_method_changes_nothing() {
    let server = Server::gallery(&[]).await;
    let answer = Curl::http2(&server.http("/either"))
        .method("POST")
        .send()
        .await;
    answer.is("/either", Row::Passes(200, "plain"));
    let answer = Curl::http2(&server.http("/exec"))
        .method("POST")
        .send()
        .await;
    assert_eq!(answer.refuses(405).field("allow"), "CONNECT");
}

/// What HTTP/1.1 is refused by `/http2`, HTTP/2 gets; TLS is still missing on `/secure` (rule 13).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn http2_is_enough_for_http2_but_not_for_tls() {
    let server = Server::gallery(&[]).await;
    let answer = Curl::http2(&server.http("/http2")).send().await;
    answer.is("/http2", Row::Passes(200, "http2"));
    let answer = Curl::http2(&server.http("/secure")).send().await;
    answer.refuses(403);
    assert_eq!(answer.all("upgrade"), [""; 0], "HTTP/2 has no such field");
}

/// Over TLS the version is agreed on by ALPN: HTTP/2 is served, and HTTP/1.1 is told of it.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn a_required_version_is_agreed_on_by_alpn() {
    let server = Server::gallery(&["--tls"]).await;
    let url = server.http("/http2");
    let answer = Curl::h2c(&url).insecure().send().await;
    assert_eq!(answer.version, "HTTP/2");
    answer.is("/http2", Row::Passes(200, "http2"));
    let answer = Curl::http1(&url).insecure().send().await;
    answer.requires("/http2", "HTTP/2.0");
}
