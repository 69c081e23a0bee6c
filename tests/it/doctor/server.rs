//! A server that answers every handshake as the RFCs have it, but for the lie it is told to tell.

use std::net::SocketAddr;

use futures_util::StreamExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    task::{AbortHandle, JoinSet},
};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::derive_accept_key, protocol::Role},
};

/// What is changed of an honest server.
#[derive(Clone, Copy)]
pub(crate) struct Lie {
    /// What it takes a request for.
    pub(crate) hears: fn(&str) -> String,
    /// What it makes of its answer.
    pub(crate) tells: fn(String) -> String,
    pub(crate) after: After,
}

/// What it does behind a 101.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    /// Speaks WebSocket.
    Frames,
    /// The same, without what came behind the head.
    FramesButTheFirst,
    Nothing,
    Leaves,
    /// Writes this.
    Bytes(&'static [u8]),
}

/// No lie at all.
pub(crate) const HONEST: Lie = Lie {
    hears: str::to_owned,
    tells: |answer| answer,
    after: After::Frames,
};

impl Lie {
    /// Answers all in this way.
    pub(crate) fn telling(tells: fn(String) -> String) -> Self {
        Self { tells, ..HONEST }
    }

    /// Takes all requests for another.
    pub(crate) fn hearing(hears: fn(&str) -> String) -> Self {
        Self { hears, ..HONEST }
    }

    /// Opens WebSockets, and does this then.
    pub(crate) fn then(after: After) -> Self {
        Self { after, ..HONEST }
    }
}

/// A server on 127.0.0.1. It ends when this goes.
pub(crate) struct Server {
    address: SocketAddr,
    serving: AbortHandle,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Server {
    pub(crate) async fn start(lie: Lie) -> Self {
        Self::serve(None, move |io| converse(io, lie)).await
    }

    pub(crate) async fn honest_over(tls: TlsAcceptor) -> Self {
        Self::serve(Some(tls), |io| converse(io, HONEST)).await
    }

    /// Whatever is asked, it sends this, again and again if it is `endless`.
    pub(crate) async fn saying(bytes: &'static [u8], is_endless: bool) -> Self {
        Self::serve(None, move |mut io| async move {
            while io.write_all(bytes).await.is_ok() && is_endless {}
            // Read, so that the end is no reset.
            let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
        })
        .await
    }

    async fn serve<F>(tls: Option<TlsAcceptor>, serve: impl Fn(Io) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                match tls.clone() {
                    None => drop(connections.spawn(serve(Box::new(tcp)))),
                    Some(tls) => {
                        if let Ok(io) = tls.accept(tcp).await {
                            drop(connections.spawn(serve(Box::new(io))));
                        }
                    }
                }
            }
        });
        Self {
            address,
            serving: serving.abort_handle(),
        }
    }

    /// Returns the address of a path on it, by `127.0.0.1`.
    pub(crate) fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}/ws", self.address)
    }

    /// The same by `localhost`.
    pub(crate) fn url_by_name(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}/ws", self.address.port())
    }
}

type Io = Box<dyn Stream>;

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

async fn converse(mut io: Io, lie: Lie) {
    let mut read = Vec::new();
    let end = loop {
        if let Some(at) = read.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if !matches!(io.read_buf(&mut read).await, Ok(1..)) {
            return;
        }
    };
    let rest = read.split_off(end);
    let request = String::from_utf8_lossy(&read).into_owned();
    let answer = (lie.tells)(answer(&(lie.hears)(&request)));
    if io.write_all(answer.as_bytes()).await.is_err() {
        return;
    }
    let is_switched = answer.contains(" 101 ");
    match lie.after {
        After::Frames if is_switched => frames(io, rest).await,
        After::FramesButTheFirst if is_switched => frames(io, Vec::new()).await,
        After::Leaves if is_switched => {}
        After::Bytes(bytes) if is_switched => {
            let _ = io.write_all(bytes).await;
            read_on(io).await;
        }
        _ => read_on(io).await,
    }
}

async fn frames(io: Io, rest: Vec<u8>) {
    let mut socket = WebSocketStream::from_partially_read(io, rest, Role::Server, None).await;
    // It answers pings and closes as it is read.
    while let Some(Ok(_)) = socket.next().await {}
}

/// Leaves the end to the client.
async fn read_on(mut io: Io) {
    let _ = tokio::io::copy(&mut io, &mut tokio::io::sink()).await;
}

/// Answers a request, in the order of RFC 6455 4.2.1. The subprotocol spoken is `v1`.
fn answer(request: &str) -> String {
    let lines: Vec<_> = request.split("\r\n").collect();
    let value = |name: &str| {
        let field = lines.iter().filter_map(|line| line.split_once(": "));
        let mut values =
            field.filter_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(value));
        values.next()
    };
    let offers = |line: &&&str| line.eq_ignore_ascii_case("connection: upgrade");
    if !request.starts_with("GET ") {
        return refusal("400 Bad Request", "");
    }
    if value("Upgrade").is_none() || !lines.iter().any(|line| offers(&line)) {
        return refusal("426 Upgrade Required", REQUIRED);
    }
    if value("Sec-WebSocket-Version") != Some("13") {
        let fields = format!("{REQUIRED}Sec-WebSocket-Version: 13\r\n");
        return refusal("426 Upgrade Required", &fields);
    }
    let key = value("Sec-WebSocket-Key").unwrap_or_default();
    if key.len() != 24 {
        return refusal("400 Bad Request", "");
    }
    if value("Origin").is_some_and(|origin| origin.contains("foreign")) {
        return refusal("403 Forbidden", "");
    }
    let accept = derive_accept_key(key.as_bytes());
    let subprotocols = value("Sec-WebSocket-Protocol").unwrap_or_default();
    let subprotocol = match subprotocols.split(", ").any(|name| name == "v1") {
        true => "Sec-WebSocket-Protocol: v1\r\n",
        false => "",
    };
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{subprotocol}\r\n"
    )
}

const REQUIRED: &str = "Upgrade: websocket\r\nConnection: upgrade\r\n";

fn refusal(status: &str, fields: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\n\r\n")
}
