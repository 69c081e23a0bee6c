//! A client of the channels, by tokio-tungstenite.

use std::{net::SocketAddr, path::Path};

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{
        Message,
        client::IntoClientRequest,
        protocol::{
            Role,
            frame::{CloseFrame, coding::CloseCode},
        },
    },
};

use crate::{
    http2::{self, websocket},
    process::Server,
    wire::patiently,
};

pub(super) const V5: &str = "v5.channel.k8s.io";
pub(super) const V4: &str = "v4.channel.k8s.io";
pub(super) const STDIN: u8 = 0;
pub(super) const STDOUT: u8 = 1;
pub(super) const STDERR: u8 = 2;
pub(super) const STATUS: u8 = 3;
pub(super) const RESIZE: u8 = 4;
pub(super) const CLOSE: u8 = 255;

pub(super) fn path(query: &str) -> String {
    format!("/api/v1/namespaces/default/pods/demo/exec?{query}")
}

pub(super) fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// How a command is told of that ended well.
pub(super) fn success() -> Value {
    serde_json::json!({ "metadata": {}, "status": "Success" })
}

/// The example.
pub(super) struct Pod(Server);

impl Pod {
    pub(super) async fn start(args: &[&str]) -> Self {
        Self(Server::pod_exec(args).await)
    }

    pub(super) fn address(&self) -> SocketAddr {
        let base = self.0.http("");
        base.trim_start_matches("http://").parse().unwrap()
    }

    /// Opens a WebSocket with these subprotocols.
    pub(super) async fn exec(&self, path: &str, subprotocols: &str) -> Client {
        let mut request = self.0.ws(path).into_client_request().unwrap();
        let fields = request.headers_mut();
        fields.insert("sec-websocket-protocol", subprotocols.parse().unwrap());
        let io: Box<dyn Io> = Box::new(TcpStream::connect(self.address()).await.unwrap());
        let opened = patiently("the handshake", client_async(request, io)).await;
        let (socket, answer) = opened.unwrap();
        let selected = answer.headers()["sec-websocket-protocol"].to_str();
        let selected = selected.unwrap().to_owned();
        Client { socket, selected }
    }

    /// A connection that speaks HTTP/2 from its first byte.
    pub(super) async fn over_http2(&self) -> http2::Client {
        http2::Client::over(TcpStream::connect(self.address()).await.unwrap()).await
    }

    /// Opens a WebSocket with these subprotocols on a stream of HTTP/2.
    pub(super) async fn exec_over_http2(&self, path: &str, subprotocols: &str) -> Client {
        let connect = websocket(path).header("sec-websocket-protocol", subprotocols);
        let (answer, stream) = self.over_http2().await.open(connect).await;
        let selected = answer.headers()["sec-websocket-protocol"].to_str();
        let selected = selected.unwrap().to_owned();
        Client {
            selected,
            ..Self::on(stream).await
        }
    }

    /// Takes a stream that was opened.
    pub(super) async fn on(stream: http2::Stream) -> Client {
        let (io, selected): (Box<dyn Io>, _) = (Box::new(stream.0), String::new());
        let socket = WebSocketStream::from_raw_socket(io, Role::Client, None).await;
        Client { socket, selected }
    }
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// One exec.
pub(super) struct Client {
    socket: WebSocketStream<Box<dyn Io>>,
    pub(super) selected: String,
}

/// All that came, by channel.
pub(super) struct Heard {
    pub(super) out: String,
    pub(super) err: String,
    pub(super) status: Value,
    pub(super) closed: CloseCode,
}

impl Client {
    pub(super) async fn send(&mut self, bytes: &[u8]) {
        self.send_message(Message::binary(bytes.to_vec())).await;
    }

    pub(super) async fn send_text(&mut self, text: &str) {
        self.send_message(Message::text(text)).await;
    }

    pub(super) async fn send_message(&mut self, message: Message) {
        let sent = patiently("room to send", self.socket.send(message)).await;
        sent.unwrap();
    }

    /// Sends these bytes as they are, whatever frames they are.
    pub(super) async fn send_raw(&mut self, bytes: &[u8]) {
        let sent = self.socket.get_mut().write_all(bytes);
        patiently("room to send", sent).await.unwrap();
    }

    /// Reads what a command says first: its process.
    pub(super) async fn process(&mut self) -> String {
        assert_eq!(self.message().await, [STDOUT]);
        let process = String::from_utf8(self.message().await).unwrap();
        let process = process.trim_matches(['\x01', '\n']).to_owned();
        assert!(!is_gone(&process), "{process}");
        process
    }

    /// Closes, and waits until the server has answered.
    pub(super) async fn say_goodbye(&mut self) {
        let (code, reason) = (CloseCode::Normal, "".into());
        let frame = CloseFrame { code, reason };
        self.socket.close(Some(frame)).await.unwrap();
        let answered = async {
            while let Some(message) = self.socket.next().await {
                if message.unwrap().is_close() {
                    return;
                }
            }
            panic!("the connection ended without a close");
        };
        patiently("the answer to the close", answered).await;
    }

    async fn next(&mut self) -> Option<Message> {
        loop {
            let message = patiently("a message", self.socket.next()).await?.ok()?;
            if !message.is_ping() {
                return Some(message);
            }
        }
    }

    /// Reads a message on a channel.
    pub(super) async fn message(&mut self) -> Vec<u8> {
        match self.next().await {
            Some(Message::Binary(bytes)) => bytes.into(),
            other => panic!("{other:?}"),
        }
    }

    /// Reads the close, and answers it.
    pub(super) async fn close(&mut self) -> CloseCode {
        match self.next().await {
            Some(Message::Close(Some(frame))) => {
                assert!(self.next().await.is_none(), "nothing comes behind it");
                frame.code
            }
            other => panic!("{other:?}"),
        }
    }

    /// Reads the end, in whatever way it comes.
    pub(super) async fn expect_end(&mut self) {
        while let Some(message) = self.next().await {
            assert!(message.is_close(), "{message:?}");
        }
    }

    /// Reads all there is: output, the status behind it, the close.
    pub(super) async fn all(&mut self) -> Heard {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        loop {
            let message = self.message().await;
            match message.split_first().unwrap() {
                (&STDOUT, bytes) => out.extend(bytes),
                (&STDERR, bytes) => err.extend(bytes),
                (&STATUS, []) => {}
                (&STATUS, status) => {
                    return Heard {
                        out: String::from_utf8(out).unwrap(),
                        err: String::from_utf8(err).unwrap(),
                        status: json(status),
                        closed: self.close().await,
                    };
                }
                other => panic!("{other:?}"),
            }
        }
    }

    /// Sends these bytes as input, in chunks as `kubectl` does, and reads as many back.
    pub(super) async fn echoed(self, bytes: &[u8]) -> Vec<u8> {
        let (mut sink, mut stream) = self.socket.split();
        let send = async {
            for chunk in bytes.chunks(32 << 10) {
                let message = Message::binary([&[STDIN], chunk].concat());
                sink.send(message).await.unwrap();
            }
        };
        let read = async {
            let mut back = Vec::new();
            while back.len() < bytes.len() {
                match stream.next().await.unwrap().unwrap() {
                    Message::Binary(message) => {
                        assert_eq!(message[0], STDOUT);
                        back.extend(&message[1..]);
                    }
                    Message::Ping(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            back
        };
        let both = futures_util::future::join(send, read);
        patiently("all of it", both).await.1
    }
}

/// Whether a process has ended. Whose parent has ended too, its new one may be slow to wait for.
pub(super) fn is_gone(process: &str) -> bool {
    if Path::new("/proc/self").exists() {
        let told = std::fs::read_to_string(format!("/proc/{process}/stat"));
        return told.is_err() || told.is_ok_and(|told| told.contains(") Z "));
    }
    let alive = std::process::Command::new("sh")
        .args(["-c", &format!("kill -0 {process}")])
        .stderr(std::process::Stdio::null())
        .status();
    !alive.unwrap().success()
}

/// Looks again and again, until it is so.
pub(super) async fn until(is_so: impl Fn() -> bool) {
    let looking = async {
        while !is_so() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    patiently("what should become true", looking).await;
}
