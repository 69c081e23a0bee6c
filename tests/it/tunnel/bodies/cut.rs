//! Who is cut off hears so: half of a content is never taken for all of it.

use std::net::SocketAddr;

use http::{Request, Version};
use http_body::Frame;
use http_body_util::BodyExt;
use tokio::net::TcpStream;

use super::Client;
use crate::{
    tunnel::{
        edge::edge,
        upstream::{Peer, Upstream},
    },
    wire::{self, patiently},
};

/// A client's answer that an upstream begins like this and does not end.
async fn begun(edge: SocketAddr, upstream: &Upstream, framing: &str) -> (wire::Client, Peer) {
    let mut client = wire::Client::connect(edge).await;
    client.send(wire::Request::get("/").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.send(format!("HTTP/1.1 200 OK\r\n{framing}")).await;
    client.head().await.is(200);
    (client, peer)
}

/// Over HTTP/1.1 the connection ends with the content incomplete.
#[tokio::test]
async fn an_upstream_that_dies_within_its_answer() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let framing = "Content-Length: 10\r\n\r\nhello";
    let (mut client, peer) = begun(edge, &upstream, framing).await;
    client.expect("hello").await;
    drop(peer);
    client.expect_end().await;

    let framing = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let (mut client, peer) = begun(edge, &upstream, framing).await;
    client.expect("5\r\nhello\r\n").await;
    drop(peer);
    // No last chunk.
    client.expect_end().await;
}

/// Over HTTP/2 the stream is reset, and other streams go on.
#[tokio::test]
async fn the_same_to_a_client_of_http2() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let client = Client::new(edge, Version::HTTP_2);
    for framing in [
        "Content-Length: 10\r\n\r\nhello",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ] {
        let (send, answer) = client.post(Request::builder());
        drop(send);
        let answer = tokio::spawn(answer);
        let (mut peer, _) = upstream.asked().await;
        peer.send(format!("HTTP/1.1 200 OK\r\n{framing}")).await;
        let mut body = answer.await.unwrap().into_body();
        let frame = patiently("a frame", body.frame()).await.unwrap();
        assert_eq!(frame.unwrap().into_data().unwrap(), "hello");
        drop(peer);
        let error = patiently("the cut", body.frame()).await;
        assert!(error.is_some_and(|frame| frame.is_err()));
    }
}

/// And over HTTP/2 from the upstream.
#[tokio::test]
async fn an_upstream_of_http2_that_dies_within_its_answer() {
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let told = std::sync::Mutex::new(Some(told));
    let service = tower::service_fn(move |_: Request<hyper::body::Incoming>| {
        let mut told = told.lock().unwrap().take();
        let mut is_first = true;
        let frames = futures_util::stream::poll_fn(move |cx| {
            if std::mem::take(&mut is_first) {
                let frame = Frame::data(bytes::Bytes::from("hello"));
                return std::task::Poll::Ready(Some(Ok(frame)));
            }
            let told = std::pin::Pin::new(told.as_mut().unwrap());
            std::task::ready!(Future::poll(told, cx)).unwrap();
            std::task::Poll::Ready(Some(Err(std::io::Error::other("broken"))))
        });
        let answer = http::Response::new(http_body_util::StreamBody::new(frames));
        std::future::ready(Ok::<_, std::convert::Infallible>(answer))
    });
    let service = std::sync::Arc::new(tokio::sync::Mutex::new(service));
    let service = tower::service_fn(move |request| {
        let service = service.clone();
        async move { tower::Service::call(&mut *service.lock().await, request).await }
    });
    let upstream = crate::tunnel::edge::listen(service).await;
    let mut client = wire::Client::connect(edge(upstream, Version::HTTP_2).await).await;
    client.send(wire::Request::get("/").to_bytes()).await;
    client
        .head()
        .await
        .is(200)
        .has("transfer-encoding", "chunked");
    client.expect("5\r\nhello\r\n").await;
    tell.send(()).unwrap();
    client.expect_end().await;
}

/// A client that leaves within its content takes the upstream's connection with it.
#[tokio::test]
async fn a_client_that_leaves_within_its_content() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let length = wire::Request::get("/")
        .method("POST")
        .set("Content-Length", "10");
    let chunked = wire::Request::get("/")
        .method("POST")
        .set("Transfer-Encoding", "chunked");
    for (request, part) in [(length, "hello"), (chunked, "5\r\nhello\r\n")] {
        let mut client = wire::Client::connect(edge).await;
        client.send(request.to_bytes()).await;
        client.send(part).await;
        let (mut peer, _) = upstream.asked().await;
        peer.0.expect(part).await;
        drop(client);
        // Neither the rest nor a last chunk.
        peer.0.expect_end().await;
    }
}

/// One of HTTP/2 resets its stream, which is heard as far as the upstream.
#[tokio::test]
async fn a_client_of_http2_that_leaves_within_its_content() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let client = Client::new(edge, Version::HTTP_2);
    let (send, answer) = client.post(Request::builder());
    send.send(Frame::data("hello".into())).unwrap();
    let answer = tokio::spawn(answer);
    let (mut peer, _) = upstream.asked().await;
    peer.0.expect("5\r\nhello\r\n").await;
    answer.abort();
    drop(send);
    let rest = peer.0.read_to_end().await;
    assert!(
        rest.is_empty() || rest == b"0\r\n\r\n",
        "{}",
        rest.escape_ascii()
    );
}

/// One that leaves within the answer is not sent to for ever.
#[tokio::test]
async fn a_client_that_leaves_within_the_answer() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let framing = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let (mut client, mut peer) = begun(edge, &upstream, framing).await;
    client.expect("5\r\nhello\r\n").await;
    drop(client);
    patiently("the proxy to let go", async {
        while peer.0.try_send("5\r\nhello\r\n").await {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Others are served as ever.
    let mut client = wire::Client::over(TcpStream::connect(edge).await.unwrap());
    client.send(wire::Request::get("/").to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.answer("done").await;
    client.head().await.is(200);
}
