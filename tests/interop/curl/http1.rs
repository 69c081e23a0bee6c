//! Requests that offer nothing, over HTTP/1.1.

use super::Curl;
use crate::process::Server;
use crate::rows::{ROWS, Row};

/// A request without `Upgrade` gets the handler's answer, or 426 with every protocol of the route.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn plain_requests_pass_or_are_told_what_to_offer() {
    let server = Server::gallery(&[]).await;
    for (path, row) in ROWS {
        let answer = Curl::http1(&server.http(path)).send().await;
        assert_eq!(answer.version, "HTTP/1.1");
        answer.is(path, row);
    }
}

/// `Upgrade` without the member in `Connection` is no offer (rule 3), and the refusal says so.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn an_upgrade_that_connection_does_not_name_is_no_offer() {
    let server = Server::gallery(&[]).await;
    for (path, row) in ROWS {
        let request = Curl::http1(&server.http(path))
            .field("Upgrade: websocket")
            .field("Connection: keep-alive");
        request.send().await.is(path, row);
    }
    let request = Curl::http1(&server.http("/ws"))
        .field("Upgrade: websocket")
        .field("Connection: keep-alive");
    let answer = request.send().await;
    assert!(
        answer.body.contains("Connection"),
        "the hint names the field: {answer:?}"
    );
}

/// The field of an HTTP/1.0 request is ignored (rule 1).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn http_1_0_offers_nothing() {
    let server = Server::gallery(&[]).await;
    for (path, row) in ROWS {
        let answer = Curl::new("--http1.0", &server.http(path))
            .websocket()
            .send()
            .await;
        answer.is(path, row);
    }
}

/// Requirements that are no protocol of the handler: 426 with the field that names them (rule 13).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn tls_and_http2_are_asked_for_by_426() {
    let server = Server::gallery(&[]).await;
    let answer = Curl::http1(&server.http("/secure")).send().await;
    answer.requires("/secure", "TLS/1.2, HTTP/1.1");
    let answer = Curl::http1(&server.http("/http2")).send().await;
    answer.requires("/http2", "HTTP/2.0");
}

/// Over TLS, with either version, `/secure` has what it asks for.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn tls_is_enough_for_secure() {
    let server = Server::gallery(&["--tls"]).await;
    for (flag, version) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2")] {
        let answer = Curl::new(flag, &server.http("/secure"))
            .insecure()
            .send()
            .await;
        assert_eq!(answer.version, version);
        answer.is("/secure", Row::Passes(200, "secure"));
    }
}
