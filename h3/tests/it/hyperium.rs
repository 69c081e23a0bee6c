//! By hyperium's `h3`, which reads and writes HTTP/3 on its own. Of protocols it knows two.

use std::{future::poll_fn, net::Ipv4Addr};

use bytes::{Buf, Bytes};
use http::{Method, Request, StatusCode};

use crate::{
    client::config,
    server::{Site, start},
    soon, until,
};

type Requests = h3::client::SendRequest<h3_quinn::OpenStreams, Bytes>;

async fn connect(server: &Site) -> (Requests, tokio::task::JoinHandle<()>, quinn::Endpoint) {
    let endpoint = quinn::Endpoint::client((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let connecting = endpoint.connect_with(config(server), server.address, "localhost");
    let connection = h3_quinn::Connection::new(connecting.unwrap().await.unwrap());
    let mut builder = h3::client::builder();
    builder.enable_extended_connect(true);
    let (mut driver, requests) = builder.build(connection).await.unwrap();
    let driver = tokio::spawn(async move {
        poll_fn(|cx| driver.poll_close(cx)).await;
    });
    (requests, driver, endpoint)
}

fn request(method: Method, path: &str) -> http::request::Builder {
    Request::builder()
        .method(method)
        .uri(format!("https://localhost{path}"))
}

#[tokio::test]
async fn it_gets_and_posts() {
    let server = start();
    let (mut requests, _driver, _endpoint) = connect(&server).await;
    let get = request(Method::GET, "/")
        .header("x-of-its-own", "\u{e4} value")
        .body(());
    let mut stream = soon(requests.send_request(get.unwrap())).await.unwrap();
    stream.finish().await.unwrap();
    let response = soon(stream.recv_response()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-length"], "6");
    let mut data = soon(stream.recv_data()).await.unwrap().unwrap();
    assert_eq!(data.copy_to_bytes(data.remaining()), "a page");

    let post = request(Method::POST, "/length").body(()).unwrap();
    let mut stream = soon(requests.send_request(post)).await.unwrap();
    for _ in 0..10 {
        stream
            .send_data(Bytes::from(vec![0; 30_000]))
            .await
            .unwrap();
    }
    stream.finish().await.unwrap();
    let response = soon(stream.recv_response()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let mut data = soon(stream.recv_data()).await.unwrap().unwrap();
    assert_eq!(data.copy_to_bytes(data.remaining()), "300000");
}

#[tokio::test]
async fn its_extended_connect_opens_a_tunnel() {
    let server = start();
    let (mut requests, _driver, _endpoint) = connect(&server).await;
    let connect = |path| {
        let offer = request(Method::CONNECT, path).extension(h3::ext::Protocol::CONNECT_UDP);
        offer.body(()).unwrap()
    };
    let mut refused = soon(requests.send_request(connect("/ws"))).await.unwrap();
    let response = soon(refused.recv_response()).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_IMPLEMENTED);

    let mut stream = soon(requests.send_request(connect("/h3"))).await.unwrap();
    let response = soon(stream.recv_response()).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    for word in ["one", "two", "three"] {
        stream.send_data(Bytes::from(word)).await.unwrap();
        let mut echo = soon(stream.recv_data()).await.unwrap().unwrap();
        assert_eq!(echo.copy_to_bytes(echo.remaining()), word);
    }
    stream.finish().await.unwrap();
    assert!(soon(stream.recv_data()).await.unwrap().is_none());
    until(|| server.limit.live() == 0).await;
}
