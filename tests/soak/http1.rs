//! Clients of HTTP/1.1, byte by byte: what a visit does, and where it ends.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Text, a close, and their answers; a mask of zeros is one too (RFC 6455 5.3).
pub(crate) const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";
pub(crate) const HELLO_BACK: &[u8] = b"\x81\x05hello";
pub(crate) const CLOSE: &[u8] = b"\x88\x82\0\0\0\0\x03\xe8";
pub(crate) const CLOSE_BACK: &[u8] = b"\x88\x02\x03\xe8";
/// The begin of the close 1001.
pub(crate) const AWAY: [u8; 2] = 1001u16.to_be_bytes();

/// One connection of the `n`th kind: to every step of an upgrade's life, and then given up or ended.
pub(crate) async fn visit(address: SocketAddr, n: usize) {
    let (half_a_head, whole) = (&offer("/ws")[..60], offer("/ws"));
    match n % 22 {
        0 => drop(Raw::connect(address).await),
        1 => Raw::sent(address, half_a_head).await.hang_up(),
        2 => Raw::sent(address, half_a_head).await.reset(),
        3 => Raw::sent(address, &whole).await.hang_up(),
        4 => Raw::sent(address, &whole).await.reset(),
        5 => Raw::sent(address, &whole).await.end().await,
        6 => Raw::opened(address, "/ws").await.hang_up(),
        7 => Raw::opened(address, "/ws").await.reset(),
        8 => Raw::opened(address, "/multi").await.end().await,
        9 => Raw::spoken(address, "/ws", &HELLO[..4]).await.hang_up(),
        10 => Raw::spoken(address, "/ws", &HELLO[..8]).await.reset(),
        11 => Raw::greeted(address, "/get-only").await.end().await,
        12 => Raw::greeted(address, "/either").await.close().await,
        13 => Raw::spoken(address, "/ws", CLOSE).await.reset(),
        14 => {
            Raw::spoken(address, "/ws", &b"\x81\xfe\xff\xff\0\0\0\0".repeat(9))
                .await
                .end()
                .await
        }
        15 => drop(Raw::ask(address, "/decline").await),
        16 => drop(Raw::ask(address, "/limited").await),
        17 => drop(Raw::ask(address, "/limited-total").await),
        // What the clocks are for: a client that does nothing more.
        18 => Raw::opened(address, "/first-byte").await.rest().await,
        19 => Raw::greeted(address, "/idle").await.rest().await,
        20 => Raw::greeted(address, "/deadline").await.rest().await,
        _ => Raw::sent(address, EXEC).await.hang_up(),
    }
}

/// An offer whose content does not come to its end.
const EXEC: &[u8] =
    b"POST /exec HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo/1.0\r\n\
                      Content-Length: 100\r\n\r\nhalf";

fn offer(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// A connection.
pub(crate) struct Raw(TcpStream);

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.expect("somebody listens"))
    }

    pub(crate) async fn sent(address: SocketAddr, bytes: &[u8]) -> Self {
        let mut raw = Self::connect(address).await;
        raw.send(bytes).await;
        raw
    }

    /// Offers a WebSocket and returns the status of the answer.
    pub(crate) async fn ask(address: SocketAddr, path: &str) -> u16 {
        Self::sent(address, &offer(path)).await.status().await
    }

    pub(crate) async fn opened(address: SocketAddr, path: &str) -> Self {
        let mut raw = Self::sent(address, &offer(path)).await;
        assert_eq!(raw.status().await, 101, "{path}");
        raw
    }

    async fn spoken(address: SocketAddr, path: &str, bytes: &[u8]) -> Self {
        let mut raw = Self::opened(address, path).await;
        raw.send(bytes).await;
        raw
    }

    async fn greeted(address: SocketAddr, path: &str) -> Self {
        let mut raw = Self::opened(address, path).await;
        raw.echo().await;
        raw
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.expect("it is taken");
    }

    /// Reads a head to its end, and no further.
    async fn status(&mut self) -> u16 {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await.expect("a head"));
        }
        let head = String::from_utf8_lossy(&head);
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        status.unwrap_or_else(|| panic!("no status in {head:?}"))
    }

    async fn expect(&mut self, bytes: &[u8]) {
        let mut read = vec![0; bytes.len()];
        self.0.read_exact(&mut read).await.expect("an answer");
        assert_eq!(read, bytes);
    }

    pub(crate) async fn echo(&mut self) {
        self.send(HELLO).await;
        self.expect(HELLO_BACK).await;
    }

    /// Closes, and reads the answer and the end.
    async fn close(mut self) {
        self.send(CLOSE).await;
        self.expect(CLOSE_BACK).await;
        self.rest().await;
    }

    /// Reads the server's close 1001, and answers it.
    pub(crate) async fn goes_away(&mut self) {
        let mut frame = [0; 4];
        self.0.read_exact(&mut frame).await.expect("a close");
        assert_eq!((frame[0], &frame[2..]), (0x88, &AWAY[..]));
        self.send(CLOSE).await;
    }

    /// Ends the client's half, and reads the other.
    async fn end(mut self) {
        // The server may have reset it.
        let _ = self.0.shutdown().await;
        self.rest().await;
    }

    /// Reads until the server ends it.
    async fn rest(mut self) {
        let mut rest = Vec::new();
        let _ = self.0.read_to_end(&mut rest).await;
    }

    fn hang_up(self) {}

    pub(crate) fn reset(self) {
        self.0.set_zero_linger().expect("it is a socket");
    }
}
