//! An upstream that says what it is told to, and shows to the byte what it was sent.

use std::net::SocketAddr;

use http::Version;
use tokio::net::{TcpListener, TcpStream};
use tower_upgrade::{Policies, UpgradeLayer};

use super::edge::{policy, serve, tunnel};
use crate::wire::{Client, patiently};

/// The listening side.
pub(crate) struct Upstream(TcpListener);

impl Upstream {
    pub(crate) async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// A proxy in front of one, which speaks HTTP/1.1 to it.
    pub(crate) async fn behind_edge() -> (SocketAddr, Self) {
        Self::behind(policy()).await
    }

    /// The same with a policy.
    pub(crate) async fn behind(policies: impl Into<Policies>) -> (SocketAddr, Self) {
        let upstream = Self::new().await;
        let tunnel = tunnel(upstream.address(), Version::HTTP_11);
        (serve(UpgradeLayer::new(policies), tunnel).await, upstream)
    }

    /// Takes the next connection that a proxy makes.
    pub(crate) async fn accept(&self) -> Peer {
        Peer(Client::over(self.accept_tcp().await))
    }

    pub(crate) async fn accept_tcp(&self) -> TcpStream {
        let accepted = patiently("a connection of the proxy", self.0.accept()).await;
        let (tcp, _) = accepted.unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp
    }

    /// Takes the next connection, and reads the head of the first request on it.
    pub(crate) async fn asked(&self) -> (Peer, Asked) {
        let mut peer = self.accept().await;
        let asked = peer.asked().await;
        (peer, asked)
    }
}

/// A proxy as its upstream sees it.
pub(crate) struct Peer(pub(crate) Client);

impl Peer {
    /// Reads one request head, and not a byte more.
    pub(crate) async fn asked(&mut self) -> Asked {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.0.read_exact(1).await);
        }
        Asked::parse(std::str::from_utf8(&head).unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.send(bytes).await;
    }

    /// Answers with this status and content, and keeps the connection.
    pub(crate) async fn answer(&mut self, content: &str) {
        let length = content.len();
        self.send(format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{content}"
        ))
        .await;
    }
}

/// A request as it reached an upstream.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// Method, target and version.
    pub(crate) line: String,
    fields: Vec<(String, String)>,
}

impl Asked {
    fn parse(head: &str) -> Self {
        let mut lines = head.trim_end_matches("\r\n").split("\r\n");
        let line = lines.next().unwrap().to_owned();
        let field = |line: &str| {
            let (name, value) = line.split_once(':').expect("a field has a colon");
            (name.to_ascii_lowercase(), value.trim().to_owned())
        };
        Self {
            line,
            fields: lines.map(field).collect(),
        }
    }

    /// Returns all lines of a field, its name in lower case.
    pub(crate) fn lines(&self, name: &str) -> Vec<&str> {
        let lines = self.fields.iter().filter(|(n, _)| n == name);
        lines.map(|(_, value)| value.as_str()).collect()
    }

    /// Returns the only line of a field.
    #[track_caller]
    pub(crate) fn only(&self, name: &str) -> &str {
        let lines = self.lines(name);
        assert_eq!(lines.len(), 1, "{name} in {self:?}");
        lines[0]
    }

    /// Returns the names of all fields, sorted.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.fields.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
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

/// The 101 that accepts a protocol.
pub(crate) fn switching(protocol: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: {protocol}\r\n\r\n"
    )
}

/// The same with these lines besides.
pub(crate) fn switching_with(protocol: &str, fields: &str) -> String {
    switching(protocol).replacen("\r\n", &format!("\r\n{fields}\r\n"), 1)
}
