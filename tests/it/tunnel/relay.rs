//! Bytes between two joined connections: all of them, at the pace of who reads, until either end is gone.

mod bulk;
mod fair;
mod gone;
mod slow;

use http::{Request, Version};
use tokio::io::{
    AsyncRead, AsyncWrite, AsyncWriteExt, BufStream, ReadHalf, WriteHalf, duplex, split,
};
use tokio::task::JoinSet;
use tower::{Layer, service_fn};
use tower_upgrade::{Limit, Pending, tunnel::RequestBody};

use super::{
    edge::{layer, serve, tunnel},
    ends::{Joined, PAIRS, accepting, expect, expect_bulk, expect_end, join_by, send_bulk},
    memory,
};
use crate::{server::tcp_pair, wire::patiently};

/// Many tunnels at once through one proxy, each of its own length in either direction.
#[tokio::test]
async fn many_tunnels_keep_apart() {
    for (from, to) in PAIRS {
        // Over HTTP/2 all share a connection, on which they are streams, and a server allows so many.
        let shares = from == Version::HTTP_2 || to == Version::HTTP_2;
        let number = if shares { 60 } else { 200 };
        let (upstream, mut accepted) = accepting().await;
        let edge = serve(layer(), tunnel(upstream, to)).await;
        let mut tasks = JoinSet::new();
        let mut joined = Vec::new();
        for _ in 0..number {
            joined.push(join_by(edge, from, &mut accepted).await);
        }
        for (n, Joined { client, upstream }) in joined.into_iter().enumerate() {
            let (up, down) = ((n * 7_919) % 90_001, (n * 104_729) % 150_001);
            tasks.spawn(async move {
                tokio::join!(exchange(client, up, down), exchange(upstream, down, up));
            });
        }
        while let Some(done) = patiently("all tunnels to end", tasks.join_next()).await {
            done.unwrap();
        }
    }
}

/// Sends so much and ends, and reads so much and the end, both at once.
///
/// It gives the connection back, for the caller to keep until the other side has read all: hyper's client
/// closes a connection of HTTP/2 with its last stream, and the kernel may then take back what it had not sent.
async fn exchange<I>(io: I, sent: usize, read: usize) -> (ReadHalf<I>, WriteHalf<I>)
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let (mut reader, mut writer) = split(io);
    let send = async {
        send_bulk(&mut writer, sent).await;
        patiently("the end to go out", writer.shutdown())
            .await
            .unwrap();
    };
    let receive = async {
        expect_bulk(&mut reader, read).await;
        expect_end(&mut reader).await;
    };
    tokio::join!(send, receive);
    (reader, writer)
}

/// Between connections that are no sockets, as under TLS, and through little room.
#[tokio::test]
async fn any_connection_will_do() {
    for capacity in [1, 7, 100_000] {
        let (client, upstream) = memory::joined_by(&layer(), capacity).await;
        let (up, down) = if capacity == 1 {
            (3_000, 5_000)
        } else {
            (300_000, 500_000)
        };
        tokio::join!(exchange(client, up, down), exchange(upstream, down, up));
    }
}

/// One that keeps what is written until it is flushed, as TLS may: nothing waits for a next write.
#[tokio::test]
async fn what_was_written_is_flushed() {
    let (mut client, server) = duplex(1_000);
    let (mut upstream, near) = duplex(1_000);
    assert_eq!(
        join_ends(BufStream::new(server), BufStream::new(near)).await,
        101
    );
    for _ in 0..3 {
        client.write_all(b"ping").await.unwrap();
        expect(&mut upstream, "ping").await;
        upstream.write_all(b"pong").await.unwrap();
        expect(&mut client, "pong").await;
    }
    tokio::join!(
        exchange(client, 300_000, 500_000),
        exchange(upstream, 500_000, 300_000)
    );
}

/// A TCP client and an upstream that is no socket, and the other way round.
#[tokio::test]
async fn a_socket_and_something_else_will_do() {
    let (client, server) = tcp_pair().await;
    let (near, upstream) = tcp_pair().await;
    let (other, other_end) = duplex(1_000);
    let (another, another_end) = duplex(1_000);
    assert_eq!(join_ends(server, other).await, 101);
    tokio::join!(
        exchange(client, 2 << 20, 3 << 20),
        exchange(other_end, 3 << 20, 2 << 20)
    );
    assert_eq!(join_ends(another, near).await, 101);
    tokio::join!(
        exchange(another_end, 2 << 20, 3 << 20),
        exchange(upstream, 3 << 20, 2 << 20)
    );
}

async fn join_ends<C, U>(client: C, upstream: U) -> u16
where
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    U: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let upstream = Pending::ready(upstream);
    let service = service_fn(move |_: Request<RequestBody<memory::Body>>| {
        let accepted = memory::switching().extension(upstream.clone());
        std::future::ready(accepted.body(memory::Body::default()))
    });
    let request = memory::offer().extension(Pending::ready(client));
    let service = layer().layer(memory::tunnel(service));
    memory::send(service, request).await.status().as_u16()
}

/// Waits until all of a limit's permits are back.
async fn is_given_back(limit: &Limit) {
    patiently("the permits", async {
        while limit.live() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
