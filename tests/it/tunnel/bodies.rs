//! Content goes both ways as it comes.

mod cut;
mod offers;
mod trailers;

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures_util::stream::poll_fn;
use http::{Request, Response, Version};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tower::service_fn;

use super::{
    edge::{edge, listen, uri},
    ends::{PAIRS, block},
    upstream::Upstream,
};
use crate::wire::{self, patiently};

/// A client of one version that sends what a test tells it to, when it does.
struct Client {
    client: legacy::Client<HttpConnector, UnsyncBoxBody<Bytes, Infallible>>,
    address: SocketAddr,
}

type Sender = UnboundedSender<Frame<Bytes>>;

impl Client {
    fn new(address: SocketAddr, version: Version) -> Self {
        let mut client = legacy::Client::builder(TokioExecutor::new());
        client.http2_only(version == Version::HTTP_2);
        Self {
            client: client.build_http(),
            address,
        }
    }

    /// Starts a POST, and returns what its content is sent by.
    fn post(
        &self,
        request: http::request::Builder,
    ) -> (Sender, impl Future<Output = Response<Incoming>> + use<>) {
        let (send, mut frames) = unbounded_channel();
        let frames = poll_fn(move |cx| frames.poll_recv(cx).map(|frame| frame.map(Ok)));
        let body = StreamBody::new(frames).boxed_unsync();
        let target = uri(self.address);
        let request = request.method("POST").uri(target).body(body).unwrap();
        let answer = self.client.request(request);
        (send, async move {
            patiently("an answer", answer).await.unwrap()
        })
    }
}

/// An upstream that gives every byte back as it comes, and trailers at the end.
async fn echoing() -> SocketAddr {
    let service = service_fn(|request: Request<Incoming>| {
        let mut answer = Response::builder();
        if let Some(trailer) = request.headers().get("trailer") {
            answer = answer.header("trailer", trailer);
        }
        std::future::ready(answer.body(request.into_body()))
    });
    listen(service).await
}

async fn data(body: &mut Incoming) -> Bytes {
    let frame = patiently("a frame", body.frame()).await.unwrap();
    frame.unwrap().into_data().unwrap()
}

/// Each chunk has been to the upstream and back before the next is sent.
#[tokio::test]
async fn chunks_are_streamed_both_ways() {
    for (from, to) in PAIRS {
        let client = Client::new(edge(echoing().await, to).await, from);
        let (send, answer) = client.post(Request::builder());
        send.send(Frame::data("first".into())).unwrap();
        let mut body = answer.await.into_body();
        assert_eq!(data(&mut body).await, "first");
        for chunk in ["second", "third"] {
            send.send(Frame::data(chunk.into())).unwrap();
            assert_eq!(data(&mut body).await, chunk);
        }
        drop(send);
        let rest = patiently("the end", body.collect()).await.unwrap();
        assert!(rest.to_bytes().is_empty());
    }
}

/// Ten megabytes in, the same ten out, while neither fits into what is on the way.
#[tokio::test]
async fn much_content_is_whole() {
    const LENGTH: usize = 10 << 20;
    for (from, to) in PAIRS {
        let client = Client::new(edge(echoing().await, to).await, from);
        let (send, answer) = client.post(Request::builder());
        let sent: Bytes = block().into_iter().cycle().take(LENGTH).collect();
        for at in (0..LENGTH).step_by(100_000) {
            let part = sent.slice(at..LENGTH.min(at + 100_000));
            send.send(Frame::data(part)).unwrap();
        }
        drop(send);
        let body = answer.await.into_body();
        let read = patiently("all of it", body.collect()).await.unwrap();
        assert!(read.to_bytes() == sent, "{from:?} to {to:?}");
    }
}

/// A length that is known is told, and one that is not is not made up.
#[tokio::test]
async fn a_length_stays_known() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = wire::Client::connect(edge).await;
    let post = wire::Request::get("/").method("POST").content("hello");
    client.send(post.to_bytes()).await;
    let (mut peer, asked) = upstream.asked().await;
    asked.has("content-length", "5").lacks("transfer-encoding");
    peer.0.expect("hello").await;
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        .await;
    let answer = client.response().await;
    answer
        .head
        .has("content-length", "2")
        .lacks("transfer-encoding");
    assert_eq!(answer.content, "ok");

    let post = post
        .without("Content-Length")
        .set("Transfer-Encoding", "chunked");
    let head = post.to_bytes();
    client.send(&head[..head.len() - "hello".len()]).await;
    let asked = peer.asked().await;
    asked
        .has("transfer-encoding", "chunked")
        .lacks("content-length");
    client.send("5\r\nhello\r\n0\r\n\r\n").await;
    peer.0.expect("5\r\nhello\r\n0\r\n\r\n").await;
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
        .await;
    client.head().await.has("transfer-encoding", "chunked");
    client.expect("2\r\nok\r\n0\r\n\r\n").await;
}

/// Two lengths or two framings are an attack on whoever is behind: nothing is forwarded.
#[tokio::test]
async fn a_request_cannot_be_smuggled() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let post = || wire::Request::get("/").method("POST");
    for request in [
        post().add("Content-Length", "5").add("Content-Length", "6"),
        post().add("Transfer-Encoding", "chunked, identity"),
        post().add("Transfer-Encoding", "xchunked"),
        post().add("Content-Length", "+5"),
    ] {
        let mut client = wire::Client::connect(edge).await;
        client.send(request.to_bytes()).await;
        client.head().await.is(400);
    }
    // Of both, the chunks count, and the length goes.
    let both = post()
        .add("Content-Length", "3")
        .add("Transfer-Encoding", "chunked");
    let mut client = wire::Client::connect(edge).await;
    client.send(both.to_bytes()).await;
    client.send("5\r\nhello\r\n0\r\n\r\n").await;
    let (mut peer, asked) = upstream.asked().await;
    asked
        .has("transfer-encoding", "chunked")
        .lacks("content-length");
    peer.0.expect("5\r\nhello\r\n0\r\n\r\n").await;
}

/// What has no content by its kind has none here, and the connection goes on.
#[tokio::test]
async fn head_204_and_304_have_none() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = wire::Client::connect(edge).await;
    client
        .send(wire::Request::get("/").method("HEAD").to_bytes())
        .await;
    let (mut peer, asked) = upstream.asked().await;
    assert_eq!(asked.line, "HEAD / HTTP/1.1");
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        .await;
    client.head().await.is(200).has("content-length", "1000");
    for status in ["204 No Content", "304 Not Modified"] {
        client.send(wire::Request::get("/").to_bytes()).await;
        peer.asked().await;
        peer.send(format!("HTTP/1.1 {status}\r\nETag: \"a\"\r\n\r\n"))
            .await;
        let head = client.head().await;
        head.has("etag", "\"a\"").lacks("content-length");
        head.lacks("transfer-encoding");
    }
    client.send(wire::Request::get("/next").to_bytes()).await;
    assert_eq!(peer.asked().await.line, "GET /next HTTP/1.1");
    peer.answer("next").await;
    assert_eq!(client.response().await.content, "next");
}

/// 100 comes from the proxy once the upstream wants the content, and the expectation is passed on.
#[tokio::test]
async fn an_expectation_is_met() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = wire::Client::connect(edge).await;
    let post = wire::Request::get("/")
        .method("POST")
        .set("Expect", "100-continue")
        .set("Content-Length", "5");
    client.send(post.to_bytes()).await;
    let (mut peer, asked) = upstream.asked().await;
    asked.has("expect", "100-continue");
    client.head().await.is(100);
    client.send("hello").await;
    peer.send("HTTP/1.1 100 Continue\r\n\r\n").await;
    peer.0.expect("hello").await;
    peer.answer("done").await;
    assert_eq!(client.response().await.content, "done");
}

/// An upstream may answer before it has read what it does not want.
#[tokio::test]
async fn an_answer_may_come_before_the_contents_end() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = wire::Client::connect(edge).await;
    let post = wire::Request::get("/")
        .method("POST")
        .set("Content-Length", "100000");
    client.send(post.to_bytes()).await;
    client.send("some").await;
    let (mut peer, _) = upstream.asked().await;
    peer.send(
        "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!",
    )
    .await;
    let answer = client.response().await;
    answer.head.is(413);
    assert_eq!(answer.content, "no!");
}
