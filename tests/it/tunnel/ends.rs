//! The two ends of a tunnel, over every pair of versions.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
};
use tower::{Layer, service_fn};
use tower_upgrade::{OnUpgrade, UpgradeLayer, Upgraded};

use super::{
    edge::{layer, listen, serve, tunnel},
    upstream::{Upstream, switching},
};
use crate::{
    http2,
    sockets::Io,
    wire::{self, patiently},
};

/// The version of the client, and that of the upstream.
pub(crate) const PAIRS: [(Version, Version); 4] = [
    (Version::HTTP_11, Version::HTTP_11),
    (Version::HTTP_11, Version::HTTP_2),
    (Version::HTTP_2, Version::HTTP_11),
    (Version::HTTP_2, Version::HTTP_2),
];

/// The connections that an upstream accepted.
pub(crate) type Accepted = UnboundedReceiver<Upgraded>;

/// An upstream that accepts every offer, and gives the connections to the test.
pub(crate) async fn accepting() -> (SocketAddr, Accepted) {
    let (send, accepted) = unbounded_channel();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let send = send.clone();
        let response: Response<Full<Bytes>> = match OnUpgrade::take(&mut request) {
            Some(on_upgrade) => on_upgrade.accept(async move |io| drop(send.send(io))),
            None => Response::new("plain".into()),
        };
        std::future::ready(Ok::<_, Infallible>(response))
    });
    (listen(layer().layer(service)).await, accepted)
}

/// Two connections that a tunnel joined.
pub(crate) struct Joined {
    pub(crate) client: Box<dyn Io>,
    pub(crate) upstream: Upgraded,
}

/// Opens a tunnel of one's own behind this layer.
pub(crate) async fn join(layer: &UpgradeLayer, (from, to): (Version, Version)) -> Joined {
    let (upstream, mut accepted) = accepting().await;
    let edge = serve(layer.clone(), tunnel(upstream, to)).await;
    join_by(edge, from, &mut accepted).await
}

/// Opens one through a proxy that is there.
pub(crate) async fn join_by(edge: SocketAddr, from: Version, accepted: &mut Accepted) -> Joined {
    let client = open(edge, from).await;
    let upstream = patiently("the upstream's end", accepted.recv()).await;
    Joined {
        client,
        upstream: upstream.unwrap(),
    }
}

/// Offers `echo/1.0` and sees it accepted.
pub(crate) async fn open(edge: SocketAddr, version: Version) -> Box<dyn Io> {
    let io = patiently("a connection", TcpStream::connect(edge)).await;
    let mut io = io.unwrap();
    io.set_nodelay(true).unwrap();
    if version == Version::HTTP_2 {
        let client = http2::Client::over(io).await;
        let (_, stream) = client.open(http2::connect("echo/1.0", "/")).await;
        return Box::new(stream.0);
    }
    let offer = wire::Request::upgrade("/", "echo/1.0").to_bytes();
    io.write_all(&offer).await.unwrap();
    let head = read_head(&mut io).await;
    assert!(
        head.starts_with(b"HTTP/1.1 101 "),
        "{}",
        head.escape_ascii()
    );
    Box::new(io)
}

/// The two TCP connections of a tunnel over HTTP/1.1: the client's and the upstream's far ends.
pub(crate) async fn sockets(layer: UpgradeLayer) -> (TcpStream, TcpStream) {
    let upstream = Upstream::new().await;
    let tunnel = tunnel(upstream.address(), Version::HTTP_11);
    let edge = serve(layer, tunnel).await;
    let mut client = TcpStream::connect(edge).await.unwrap();
    let offer = wire::Request::upgrade("/", "echo/1.0").to_bytes();
    client.write_all(&offer).await.unwrap();
    let mut peer = upstream.accept_tcp().await;
    read_head(&mut peer).await;
    peer.write_all(switching("echo/1.0").as_bytes())
        .await
        .unwrap();
    read_head(&mut client).await;
    (client, peer)
}

/// Closes by a reset.
pub(crate) fn reset(tcp: TcpStream) {
    tcp.set_zero_linger().unwrap();
    drop(tcp);
}

/// Reads a head, and not a byte more.
pub(crate) async fn read_head(io: &mut TcpStream) -> Vec<u8> {
    let mut head = Vec::new();
    patiently("a head", async {
        while !head.ends_with(b"\r\n\r\n") {
            head.push(io.read_u8().await.unwrap());
        }
    })
    .await;
    head
}

/// Writes the first so many bytes that [`expect_bulk`] reads.
pub(crate) async fn send_bulk(io: &mut (impl AsyncWrite + Unpin), length: usize) {
    try_send_bulk(io, length).await.unwrap();
}

/// The same where the other side may close.
pub(crate) async fn try_send_bulk(
    io: &mut (impl AsyncWrite + Unpin),
    length: usize,
) -> std::io::Result<()> {
    let block = block();
    let mut left = length;
    while left > 0 {
        let part = &block[..left.min(block.len())];
        patiently("room for bulk", io.write_all(part)).await?;
        left -= part.len();
    }
    patiently("bulk to go out", io.flush()).await
}

/// Reads so many bytes, each of which must be the right one.
pub(crate) async fn expect_bulk(io: &mut (impl AsyncRead + Unpin), length: usize) {
    let block = block();
    let mut read = vec![0; block.len()];
    let mut left = length;
    while left > 0 {
        let part = &mut read[..left.min(block.len())];
        let at = length - left;
        let filled = patiently("bulk", io.read_exact(part)).await;
        filled
            .unwrap_or_else(|error| panic!("within {BLOCK} bytes from {at} of {length}: {error}"));
        assert!(
            *part == block[..part.len()],
            "within {BLOCK} bytes from {at}"
        );
        left -= part.len();
    }
}

/// Reads the end, and nothing before it.
pub(crate) async fn expect_end(io: &mut (impl AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    let ended = patiently("the end", io.read_to_end(&mut rest)).await;
    ended.unwrap();
    assert!(rest.is_empty(), "{} bytes before the end", rest.len());
}

/// Reads until there is no more, by the end or by an error, and returns how much there was.
pub(crate) async fn read_until_gone(io: &mut (impl AsyncRead + Unpin)) -> usize {
    let mut rest = Vec::new();
    let _ = patiently("the connection to go", io.read_to_end(&mut rest)).await;
    rest.len()
}

/// Reads exactly this.
pub(crate) async fn expect(io: &mut (impl AsyncRead + Unpin), text: &str) {
    let mut read = vec![0; text.len()];
    patiently("more bytes", io.read_exact(&mut read))
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&read), text);
}

/// Bytes without a pattern, so that none can be lost, doubled or moved unseen. Their number is a prime,
/// so that no buffer's size divides it.
pub(crate) fn block() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let bytes = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    });
    bytes.take(BLOCK).collect()
}

const BLOCK: usize = 65_521;
