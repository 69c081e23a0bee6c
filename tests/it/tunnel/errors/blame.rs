//! Who is at fault: the client, who chose the upstream, or the upstream.

use std::{convert::Infallible, time::Duration};

use http::{HeaderValue, Method, Uri, Version};
use tower::ServiceExt;
use tower_upgrade::{
    Policy,
    tunnel::{Forwarded, RequestBody},
};

use crate::{
    tunnel::{
        edge::{layer, protocol, serve, tunnel, tunnel_to},
        memory,
        upstream::Upstream,
    },
    wire::{Client, Request},
};

/// `Upstream`: "A URI has a scheme and an authority"; one that has neither is chosen wrongly, and the
/// upstream is not to blame.
#[tokio::test]
async fn a_relative_uri_is_no_upstream() {
    for uri in ["/relative", "*", "/"] {
        let tunnel = tunnel_to(Uri::from_static(uri), Version::HTTP_11);
        let mut client = Client::connect(serve(layer(), tunnel).await).await;
        let request = Request::get("/").set("Accept", "application/problem+json");
        let answer = client.ask(&request).await;
        assert!(answer.content.contains("no-upstream"), "{uri}: {answer:?}");
    }
}

/// A path that is too long together with the upstream's own must not become another path.
#[tokio::test]
async fn a_target_that_grows_too_long_is_not_another() {
    let upstream = Upstream::new().await;
    let below = Uri::try_from(format!("http://{}/api", upstream.address()));
    let tunnel = tunnel_to(below.unwrap(), Version::HTTP_11);
    let edge = serve(layer(), tunnel).await;
    let mut client = Client::connect(edge).await;
    let path = format!("/{}", "a".repeat(65_532));
    client.send(Request::get(&path).to_bytes()).await;
    tokio::select! {
        (_, asked) = upstream.asked() => {
            assert_eq!(asked.line.len(), "GET /api HTTP/1.1".len() + path.len(), "{}", asked.line);
        }
        answer = client.head() => assert!(answer.status >= 400, "{answer:?}"),
    }
}

/// `Tunnel::timeout`: "Content [..] take[s] as long as [it] take[s]": that of the request, too.
#[tokio::test]
async fn content_of_a_request_takes_as_long_as_it_takes() {
    let upstream = Upstream::new().await;
    let timeout = Duration::from_millis(300);
    let tunnel = tunnel(upstream.address(), Version::HTTP_11).timeout(timeout);
    let mut client = Client::connect(serve(layer(), tunnel).await).await;
    let post = Request::get("/").method("POST").set("Content-Length", "8");
    client.send(post.to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    for _ in 0..8 {
        tokio::time::sleep(timeout / 4).await;
        client.send("x").await;
        peer.0.expect("x").await;
    }
    peer.answer("done").await;
    client.head().await.is(200);
}

/// Rule 12: content over the limit is the client's fault, 413, and not the upstream's.
#[tokio::test]
async fn chunked_content_over_the_limit_is_413() {
    let echo = protocol("echo/1.0").methods([Method::POST]);
    let policy = Policy::offer(echo.content_limit(4));
    let (edge, _upstream) = Upstream::behind(policy).await;
    let mut client = Client::connect(edge).await;
    let request = Request::upgrade("/", "echo/1.0")
        .method("POST")
        .set("Transfer-Encoding", "chunked");
    client.send(request.to_bytes()).await;
    client.send("5\r\nhello\r\n0\r\n\r\n").await;
    client.head().await.is(413);
}

/// A client whose content is no HTTP, or stops, is at fault by itself.
#[tokio::test]
async fn a_client_answers_for_its_own_content() {
    let upstream = Upstream::new().await;
    let tunnel = tunnel(upstream.address(), Version::HTTP_11).timeout(Duration::from_millis(300));
    let edge = serve(layer(), tunnel).await;
    let post = Request::get("/")
        .method("POST")
        .set("transfer-encoding", "chunked")
        .set("accept", "application/problem+json");

    let mut client = Client::connect(edge).await;
    client.send(post.to_bytes()).await;
    client.send("3\r\nabc\r\nnonsense\r\n").await;
    let answer = client.response().await;
    answer.head.is(400);
    assert!(answer.content.contains("broken-content"), "{answer:?}");

    let mut client = Client::connect(edge).await;
    client.send(post.to_bytes()).await;
    client.send("3\r\nabc\r\n").await;
    let answer = client.response().await;
    answer.head.is(408);
    assert!(answer.content.contains("slow-content"), "{answer:?}");
}

/// A map of fields that takes no more panics; what is near that is refused before.
#[tokio::test]
async fn far_too_many_fields_are_refused() {
    let client = tower::service_fn(async |_: http::Request<RequestBody<String>>| {
        Ok::<_, Infallible>(http::Response::new(String::new()))
    });
    let send = async |fields: usize| {
        let mut request = http::Request::get("/").body(String::new()).unwrap();
        request
            .headers_mut()
            .insert("host", HeaderValue::from_static("a"));
        for _ in 1..fields {
            request
                .headers_mut()
                .append("x", HeaderValue::from_static("y"));
        }
        let forwarded = Forwarded::x_forwarded(|_| Some([1; 4].into()));
        let tunnel = memory::tunnel(client).forwarded(forwarded).via("x");
        tunnel.oneshot(request).await.unwrap().status()
    };
    assert_eq!(send(8192).await, 200);
    assert_eq!(send(8193).await, 431);
    assert_eq!(send(32_000).await, 431);
}
