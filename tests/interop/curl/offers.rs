//! Offers written by hand, over HTTP/1.1.

use super::Curl;
use crate::process::Server;
use crate::rows::Row;

/// The accept value of RFC 6455 1.3, which belongs to the key that [`Curl::websocket`] sends.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Every route that speaks WebSocket switches, and the 101 has its fields and no others (rule 15).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn websocket_is_accepted() {
    let server = Server::gallery(&[]).await;
    for path in [
        "/ws",
        "/either",
        "/multi",
        "/multi-server",
        "/axum",
        "/get-only",
    ] {
        let answer = Curl::http1(&server.http(path)).websocket().switches().await;
        assert_eq!(answer.field("upgrade"), "websocket", "{path}");
        assert_eq!(answer.field("sec-websocket-accept"), ACCEPT, "{path}");
        assert_eq!(
            answer.all("sec-websocket-protocol"),
            [""; 0],
            "{path}: none was offered"
        );
        assert_eq!(
            answer.all("sec-websocket-extensions"),
            [""; 0],
            "{path}: none was offered"
        );
    }
}

/// Ours in our order against theirs, compared exactly; none in common, none sent (rule 11).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn the_subprotocol_is_the_first_of_the_server() {
    let server = Server::gallery(&[]).await;
    for (offered, selected) in [("v1, v2", "v2"), ("v0, v1", "v1"), ("V1, v3", "")] {
        let request = Curl::http1(&server.http("/ws")).websocket();
        let answer = request
            .field(&format!("Sec-WebSocket-Protocol: {offered}"))
            .switches()
            .await;
        assert_eq!(
            answer.field("sec-websocket-protocol"),
            selected,
            "{offered}"
        );
    }
    let request = Curl::http1(&server.http("/ws")).websocket();
    request
        .field("Sec-WebSocket-Protocol: v1, v1")
        .send()
        .await
        .refuses(400);
}

/// The checks of RFC 6455 4.2.1, each with the status and the field that it owes (rule 9).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn a_wrong_handshake_is_refused() {
    let server = Server::gallery(&[]).await;
    let ws = || Curl::http1(&server.http("/ws"));
    let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";

    let answer = ws().websocket().method("DELETE").send().await;
    assert_eq!(answer.refuses(405).field("allow"), "GET");

    let request = ws()
        .offer("websocket")
        .field(key)
        .field("Sec-WebSocket-Version: 8");
    let answer = request.send().await;
    assert_eq!(answer.refuses(426).field("sec-websocket-version"), "13");
    let answer = ws().offer("websocket").field(key).send().await;
    assert_eq!(answer.refuses(426).field("sec-websocket-version"), "13");

    let short = ws()
        .offer("websocket")
        .field("Sec-WebSocket-Version: 13")
        .field("Sec-WebSocket-Key: YWJj");
    let answer = short.send().await;
    assert!(
        answer.refuses(400).body.contains("16"),
        "the hint says how long a key is: {answer:?}"
    );
    ws().websocket().field(key).send().await.refuses(400);
}

/// An origin must be the host and port that the request was sent to (rule 10).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn a_foreign_origin_is_refused() {
    let server = Server::gallery(&[]).await;
    let origin = format!("Origin: {}", server.http(""));
    Curl::http1(&server.http("/ws"))
        .websocket()
        .field(&origin)
        .switches()
        .await;
    for origin in [
        "Origin: https://example.com",
        "Origin: null",
        "Origin: http://127.0.0.1",
    ] {
        Curl::http1(&server.http("/ws"))
            .websocket()
            .field(origin)
            .send()
            .await
            .refuses(403);
    }
}

/// A refusal is a sentence, or problem details for who accepts them (RFC 9457).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn a_refusal_is_text_or_problem_details() {
    let server = Server::gallery(&[]).await;
    let answer = Curl::http1(&server.http("/ws")).send().await;
    assert!(
        answer
            .refuses(426)
            .field("content-type")
            .starts_with("text/plain"),
        "{answer:?}"
    );
    let answer = Curl::http1(&server.http("/ws"))
        .field("Accept: application/problem+json")
        .send()
        .await;
    assert!(
        answer
            .refuses(426)
            .field("content-type")
            .starts_with("application/problem+json"),
        "{answer:?}"
    );
    let problem: serde_json::Value = serde_json::from_str(&answer.body).expect("it is JSON");
    assert_eq!(problem["status"], 426, "{problem}");
}

/// The client's order decides, or the server's where the route says so (rule 6).
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn the_order_decides_between_protocols() {
    let server = Server::gallery(&[]).await;
    for (path, selected) in [("/multi", "echo/1.0"), ("/multi-server", "echo/2.0")] {
        let answer = Curl::http1(&server.http(path))
            .offer("foo, echo/1.0, echo/2.0")
            .switches()
            .await;
        assert_eq!(answer.field("upgrade"), selected, "{path}");
    }
    let answer = Curl::http1(&server.http("/multi"))
        .offer("echo, ECHO/3.0, websocket/13")
        .send()
        .await;
    answer.requires("/multi", "echo/2.0, echo/1.0, websocket");
}

/// What is offered and not wanted leaves no trace.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn an_offer_that_the_route_does_not_take_passes() {
    let server = Server::gallery(&[]).await;
    let answer = Curl::http1(&server.http("/closed"))
        .websocket()
        .send()
        .await;
    answer.is("/closed", Row::Passes(200, "upgrade: absent"));
    let answer = Curl::http1(&server.http("/unaware"))
        .websocket()
        .send()
        .await;
    answer.is("/unaware", Row::Passes(200, "unaware"));
    for connection in ["Connection: Upgrade", "Connection: close, Upgrade"] {
        let request = Curl::http1(&server.http("/decline"))
            .field("Upgrade: websocket")
            .field(connection);
        let request = request
            .field("Sec-WebSocket-Version: 13")
            .field("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==");
        let answer = request.send().await;
        assert_eq!(answer.status, 403);
        assert!(!answer.body.contains("LEAK"), "{answer:?}");
    }
}
