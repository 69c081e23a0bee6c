//! RFC 9298: UDP in HTTP, by the example `connect_udp` as a process.

/// Its own tests run with these.
#[path = "../../examples/connect_udp/capsule.rs"]
mod capsule;

use std::net::SocketAddr;

use tokio::net::{TcpStream, UdpSocket};

use crate::{
    http2::{self, connect},
    process::Server,
    wire::{Client, Request, patiently},
};

/// The example, and a target that it relays to.
struct Relayed {
    server: Server,
    target: UdpSocket,
}

impl Relayed {
    async fn new() -> Self {
        let target = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let allowed = target.local_addr().unwrap().to_string();
        let server = Server::connect_udp(&["--allow", &allowed]).await;
        Self { server, target }
    }

    fn address(&self) -> SocketAddr {
        let base = self.server.http("");
        base.trim_start_matches("http://").parse().unwrap()
    }

    fn path(&self) -> String {
        let target = self.target.local_addr().unwrap();
        path(&target.ip().to_string(), &target.port().to_string())
    }

    async fn receives(&self, payload: &[u8]) -> SocketAddr {
        let mut buffer = vec![0; 65_535];
        let received = patiently("a datagram", self.target.recv_from(&mut buffer)).await;
        let (length, from) = received.unwrap();
        assert_eq!(&buffer[..length], payload);
        from
    }
}

fn path(host: &str, port: &str) -> String {
    format!("/.well-known/masque/udp/{host}/{port}/")
}

fn offer(path: &str) -> Request {
    Request::upgrade(path, "connect-udp").set("capsule-protocol", "?1")
}

/// A DATAGRAM capsule of context 0, written by hand.
fn datagram(payload: &[u8]) -> Vec<u8> {
    let length = payload.len() + 1;
    let mut capsule = vec![0];
    match u8::try_from(length) {
        Ok(length @ 0..64) => capsule.push(length),
        _ => capsule.extend((0x8000_0000 | u32::try_from(length).unwrap()).to_be_bytes()),
    }
    capsule.push(0);
    capsule.extend_from_slice(payload);
    capsule
}

/// 3.2 and 3.3: GET, 101, and `Capsule-Protocol: ?1`; datagrams go both ways, and end with the connection.
#[tokio::test]
async fn datagrams_go_both_ways_over_http1() {
    let relayed = Relayed::new().await;
    let mut client = Client::connect(relayed.address()).await;
    client
        .offer(&offer(&relayed.path()))
        .await
        .is(101)
        .has("upgrade", "connect-udp")
        .has("connection", "upgrade")
        .has("capsule-protocol", "?1");
    client.send(datagram(b"to")).await;
    let from = relayed.receives(b"to").await;
    relayed.target.send_to(b"fro", from).await.unwrap();
    client.expect([0, 4, 0, b'f', b'r', b'o']).await;
    client.finish().await;
    client.expect_end().await;
}

/// 3.4 and 3.5: an extended CONNECT, and a 200.
#[tokio::test]
async fn datagrams_go_both_ways_over_http2() {
    let relayed = Relayed::new().await;
    let tcp = patiently("a connection", TcpStream::connect(relayed.address())).await;
    let client = http2::Client::over(tcp.unwrap()).await;
    let (answer, mut stream) = client.open(connect("connect-udp", &relayed.path())).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["capsule-protocol"], "?1");
    stream.write("\0\u{3}\0to").await;
    let from = relayed.receives(b"to").await;
    relayed.target.send_to(b"fro", from).await.unwrap();
    stream.expect("\0\u{4}\0fro").await;
    stream.end().await;
    assert_eq!(stream.rest().await, "");
}

/// 5, and RFC 9297 3.2: other capsules and other contexts are passed over, empty datagrams and large ones are
/// not; a datagram that no UDP could carry ends the connection.
#[tokio::test]
async fn capsules_are_told_apart() {
    let relayed = Relayed::new().await;
    let mut client = Client::connect(relayed.address()).await;
    client.offer(&offer(&relayed.path())).await.is(101);
    let unknown = [0x40, 0x7f, 3, 9, 9, 9];
    let other_context = [0, 2, 2, 9];
    client
        .send(
            [
                &unknown[..],
                &other_context,
                &datagram(b"one"),
                &datagram(b""),
            ]
            .concat(),
        )
        .await;
    relayed.receives(b"one").await;
    let from = relayed.receives(b"").await;
    let large = vec![7; 60_000];
    client.send_pieces(datagram(&large).chunks(10_000)).await;
    relayed.receives(&large).await;
    relayed.target.send_to(&large, from).await.unwrap();
    let mut expected = vec![0, 0x80, 0, 0xea, 0x61, 0];
    expected.extend_from_slice(&large);
    client.expect(expected).await;
    client.send([0, 0x80, 1, 0, 9]).await;
    client.expect_end().await;
}

/// 3.1: "4xx" for what is no target, and for one that is not relayed to; nothing is switched.
#[tokio::test]
async fn targets_are_checked() {
    let relayed = Relayed::new().await;
    let port = relayed.target.local_addr().unwrap().port().to_string();
    let mut client = Client::connect(relayed.address()).await;
    for (host, port, status) in [
        ("127.0.0.1", "0", 400),
        ("127.0.0.1", "65536", 400),
        ("127.0.0.1", "x", 400),
        ("localhost", &port, 400),
        ("127.0.0.2", &port, 403),
        ("2001%3adb8%3a%3a1", "53", 403),
    ] {
        let refused = client.ask(&offer(&path(host, port))).await;
        assert_eq!(refused.head.status, status, "{host} {port}");
    }
    let post = offer(&relayed.path()).method("POST");
    client.ask(&post).await.head.is(405).has("allow", "GET");
    let plain = client.ask(&Request::get(&relayed.path())).await;
    plain.head.is(426).has("upgrade", "connect-udp");
    client.offer(&offer(&relayed.path())).await.is(101);
}

/// A client has so many and no more, and gets room back with the first that ends.
#[tokio::test]
async fn a_client_has_its_limit() {
    let relayed = Relayed::new().await;
    let mut open = Vec::new();
    for _ in 0..16 {
        let mut client = Client::connect(relayed.address()).await;
        client.offer(&offer(&relayed.path())).await.is(101);
        open.push(client);
    }
    let mut client = Client::connect(relayed.address()).await;
    client.ask(&offer(&relayed.path())).await.head.is(429);
    let mut first = open.remove(0);
    first.finish().await;
    first.expect_end().await;
    patiently("room", async {
        loop {
            let mut client = Client::connect(relayed.address()).await;
            client.send(offer(&relayed.path()).to_bytes()).await;
            if client.head().await.status == 101 {
                break;
            }
        }
    })
    .await;
}
