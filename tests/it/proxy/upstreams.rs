//! Upstreams that are not there, that hang up, that never answer, or that speak something else.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use axum::{Router, routing::any};
use futures_util::future::join_all;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    time::{Duration, timeout},
};

use super::{get, nowhere, watched::Watched};
use crate::wire::{self, Request, patiently};

/// A server that answers with the content it was sent, and counts.
async fn echo() -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let answer = async move |content: String| {
        counted.fetch_add(1, Ordering::SeqCst);
        content
    };
    let app = Router::new().fallback(any(answer));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, count)
}

async fn post(proxy: &Watched) -> wire::Response {
    let mut client = wire::Client::connect(proxy.address).await;
    let request = Request::get("/").method("POST").content("all of it");
    client.ask(&request).await
}

#[tokio::test]
async fn content_goes_to_the_next_where_nobody_took_it() {
    let (alive, _) = echo().await;
    for version in [&[][..], &["--upstream-http2"]] {
        let dead = [nowhere().await, nowhere().await];
        let proxy = Watched::before(&[&dead[0], &dead[1], &alive], version).await;
        for _ in 0..6 {
            let answer = post(&proxy).await;
            answer.head.is(200);
            assert_eq!(answer.content, "all of it", "{version:?}");
        }
    }
}

#[tokio::test]
async fn content_that_was_read_is_never_sent_twice() {
    let (alive, count) = echo().await;
    let rude = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", rude.local_addr().unwrap());
    let proxy = Watched::before(&[&url, &alive], &[]).await;
    let hanging_up = async {
        let (mut io, _) = rude.accept().await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"all of it") {
            assert!(io.read_buf(&mut read).await.unwrap() > 0);
        }
    };
    let (answer, ()) = tokio::join!(post(&proxy), patiently("the content", hanging_up));
    answer.head.is(502);
    assert_eq!(count.load(Ordering::SeqCst), 0);
    // The other one is there all the same.
    post(&proxy).await.head.is(200);
}

#[tokio::test]
async fn who_is_left_out_and_who_is_back_is_told() {
    // Bound, and not listened on: nobody else gets the port either.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    let mut proxy = Watched::before(&[&url], &[]).await;
    for _ in 0..2 {
        assert_eq!(get(proxy.address).await, 502);
    }
    let told = proxy.complaint().await;
    assert!(told.starts_with(&format!("{url}/ is left out: ")), "{told}");
    for _ in 0..2 {
        // Told once, whatever becomes of the requests.
        let told = proxy.complaint().await;
        assert!(told.starts_with("502 upstream-unreachable: "), "{told}");
    }
    let listener = socket.listen(8).unwrap();
    tokio::spawn(async move { axum::serve(listener, Router::new()).await });
    for _ in 0..2 {
        assert_eq!(get(proxy.address).await, 404);
    }
    assert_eq!(proxy.complaint().await, format!("{url}/ is back"));
}

/// An address that lets nobody in, with what keeps it so.
async fn black_hole() -> (String, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    // Its queue is full when packets get lost.
    while let Ok(tcp) = timeout(Duration::from_secs(1), TcpStream::connect(address)).await {
        waiting.push(tcp.unwrap());
    }
    (format!("http://{address}"), listener, waiting)
}

#[tokio::test]
async fn one_that_never_answers_keeps_nobody_from_the_others() {
    let (hole, _listener, _waiting) = black_hole().await;
    let (alive, _) = echo().await;
    for version in [&["--upstream-http2"][..], &[]] {
        let proxy = Watched::before(&[&hole, &alive], version).await;
        // Each is answered by the other, at once or when the connection took too long.
        let asked = join_all((0..16).map(|_| get(proxy.address))).await;
        assert_eq!(asked, [200; 16], "{version:?}");
    }
}

#[tokio::test]
async fn an_upstream_without_http2_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut io, _)) = listener.accept().await {
            let _ = io.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            let _ = io.read_to_end(&mut Vec::new()).await;
        }
    });
    let mut proxy = Watched::before(&[&url], &["--upstream-http2"]).await;
    assert_eq!(get(proxy.address).await, 502);
    let told = proxy.complaint().await;
    let why = "the upstream probably speaks no HTTP/2: ";
    assert!(told.starts_with(&url) && told.contains(why), "{told}");
}
