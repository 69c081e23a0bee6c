//! `Upgrade: h2c`, which clients send by themselves and which is never selected (rule 6).

use super::Curl;
use crate::process::Server;
use crate::rows::{ROWS, Row};

/// An offer of `h2c` changes no answer: it is given over HTTP/1.1, as if nothing had been offered.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn an_offer_of_h2c_is_passed_over() {
    let server = Server::gallery(&[]).await;
    for (path, row) in ROWS {
        let answer = Curl::h2c(&server.http(path)).send().await;
        assert_eq!(answer.version, "HTTP/1.1", "{path}");
        answer.is(path, row);
    }
}

/// Nor does it with content, which is nobody's offer and so nobody's to refuse.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn content_beside_an_offer_of_h2c_passes() {
    let server = Server::gallery(&[]).await;
    for (path, row) in ROWS.into_iter().filter(|(path, _)| *path != "/") {
        let answer = Curl::h2c(&server.http(path)).content("hello").send().await;
        assert_eq!(answer.version, "HTTP/1.1", "{path}");
        answer.is(path, row);
    }
}

/// Nor with `Expect: 100-continue` and content that outgrows a packet.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn expectations_beside_an_offer_of_h2c_are_kept() {
    let server = Server::gallery(&[]).await;
    for path in ["/either", "/closed", "/unaware"] {
        let request = Curl::h2c(&server.http(path))
            .field("Expect: 100-continue")
            .content(&"x".repeat(100_000));
        let answer = request.send().await;
        assert_eq!(answer.version, "HTTP/1.1", "{path}");
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
    }
}

/// `h2c` beside a protocol of the route stands in nobody's way.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn a_protocol_beside_h2c_is_selected() {
    let server = Server::gallery(&[]).await;
    let answer = Curl::http1(&server.http("/multi"))
        .offer("h2c, echo/1.0")
        .switches()
        .await;
    assert_eq!(answer.field("upgrade"), "echo/1.0");
    let answer = Curl::http1(&server.http("/either"))
        .offer("h2c")
        .send()
        .await;
    answer.is("/either", Row::Passes(200, "plain"));
}
