//! A client of HTTP/2: ordinary requests and extended CONNECT, many on one connection.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, Version, request};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, client::conn::http2, ext::Protocol, upgrade};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    server::{self, Content, Served},
    wire::patiently,
};

/// The host of all requests here, as `:authority` has it.
pub(crate) const AUTHORITY: &str = "here.example";

/// An answer with its content.
pub(crate) type Answer = Response<String>;

/// The client's end of a connection.
#[derive(Clone)]
pub(crate) struct Client {
    sender: http2::SendRequest<Full<Bytes>>,
}

impl Client {
    /// Connects to this service, in memory.
    pub(crate) async fn of<S, B>(service: S) -> Self
    where
        S: Served<B>,
        B: Content,
    {
        Self::over(server::serve(service)).await
    }

    /// Connects to a gallery started for this test, over TCP.
    pub(crate) async fn of_gallery() -> Self {
        let address = server::gallery().await;
        let io = patiently("a connection", TcpStream::connect(address)).await;
        Self::over(io.unwrap()).await
    }

    /// Speaks HTTP/2 over this, and waits until the server allows an extended CONNECT.
    pub(crate) async fn over<I>(io: I) -> Self
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(io);
        let handshake = http2::handshake(TokioExecutor::new(), io);
        let (sender, connection) = patiently("a connection", handshake).await.unwrap();
        // Nothing tells when they are here, so the task that reads them is given its turns.
        patiently("the server's settings", async {
            while !connection.is_extended_connect_protocol_enabled() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        tokio::spawn(async move { drop(connection.await) });
        Self { sender }
    }

    /// Sends a request without content.
    pub(crate) async fn send(&self, request: request::Builder) -> Answer {
        read(self.start(request).await).await
    }

    /// Sends a CONNECT that must be answered 200, and returns that and the stream it opened.
    pub(crate) async fn open(&self, request: request::Builder) -> (Response<()>, Stream) {
        let opened = self.try_open(request).await;
        opened.unwrap_or_else(|answer| panic!("not opened: {answer:?}"))
    }

    /// Sends a CONNECT, and returns the stream it opened or the answer that refuses it.
    pub(crate) async fn try_open(
        &self,
        request: request::Builder,
    ) -> Result<(Response<()>, Stream), Answer> {
        let mut response = self.start(request).await;
        if response.status() != StatusCode::OK {
            return Err(read(response).await);
        }
        let io = patiently("the stream", upgrade::on(&mut response))
            .await
            .unwrap();
        Ok((response.map(drop), Stream(TokioIo::new(io))))
    }

    async fn start(&self, request: request::Builder) -> Response<Incoming> {
        let request = request.body(Full::default()).unwrap();
        let answer = patiently("an answer", self.sender.clone().send_request(request)).await;
        answer.unwrap()
    }
}

/// The client's end of a stream that a CONNECT opened.
#[derive(Debug)]
pub(crate) struct Stream(pub(crate) TokioIo<upgrade::Upgraded>);

impl Stream {
    pub(crate) async fn write(&mut self, text: &str) {
        let sent = patiently("room to send", self.0.write_all(text.as_bytes())).await;
        sent.unwrap();
    }

    /// Reads exactly this.
    pub(crate) async fn expect(&mut self, text: &str) {
        let mut read = vec![0; text.len()];
        patiently("more bytes", self.0.read_exact(&mut read))
            .await
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&read), text);
    }

    /// Ends the client's half.
    pub(crate) async fn end(&mut self) {
        patiently("the end to be sent", self.0.shutdown())
            .await
            .unwrap();
    }

    /// Reads until the server ended its half.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = String::new();
        patiently("the end", self.0.read_to_string(&mut rest))
            .await
            .unwrap();
        rest
    }
}

/// An ordinary request.
pub(crate) fn request(method: Method, path: &str) -> request::Builder {
    Request::builder()
        .method(method)
        .version(Version::HTTP_2)
        .uri(format!("http://{AUTHORITY}{path}"))
}

pub(crate) fn get(path: &str) -> request::Builder {
    request(Method::GET, path)
}

/// An extended CONNECT (RFC 8441 4).
pub(crate) fn connect(protocol: &'static str, path: &str) -> request::Builder {
    request(Method::CONNECT, path).extension(Protocol::from_static(protocol))
}

/// An extended CONNECT for a WebSocket as a browser sends it (RFC 8441 5).
pub(crate) fn websocket(path: &str) -> request::Builder {
    connect("websocket", path).header("sec-websocket-version", "13")
}

async fn read(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    let content = patiently("content", body.collect())
        .await
        .unwrap()
        .to_bytes();
    Response::from_parts(head, String::from_utf8_lossy(&content).into_owned())
}
