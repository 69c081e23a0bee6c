//! Trailers go to the end of the way, where the versions can carry them.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Version};
use http_body::Frame;
use http_body_util::BodyExt;

use super::{Client, echoing};
use crate::{
    tunnel::{edge::edge, ends::PAIRS, upstream::Upstream},
    wire::{self, patiently},
};

/// Those of a request and those of its answer, over every pair of versions.
#[tokio::test]
async fn they_go_both_ways() {
    for (from, to) in PAIRS {
        let client = Client::new(edge(echoing().await, to).await, from);
        let request = Request::builder()
            .header("te", "trailers")
            .header("trailer", "x-sum");
        let (send, answer) = client.post(request);
        send.send(Frame::data(Bytes::from("content"))).unwrap();
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("42"));
        send.send(Frame::trailers(trailers.clone())).unwrap();
        drop(send);
        let answer = answer.await;
        assert_eq!(answer.headers()["trailer"], "x-sum");
        let collected = patiently("all of it", answer.into_body().collect()).await;
        let collected = collected.unwrap();
        assert_eq!(collected.trailers(), Some(&trailers), "{from:?} to {to:?}");
        assert_eq!(collected.to_bytes(), "content");
    }
}

/// As a gRPC call has it: over HTTP/2 nobody needs to say which will come.
#[tokio::test]
async fn over_http2_they_need_no_announcement() {
    let client = Client::new(
        edge(echoing().await, Version::HTTP_2).await,
        Version::HTTP_2,
    );
    let (send, answer) = client.post(Request::builder().header("te", "trailers"));
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    send.send(Frame::trailers(trailers.clone())).unwrap();
    drop(send);
    let answer = answer.await;
    let collected = patiently("all of it", answer.into_body().collect()).await;
    assert_eq!(collected.unwrap().trailers(), Some(&trailers));
}

/// As they are written over HTTP/1.1.
#[tokio::test]
async fn they_are_written_behind_the_last_chunk() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = wire::Client::connect(edge).await;
    let request = wire::Request::get("/")
        .set("TE", "trailers")
        .set("Connection", "TE");
    client.send(request.to_bytes()).await;
    let (mut peer, _) = upstream.asked().await;
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n")
        .await;
    peer.send("2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n").await;
    client.head().await.is(200).has("trailer", "x-sum");
    client.expect("2\r\nok\r\n0\r\nx-sum: 42\r\n\r\n").await;
}
