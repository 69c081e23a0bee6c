//! Content that comes with an offer: it is read to its end before the offer is accepted (rule 12).

use http::{Method, Version};
use tower_upgrade::Policy;

use crate::{
    server::gallery,
    tunnel::{
        edge::{edge, protocol, serve, tunnel},
        upstream::{Upstream, switching},
    },
    wire::{Client, Request},
};

fn policy(limit: u64) -> Policy {
    let echo = protocol("echo/1.0").methods([Method::POST]);
    Policy::offer(echo.content_limit(limit))
}

fn exec() -> Request {
    Request::upgrade("/exec", "echo/1.0").method("POST")
}

/// As `docker exec` has it: JSON with the offer, and the rest of the connection for its input.
#[tokio::test]
async fn it_reaches_the_upstream_and_then_the_tunnel_opens() {
    let layer = tower_upgrade::UpgradeLayer::new(policy(1_000));
    let edge = serve(layer, tunnel(gallery().await, Version::HTTP_11)).await;
    let json = r#"{"Detach":false,"Tty":false}"#;
    let mut client = Client::connect(edge).await;
    let request = exec().content(json).set("Content-Type", "application/json");
    let mut bytes = request.to_bytes();
    bytes.extend_from_slice(b"input");
    client.send(bytes).await;
    client.head().await.is(101).has("upgrade", "echo/1.0");
    client.expect(format!("body:{}\ninput", json.len())).await;
    client.finish().await;
    client.expect_end().await;
}

/// In pieces, of a length that is told or not: the upstream reads all of it before what follows.
#[tokio::test]
async fn it_may_come_in_pieces() {
    let (edge, upstream) = Upstream::behind(policy(1_000)).await;
    let chunked = exec().set("Transfer-Encoding", "chunked");
    let length = exec().set("Content-Length", "10");
    for (request, pieces) in [
        (length, ["hello", "world"]),
        (chunked, ["5\r\nhello\r\n", "5\r\nworld\r\n0\r\n\r\n"]),
    ] {
        let mut client = Client::connect(edge).await;
        client.send(request.to_bytes()).await;
        client.send(pieces[0]).await;
        let (mut peer, asked) = upstream.asked().await;
        asked
            .has("upgrade", "echo/1.0")
            .has("connection", "upgrade");
        assert_eq!(asked.line, "POST /exec HTTP/1.1");
        peer.0.expect(pieces[0]).await;
        client.send(format!("{}after", pieces[1])).await;
        // Whether the framing of the last chunk comes in one write is the proxy's own affair.
        peer.0.expect(pieces[1]).await;
        assert!(peer.0.has_nothing_to_read());
        peer.send(switching("echo/1.0")).await;
        client.head().await.is(101);
        peer.0.expect("after").await;
    }
}

/// An upstream that accepts before it has read all of it is taken at its word once all of it was sent: the
/// rest is content still, and no byte of the tunnel.
#[tokio::test]
async fn an_early_acceptance_waits_for_the_contents_end() {
    let (edge, upstream) = Upstream::behind(policy(1_000)).await;
    let mut client = Client::connect(edge).await;
    let request = exec().set("Content-Length", "10");
    client.send(request.to_bytes()).await;
    client.send("hello").await;
    let (mut peer, _) = upstream.asked().await;
    peer.0.expect("hello").await;
    peer.send(switching("echo/1.0") + "early").await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert!(client.has_nothing_to_read());
    }
    client.send("worldafter").await;
    peer.0.expect("world").await;
    client.head().await.is(101);
    client.expect("early").await;
    peer.0.expect("after").await;
}

/// More than the policy allows never reaches the upstream.
#[tokio::test]
async fn it_is_limited() {
    let (edge, upstream) = Upstream::behind(policy(4)).await;
    let mut client = Client::connect(edge).await;
    client.ask(&exec().content("hello")).await.head.is(413);
    let mut client = Client::connect(edge).await;
    client.send(exec().content("hell").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.0.expect("hell").await;
    peer.send(switching("echo/1.0")).await;
    client.head().await.is(101);
}

/// Where its length is not told, it is cut off at the limit, and no tunnel opens.
#[tokio::test]
async fn it_is_limited_chunk_by_chunk() {
    let (edge, upstream) = Upstream::behind(policy(4)).await;
    let mut client = Client::connect(edge).await;
    let chunked = exec().set("Transfer-Encoding", "chunked");
    client.send(chunked.to_bytes()).await;
    client.send("3\r\nhel\r\n").await;
    let (mut peer, _) = upstream.asked().await;
    peer.0.expect("3\r\nhel\r\n").await;
    client.send("2\r\nlo\r\n0\r\n\r\n").await;
    let rest = peer.0.read_to_end().await;
    assert!(rest.is_empty(), "{}", rest.escape_ascii());
    let head = client.head().await;
    assert!(head.status >= 400, "{head:?}");
}

/// An extended CONNECT has no content, so that none can be forwarded by it.
#[tokio::test]
async fn it_cannot_go_to_an_upstream_of_http2() {
    let layer = tower_upgrade::UpgradeLayer::new(policy(1_000));
    let edge = serve(layer, tunnel(gallery().await, Version::HTTP_2)).await;
    let mut client = Client::connect(edge).await;
    let request = exec()
        .content("hello")
        .set("Accept", "application/problem+json");
    let answer = client.ask(&request).await;
    answer.head.is(501);
    assert!(answer.content.contains(r#""kind":"content""#), "{answer:?}");
    let mut client = Client::connect(edge).await;
    client.offer(&exec()).await.is(101);
}

/// A policy that allows none refuses it, and the upstream hears nothing.
#[tokio::test]
async fn it_is_refused_where_none_is_allowed() {
    let edge = edge(gallery().await, Version::HTTP_11).await;
    let mut client = Client::connect(edge).await;
    let request = Request::upgrade("/multi", "echo/1.0").content("hello");
    client.ask(&request).await.head.is(400);
}

/// An upstream may decline after all that; the connection stays HTTP, as one whose content was read.
#[tokio::test]
async fn it_may_be_read_and_declined() {
    let (edge, upstream) = Upstream::behind(policy(1_000)).await;
    let mut client = Client::connect(edge).await;
    client.send(exec().content("hello").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.0.expect("hello").await;
    peer.answer("no").await;
    assert_eq!(client.response().await.content, "no");
    client.send(Request::get("/next").to_bytes()).await;
    assert_eq!(peer.asked().await.line, "GET /next HTTP/1.1");
    peer.answer("next").await;
    assert_eq!(client.response().await.content, "next");
}
