//! Clients of HTTP/2: what becomes of their streams, and of the connection under them.

use std::net::{Shutdown, SocketAddr};

use bytes::Bytes;
use http::{Method, Request, StatusCode, Version};
use http_body_util::Empty;
use hyper::{
    client::conn::http2,
    ext::Protocol,
    upgrade::{self, Upgraded},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
};

use crate::http1::{AWAY, CLOSE, CLOSE_BACK, HELLO, HELLO_BACK, Raw};

type Stream = TokioIo<Upgraded>;

/// One connection of the `n`th kind, with one stream or two.
pub(crate) async fn visit(address: SocketAddr, n: usize) {
    if n % 16 < 2 {
        return before_any_stream(address, n).await;
    }
    let session = Session::connect(address).await;
    match n % 16 {
        2 => drop(session),
        3 => session.cut(),
        // RST_STREAM, once before the answer and once behind it.
        4 => session.gives_up("/ws").await,
        5 => drop(session.opened("/ws").await),
        6 => {
            let _stream = session.opened("/ws").await;
            session.cut();
        }
        7 => end(session.opened("/multi").await).await,
        8 => end(greeted(&session, "/get-only").await).await,
        9 => close(greeted(&session, "/either").await).await,
        10 => {
            let mut stream = session.opened("/ws").await;
            send(&mut stream, &HELLO[..8]).await;
            end(stream).await;
        }
        11 => {
            let (one, _two) = (
                greeted(&session, "/ws").await,
                greeted(&session, "/ws").await,
            );
            close(one).await;
            session.cut();
        }
        12 => drop((session.ask("/decline").await, session.ask("/limited").await)),
        13 => rest(session.opened("/first-byte").await).await,
        14 => rest(greeted(&session, "/idle").await).await,
        _ => rest(greeted(&session, "/deadline").await).await,
    }
}

/// The first bytes of a connection, and no more.
async fn before_any_stream(address: SocketAddr, n: usize) {
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let length = if n % 16 == 0 { 12 } else { preface.len() };
    Raw::sent(address, &preface[..length]).await.reset();
}

/// A connection.
pub(crate) struct Session {
    sender: http2::SendRequest<Empty<Bytes>>,
    /// The same connection below HTTP/2.
    tcp: std::net::TcpStream,
}

impl Session {
    /// Connects, and waits until the server allows an extended CONNECT.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).await.expect("somebody listens");
        let tcp = tcp.into_std().expect("it is a socket");
        let io = tcp.try_clone().and_then(TcpStream::from_std);
        let io = TokioIo::new(io.expect("it is a socket"));
        let (sender, connection) = http2::handshake(TokioExecutor::new(), io)
            .await
            .expect("a server of HTTP/2");
        while !connection.is_extended_connect_protocol_enabled() {
            yield_now().await;
        }
        tokio::spawn(async move { drop(connection.await) });
        Self { sender, tcp }
    }

    pub(crate) async fn opened(&self, path: &str) -> Stream {
        let answer = self.sender.clone().send_request(offer(path)).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        TokioIo::new(upgrade::on(answer).await.expect("a stream"))
    }

    async fn ask(&self, path: &str) -> StatusCode {
        let answer = self.sender.clone().send_request(offer(path)).await;
        answer.expect("an answer").status()
    }

    /// Sends an offer, and does not wait for the answer.
    async fn gives_up(self, path: &str) {
        let answer = self.sender.clone().send_request(offer(path));
        tokio::select! {
            biased;
            _ = answer => {}
            () = yield_now() => {}
        }
    }

    /// Ends the connection below all its streams.
    fn cut(self) {
        // The server may have been faster.
        let _ = self.tcp.shutdown(Shutdown::Both);
    }
}

fn offer(path: &str) -> Request<Empty<Bytes>> {
    Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri(format!("http://a{path}"))
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"))
        .body(Empty::new())
        .expect("it is a request")
}

async fn greeted(session: &Session, path: &str) -> Stream {
    let mut stream = session.opened(path).await;
    echo(&mut stream).await;
    stream
}

async fn send(stream: &mut Stream, bytes: &[u8]) {
    stream.write_all(bytes).await.expect("it is taken");
}

async fn expect(stream: &mut Stream, bytes: &[u8]) {
    let mut read = vec![0; bytes.len()];
    stream.read_exact(&mut read).await.expect("an answer");
    assert_eq!(read, bytes);
}

pub(crate) async fn echo(stream: &mut Stream) {
    send(stream, HELLO).await;
    expect(stream, HELLO_BACK).await;
}

async fn close(mut stream: Stream) {
    send(&mut stream, CLOSE).await;
    expect(&mut stream, CLOSE_BACK).await;
    rest(stream).await;
}

/// Reads the server's close 1001, and answers it.
pub(crate) async fn goes_away(stream: &mut Stream) {
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).await.expect("a close");
    assert_eq!((frame[0], &frame[2..]), (0x88, &AWAY[..]));
    send(stream, CLOSE).await;
}

async fn end(mut stream: Stream) {
    let _ = stream.shutdown().await;
    rest(stream).await;
}

async fn rest(mut stream: Stream) {
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest).await;
}
