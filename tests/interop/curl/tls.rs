//! A resource that is told in TLS alone (RFC 2817), as somebody sees it who asks for it without.

use super::Curl;
use crate::process::Server;

#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn a_confidential_resource_names_tls() {
    let server = Server::tls_upgrade().await;
    let answer = Curl::http1(&server.http("/secret")).send().await;
    assert_eq!(answer.status, 426);
    assert_eq!(answer.field("upgrade"), "TLS/1.2, HTTP/1.1");
    assert_eq!(answer.field("connection"), "upgrade");
    // What curl offers by itself changes nothing.
    let answer = Curl::h2c(&server.http("/")).send().await;
    assert_eq!(answer.status, 200);
}
