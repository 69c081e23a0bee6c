//! How content says where it ends, and how often a request may go on.

use http::{Method, Version};
use tower_upgrade::Policy;

use super::forwarded;
use crate::{
    tunnel::{
        edge::{layer, protocol, serve, tunnel},
        upstream::{Upstream, switching},
    },
    wire::{Client, Head, Request},
};

/// What becomes of an answer whose head and content are these.
async fn answered(answer: &str) -> (Client, Head) {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    client.send(Request::get("/").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.send(answer).await;
    let head = client.head().await;
    (client, head)
}

/// RFC 9112 6.3: "Transfer-Encoding overrides the Content-Length [..] ought to be handled as an error [..] an
/// intermediary [..] MUST first remove the received Content-Length field".
#[tokio::test]
async fn a_length_that_a_coding_overrules_is_not_passed_on() {
    for length in [3, 30] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n\
             b\r\nhello world\r\n0\r\n\r\n"
        );
        let (mut client, head) = answered(&answer).await;
        head.is(200)
            .lacks("content-length")
            .has("transfer-encoding", "chunked");
        client.expect("B\r\nhello world\r\n0\r\n\r\n").await;
    }
}

/// "a server that receives a request message with a transfer coding it does not understand SHOULD respond with
/// 501" (RFC 9112 6.1); an answer in one is the upstream's fault.
#[tokio::test]
async fn other_codings_are_not_lost() {
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
    answered(answer).await.1.is(502);
    answered(&answer.replace("gzip, ", "")).await.1.is(200);

    let (edge, _upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    let coded = Request::get("/").set("transfer-encoding", "gzip, chunked");
    client.send(coded.to_bytes()).await;
    client.send("0\r\n\r\n").await;
    client.head().await.is(501);
}

/// Content of any method is streamed, whether its length is told or not.
#[tokio::test]
async fn content_of_a_get_arrives() {
    let (edge, upstream) = Upstream::behind_edge().await;
    for (name, value, content) in [
        ("transfer-encoding", "chunked", "5\r\nhello\r\n0\r\n\r\n"),
        ("content-length", "5", "hello"),
    ] {
        let mut client = Client::connect(edge).await;
        client
            .send(Request::get("/search").set(name, value).to_bytes())
            .await;
        client.send(content).await;
        let (mut peer, asked) = upstream.asked().await;
        asked.has(name, value);
        peer.0.expect(content).await;
        peer.answer("found").await;
        client.head().await.is(200);
    }
}

/// The same of an offer, which is then accepted.
#[tokio::test]
async fn content_of_an_offer_arrives_in_chunks() {
    let (edge, upstream) = Upstream::behind(Policy::offer(
        protocol("echo/1.0")
            .methods([Method::GET])
            .content_limit(1000),
    ))
    .await;
    let mut client = Client::connect(edge).await;
    let offer = Request::upgrade("/", "echo/1.0").set("transfer-encoding", "chunked");
    client.send(offer.to_bytes()).await;
    client.send("5\r\nhello\r\n0\r\n\r\n").await;
    let (mut peer, asked) = upstream.asked().await;
    asked.has("transfer-encoding", "chunked");
    peer.0.expect("5\r\nhello\r\n0\r\n\r\n").await;
    peer.send(switching("echo/1.0")).await;
    client.head().await.is(101);
}

/// RFC 9110 7.6.2, of OPTIONS and TRACE: 0 is not forwarded, more is counted down; elsewhere it is no matter.
#[tokio::test]
async fn max_forwards_is_counted() {
    let limited = |method, left| Request::get("/").method(method).set("max-forwards", left);
    forwarded(&limited("OPTIONS", "2"))
        .await
        .has("max-forwards", "1");
    forwarded(&limited("GET", "0"))
        .await
        .has("max-forwards", "0");
    let upstream = Upstream::new().await;
    let tunnel = tunnel(upstream.address(), Version::HTTP_11);
    let mut client = Client::connect(serve(layer(), tunnel).await).await;
    for method in ["OPTIONS", "TRACE"] {
        client.ask(&limited(method, "0")).await.head.is(501);
    }
}
