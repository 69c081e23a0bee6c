//! The same over HTTP/1.1 on TCP, with clients that reset their connection at any step.

use std::net::SocketAddr;

use http::Request;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::{JoinSet, yield_now},
};
use tower::{Layer, service_fn};

use super::{
    races::{ALL, Inside, Place, answer, yields},
    random::Random,
};
use crate::{
    server::serve_on,
    wire::{self, patiently},
};

/// A server whose service does what the request's target draws.
async fn serve(place: &Place) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let inside: Inside = place.inside.clone();
    let service = place
        .layer
        .layer(service_fn(move |request: Request<Incoming>| {
            let seed = request.uri().path().trim_start_matches('/').parse();
            let mut random = Random::new(seed.unwrap());
            answer(request, random.pick(&ALL), random, inside.clone())
        }));
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            serve_on(io, service.clone());
        }
    });
    address
}

/// One client, which leaves after any step, by an end or a reset.
async fn one(address: SocketAddr, mut random: Random) {
    let mut io = TcpStream::connect(address).await.unwrap();
    if random.below(0..2) == 0 {
        io.set_zero_linger().unwrap();
    }
    let offer = wire::Request::upgrade(&format!("/{}", random.next()), "echo/1.0").to_bytes();
    let steps = random.below(0..8);
    let (first, rest) = offer.split_at(usize::try_from(random.below(0..60)).unwrap());
    drop(io.write_all(first).await);
    if steps == 0 {
        return;
    }
    drop(io.write_all(rest).await);
    if steps == 1 {
        // Before the answer, or as it comes.
        return yields(random.below(0..20)).await;
    }
    let mut head = [0; 12];
    if io.read_exact(&mut head).await.is_err() || &head != b"HTTP/1.1 101" {
        return;
    }
    for _ in 2..steps {
        if io.write_all(b"ping").await.is_err() || io.read(&mut [0; 256]).await.unwrap_or(0) == 0 {
            return;
        }
        if random.below(0..6) == 0 {
            drop(io.shutdown().await);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn afterwards_nothing_is_left() {
    // "with declines, drops, panics and client resets at every step; afterwards the count is zero and
    // the next ten get in".
    for seed in 0..2 {
        let place = Place::new();
        let address = serve(&place).await;
        let mut random = Random::new(seed);
        let mut clients = JoinSet::new();
        for _ in 0..1000 {
            clients.spawn(one(address, Random::new(random.next())));
            if random.below(0..4) == 0 {
                yield_now().await;
            }
            while clients.len() > 40 {
                patiently("a client to leave", clients.join_next()).await;
            }
        }
        while patiently("a client to leave", clients.join_next())
            .await
            .is_some()
        {}
        place.is_empty(seed).await;
    }
}
