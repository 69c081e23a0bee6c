//! A client that sends the bytes it is told to, and reads HTTP/1.1 to the byte.
//!
//! Whatever it waits for, it fails after [`PATIENCE`] and never hangs. It keeps real time, so not
//! for tests with a paused clock.

mod request;

use std::{net::SocketAddr, time::Duration};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

pub(crate) use self::request::{ACCEPT, KEY, Request};

/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for something, and fails the test if it does not come.
pub(crate) async fn patiently<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(PATIENCE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// One connection, over TCP or in memory.
pub(crate) struct Client {
    io: Box<dyn Io>,
    /// Read, but not asked for.
    ahead: Vec<u8>,
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl Client {
    /// Takes the client's end of a connection.
    pub(crate) fn over(io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (io, ahead) = (Box::new(io), Vec::new());
        Self { io, ahead }
    }

    /// Connects over TCP.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let io = patiently("a connection", TcpStream::connect(address)).await;
        let io = io.unwrap();
        io.set_nodelay(true).unwrap();
        Self::over(io)
    }

    /// Sends these bytes in one write.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let sent = patiently("room to send", self.io.write_all(bytes.as_ref())).await;
        sent.expect("the server still listens");
        self.io.flush().await.unwrap();
    }

    /// Sends as much of these bytes as the server takes, which may close at any time.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        let sent = patiently("room to send", self.io.write_all(bytes.as_ref())).await;
        sent.is_ok()
    }

    /// Sends each of these pieces by itself, and lets the server look at it.
    pub(crate) async fn send_pieces<P: AsRef<[u8]>>(
        &mut self,
        pieces: impl IntoIterator<Item = P>,
    ) {
        for piece in pieces {
            self.send(piece).await;
            tokio::task::yield_now().await;
        }
    }

    /// Sends every byte by itself.
    pub(crate) async fn send_bytewise(&mut self, bytes: impl AsRef<[u8]>) {
        self.send_pieces(bytes.as_ref().chunks(1)).await;
    }

    /// Ends the client's half of the connection.
    pub(crate) async fn finish(&mut self) {
        patiently("the end to be sent", self.io.shutdown())
            .await
            .unwrap();
    }

    /// The same where the server may have ended the connection before.
    pub(crate) async fn try_finish(&mut self) {
        let _ = patiently("the end to be sent", self.io.shutdown()).await;
    }

    /// Reads one response head, and not a byte more.
    pub(crate) async fn head(&mut self) -> Head {
        loop {
            let end = self.ahead.windows(4).position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let head: Vec<u8> = self.ahead.drain(..end + 4).collect();
                return Head::parse(&head);
            }
            let read = self.read_more("a response head").await;
            assert!(
                read > 0,
                "the connection ended within a head: {:?}",
                String::from_utf8_lossy(&self.ahead)
            );
        }
    }

    /// Reads one response with the content its `Content-Length` tells of.
    pub(crate) async fn response(&mut self) -> Response {
        let head = self.head().await;
        let length = head.only("content-length").map(|n| n.parse().unwrap());
        let content = self.read_exact(length.unwrap_or(0)).await;
        let content = String::from_utf8(content).unwrap();
        Response { head, content }
    }

    /// Sends a request and reads its response.
    pub(crate) async fn ask(&mut self, request: &Request) -> Response {
        self.send(request.to_bytes()).await;
        self.response().await
    }

    /// Sends a request and reads the response's head, which may be a 101.
    pub(crate) async fn offer(&mut self, request: &Request) -> Head {
        self.send(request.to_bytes()).await;
        self.head().await
    }

    /// Reads so many bytes.
    pub(crate) async fn read_exact(&mut self, length: usize) -> Vec<u8> {
        while self.ahead.len() < length {
            let read = self.read_more("more bytes").await;
            assert!(
                read > 0,
                "the connection ended after {} of {length} bytes",
                self.ahead.len()
            );
        }
        self.ahead.drain(..length).collect()
    }

    /// Reads these bytes.
    pub(crate) async fn expect(&mut self, bytes: impl AsRef<[u8]>) {
        let read = self.read_exact(bytes.as_ref().len()).await;
        assert!(
            read == bytes.as_ref(),
            "read {:?}, not {:?}",
            Shown(&read),
            Shown(bytes.as_ref())
        );
    }

    /// Reads until the server ends the connection, by a reset too.
    pub(crate) async fn read_to_end(&mut self) -> Vec<u8> {
        while self.read_more("the connection's end").await > 0 {}
        std::mem::take(&mut self.ahead)
    }

    /// Reads the connection's end, and nothing before it.
    pub(crate) async fn expect_end(&mut self) {
        let rest = self.read_to_end().await;
        assert!(rest.is_empty(), "read {:?}, not the end", Shown(&rest));
    }

    /// Looks, without waiting, whether anything came.
    pub(crate) fn has_nothing_to_read(&mut self) -> bool {
        let looked = self.io.read_buf(&mut self.ahead).now_or_never();
        looked.is_none() && self.ahead.is_empty()
    }

    /// A reset is an end; zero says so.
    async fn read_more(&mut self, what: &str) -> usize {
        let read = patiently(what, self.io.read_buf(&mut self.ahead)).await;
        read.unwrap_or(0)
    }
}

/// The head of a response.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) version: String,
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
}

impl Head {
    fn parse(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).unwrap();
        let mut lines = text.trim_end_matches("\r\n").split("\r\n");
        let mut start = lines.next().unwrap_or_default().splitn(3, ' ');
        let version = start.next().unwrap_or_default().to_owned();
        let status = start.next().unwrap_or_default().parse();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').expect("a field has a colon");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self {
            version,
            status: status.unwrap_or_else(|_| panic!("no status in {text:?}")),
            fields: lines.map(field).collect(),
        }
    }

    /// Returns all lines of a field, its name in lower case.
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.fields.iter().filter(|(n, _)| n == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the value of a field, which must not have a second line.
    #[track_caller]
    pub(crate) fn only(&self, name: &str) -> Option<&str> {
        let lines = self.lines(name);
        assert!(lines.len() < 2, "more than one {name}: {lines:?}");
        lines.first().copied()
    }

    /// Returns the names of all fields but `date`, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let names = self.fields.iter().map(|(name, _)| name.as_str());
        names.filter(|name| *name != "date").collect()
    }

    /// Checks the status.
    #[track_caller]
    pub(crate) fn is(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Checks that a field has exactly this one line.
    #[track_caller]
    pub(crate) fn has(&self, name: &str, value: &str) -> &Self {
        assert_eq!(self.lines(name), [value], "{name} in {self:?}");
        self
    }

    /// Checks that a field is not there.
    #[track_caller]
    pub(crate) fn lacks(&self, name: &str) -> &Self {
        assert!(self.lines(name).is_empty(), "{name} in {self:?}");
        self
    }
}

/// A response with its content.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) head: Head,
    pub(crate) content: String,
}

/// Bytes as a failed test shows them: the first few, as text.
struct Shown<'a>(&'a [u8]);

impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.0.get(..200).unwrap_or(self.0);
        write!(f, "{} bytes: {}", self.0.len(), first.escape_ascii())
    }
}
