//! The I/O of an upgraded connection: its traits, and the way back to the I/O below it.

use std::io::IoSlice;

use http::Response;
use http_body_util::Empty;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};
use tower::{Layer, service_fn};
use tower_upgrade::{OnUpgrade, Policy, Protocol, UpgradeLayer, Upgraded};

use crate::{
    server::{AnyError, Served, serve_http1_on, serve_on, tcp_pair},
    wire::{Client, Request, patiently},
};

type Body = Empty<bytes::Bytes>;

fn offer() -> Vec<u8> {
    Request::upgrade("/", "echo/1.0").to_bytes()
}

/// A service that gives out the connections it gets.
fn service() -> (
    impl Served<tower_upgrade::ResponseBody<Body>>,
    UnboundedReceiver<Upgraded>,
) {
    let (send, receive) = unbounded_channel();
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        let send = send.clone();
        async move {
            let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
            let accepted: Response<Body> = on_upgrade.accept(|io| async move {
                drop(send.send(io));
            });
            Ok::<_, AnyError>(accepted)
        }
    });
    let policy = Policy::require(Protocol::new("echo/1.0").unwrap());
    (UpgradeLayer::new(policy).layer(service), receive)
}

/// Which of hyper's two servers a connection is served by.
#[derive(Clone, Copy, Debug)]
enum Server {
    Http1,
    Auto,
}

/// Switches a connection over this I/O, with these bytes right behind the offer.
async fn switch<I>(server: Server, client: I, io: I, behind: &str) -> (Client, Upgraded)
where
    I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (service, mut upgraded) = service();
    match server {
        Server::Http1 => serve_http1_on(io, service),
        Server::Auto => serve_on(io, service),
    }
    let mut client = Client::over(client);
    client.send([&offer(), behind.as_bytes()].concat()).await;
    client.head().await.is(101);
    let upgraded = patiently("the connection", upgraded.recv()).await;
    (client, upgraded.unwrap())
}

#[tokio::test]
async fn it_tells_what_was_agreed_on() {
    let (client, server) = duplex(1 << 10);
    let (_client, io) = switch(Server::Auto, client, server, "").await;
    assert_eq!(io.protocol(), &Protocol::new("echo/1.0").unwrap());
    assert_eq!(
        (io.subprotocol(), io.version()),
        (None, http::Version::HTTP_11)
    );
}

#[tokio::test]
async fn it_gives_back_the_tcp_stream_with_what_was_read_ahead() {
    // Measured on hyper: "`Upgraded::downcast` to the TCP stream fails under hyper-util's `auto` server, which
    // wraps it in its rewind type: try both."
    for server in [Server::Http1, Server::Auto] {
        for behind in ["", "behind"] {
            let (client, io) = tcp_pair().await;
            let address = io.local_addr().unwrap();
            let (mut client, io) = switch(server, client, io, behind).await;
            let mut parts = io.downcast::<TcpStream>().unwrap();
            assert_eq!(parts.io.local_addr().unwrap(), address);
            client.send("more").await;
            client.finish().await;
            // What was not read ahead is still in the socket; together it is all there is.
            let mut read = parts.read_buf.to_vec();
            patiently("the rest", parts.io.read_to_end(&mut read))
                .await
                .unwrap();
            assert_eq!(
                String::from_utf8(read).unwrap(),
                format!("{behind}more"),
                "{server:?}"
            );
            parts.io.write_all(b"answer").await.unwrap();
            client.expect("answer").await;
        }
    }
}

#[tokio::test]
async fn it_gives_back_io_in_memory_with_what_was_read_ahead() {
    // In memory, one write is one read: all that is behind the head was read ahead.
    for server in [Server::Http1, Server::Auto] {
        let (client, io) = duplex(1 << 10);
        let (mut client, io) = switch(server, client, io, "behind").await;
        let mut parts = io.downcast::<DuplexStream>().unwrap();
        assert_eq!(parts.read_buf, "behind", "{server:?}");
        parts.io.write_all(b"answer").await.unwrap();
        client.expect("answer").await;
    }
}

#[tokio::test]
async fn asked_for_another_type_it_stays_what_it_was() {
    // `downcast` "gives the connection back if it is of another type".
    for server in [Server::Http1, Server::Auto] {
        let (client, io) = duplex(1 << 10);
        let (mut client, io) = switch(server, client, io, "behind").await;
        let mut io = io.downcast::<TcpStream>().unwrap_err();
        assert_eq!(io.protocol().as_str(), "echo/1.0");
        let mut read = [0; 6];
        patiently("bytes", io.read_exact(&mut read)).await.unwrap();
        assert_eq!(&read, b"behind", "{server:?}");
        io.write_all(b"answer").await.unwrap();
        client.expect("answer").await;
    }
}

#[tokio::test]
async fn slices_are_written_at_once_where_the_io_can() {
    // A TCP stream takes several slices in one write; a duplex in memory does too.
    let (client, io) = tcp_pair().await;
    let (mut client, mut io) = switch(Server::Auto, client, io, "").await;
    assert!(io.is_write_vectored());
    let slices = [
        IoSlice::new(b"one "),
        IoSlice::new(b"two "),
        IoSlice::new(b"three"),
    ];
    let written = patiently("a write", io.write_vectored(&slices)).await;
    assert_eq!(written.unwrap(), 13);
    client.expect("one two three").await;
    assert!(hyper::rt::Write::is_write_vectored(&io));
}

#[tokio::test]
async fn hyper_can_speak_over_it() {
    // It has hyper's own I/O traits: here a client of HTTP/1.1, the other way round.
    let (client, io) = duplex(1 << 10);
    let (mut client, io) = switch(Server::Auto, client, io, "").await;
    let (mut send, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
    tokio::spawn(connection);
    let request = http::Request::get("/back").body(Body::new()).unwrap();
    let asked = send.send_request(request);
    let (response, ()) = tokio::join!(patiently("a response", asked), async {
        client.expect("GET /back HTTP/1.1\r\n\r\n").await;
        client.send("HTTP/1.1 204 No Content\r\nX: y\r\n\r\n").await;
    });
    assert_eq!(response.unwrap().headers()["x"], "y");
}

#[tokio::test]
async fn its_end_is_the_clients() {
    // "Dropping it closes the connection", and a shutdown ends one half of it.
    let (client, io) = tcp_pair().await;
    let (mut client, mut io) = switch(Server::Auto, client, io, "").await;
    io.write_all(b"last").await.unwrap();
    io.shutdown().await.unwrap();
    client.expect("last").await;
    client.expect_end().await;
    client.send("still read").await;
    client.finish().await;
    let mut read = String::new();
    patiently("the end", io.read_to_string(&mut read))
        .await
        .unwrap();
    assert_eq!(read, "still read");
}
