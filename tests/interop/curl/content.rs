//! Offers with content, over HTTP/1.1 (rule 12).

use super::Curl;
use crate::process::Server;

/// The content is read to its end before the 101, and none of it reaches the upgraded connection.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn content_is_part_of_the_request() {
    let server = Server::gallery(&[]).await;
    for length in [5, 65_536] {
        let content = "x".repeat(length);
        let request = Curl::http1(&server.http("/exec")).offer("echo/1.0");
        let answer = request
            .content(&content)
            .send_until(&format!("body:{length}\n"))
            .await;
        assert_eq!((answer.status, answer.field("upgrade")), (101, "echo/1.0"));
        assert_eq!(answer.body, format!("body:{length}\n"));
    }
    let chunked = Curl::http1(&server.http("/exec"))
        .offer("echo/1.0")
        .field("Transfer-Encoding: chunked");
    let answer = chunked
        .field("Expect: 100-continue")
        .content(&"x".repeat(40_000))
        .send_until("body:40000\n")
        .await;
    assert_eq!((answer.status, answer.body.as_str()), (101, "body:40000\n"));
}

/// Too much content, the wrong method, and content for a protocol that has none.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn content_is_bounded() {
    let server = Server::gallery(&[]).await;
    let exec = || Curl::http1(&server.http("/exec")).offer("echo/1.0");
    exec()
        .content(&"x".repeat(65_537))
        .send()
        .await
        .refuses(413);
    assert_eq!(exec().send().await.refuses(405).field("allow"), "POST");
    let request = Curl::http1(&server.http("/ws"))
        .websocket()
        .method("GET")
        .content("hello");
    request.send().await.refuses(400);
}

/// An acceptance that left the content unread becomes a 500, and the connection ends.
#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn unread_content_makes_the_acceptance_fail() {
    let server = Server::gallery(&[]).await;
    for length in [5, 100_000] {
        let request = Curl::http1(&server.http("/unread")).offer("echo/1.0");
        let answer = request.content(&"x".repeat(length)).send().await;
        assert_eq!(
            (answer.status, answer.field("connection")),
            (500, "close"),
            "{length}"
        );
    }
}
