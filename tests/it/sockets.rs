//! WebSockets by tokio-tungstenite, over HTTP/1.1 and over a stream of HTTP/2.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use http::Response;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Error, Message,
        protocol::{Role, frame::coding::CloseCode},
    },
};

use crate::{
    http2::{Client, websocket},
    wire::patiently,
};

/// A client that opens WebSockets.
#[derive(Clone)]
pub(crate) enum Opener {
    /// On a connection of its own each.
    Http1(SocketAddr),
    /// On a stream each.
    Http2(Client),
}

impl Opener {
    pub(crate) async fn http2(address: SocketAddr) -> Self {
        let io = patiently("a connection", TcpStream::connect(address)).await;
        Self::Http2(Client::over(io.unwrap()).await)
    }

    /// One of either kind.
    pub(crate) async fn both(address: SocketAddr) -> [Self; 2] {
        [Self::Http1(address), Self::http2(address).await]
    }

    /// Opens a WebSocket, or returns the answer that refuses it.
    pub(crate) async fn try_open(&self, path: &str) -> Result<Socket, Response<()>> {
        match self {
            Self::Http1(address) => {
                let io = patiently("a connection", TcpStream::connect(address)).await;
                Socket::by_upgrade(io.unwrap(), path).await
            }
            Self::Http2(client) => match client.try_open(websocket(path)).await {
                Ok((_, stream)) => {
                    let io: Box<dyn Io> = Box::new(stream.0);
                    let socket = WebSocketStream::from_raw_socket(io, Role::Client, None);
                    Ok(Socket(socket.await))
                }
                Err(answer) => Err(answer.map(drop)),
            },
        }
    }

    /// Opens a WebSocket, and sees that somebody is there.
    pub(crate) async fn open(&self, path: &str) -> Socket {
        let opened = self.try_open(path).await;
        let mut socket = opened.unwrap_or_else(|answer| panic!("{path}: not opened: {answer:?}"));
        socket.echoes().await;
        socket
    }
}

pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The client's end of a WebSocket.
pub(crate) struct Socket(WebSocketStream<Box<dyn Io>>);

impl Socket {
    /// Opens a WebSocket by HTTP/1.1 on this connection.
    pub(crate) async fn by_upgrade(io: TcpStream, path: &str) -> Result<Self, Response<()>> {
        let url = format!("ws://{}{path}", io.peer_addr().unwrap());
        let io: Box<dyn Io> = Box::new(io);
        match patiently("the handshake", client_async(url, io)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(answer)) => Err(answer.map(drop)),
            Err(error) => panic!("{path}: {error}"),
        }
    }

    /// Sends a message, and reads it again.
    pub(crate) async fn echoes(&mut self) {
        let echoed = self.try_echo().await;
        echoed.unwrap_or_else(|end| panic!("no echo: {end:?}"));
    }

    /// The same where the connection may end instead: how it did.
    pub(crate) async fn try_echo(&mut self) -> Result<(), End> {
        let message = Message::text("hello");
        let sent = patiently("room to send", self.0.send(message.clone())).await;
        if sent.is_err() {
            return Err(End::Abrupt);
        }
        let received = self.receive().await?;
        assert_eq!(received, message);
        Ok(())
    }

    async fn receive(&mut self) -> Result<Message, End> {
        match patiently("a message or the end", self.0.next()).await {
            Some(Ok(Message::Close(frame))) => Err(End::Closed(frame.map(|frame| frame.code))),
            Some(Ok(message)) => Ok(message),
            Some(Err(_)) | None => Err(End::Abrupt),
        }
    }

    /// Reads the close that the server sends before it ends, without an answer to it as yet.
    pub(crate) async fn is_told(&mut self) {
        let end = self.receive().await.expect_err("the connection's end");
        assert_eq!(end, End::Closed(Some(CloseCode::Away)));
    }

    /// Answers a close that was read, and reads the connection's end.
    pub(crate) async fn answers(mut self) {
        assert!(patiently("the end", self.0.next()).await.is_none());
    }

    /// Reads the connection's end, before which no close comes.
    pub(crate) async fn is_cut_off(&mut self) {
        assert_eq!(self.receive().await, Err(End::Abrupt));
    }

    /// Closes, and reads the server's answer to that.
    pub(crate) async fn close(mut self) {
        patiently("room to send", self.0.close(None)).await.unwrap();
        assert_eq!(self.receive().await, Err(End::Closed(None)));
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With a close, and this code in it.
    Closed(Option<CloseCode>),
    /// Without one.
    Abrupt,
}
