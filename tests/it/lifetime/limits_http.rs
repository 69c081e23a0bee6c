//! Limits over HTTP: what a client reads, and by which addresses they count.

use std::net::SocketAddr;

use axum::{Router, extract::ConnectInfo, response::Response, routing::any};
use hyper::body::Incoming;
use tokio::{
    io::AsyncReadExt,
    net::{TcpListener, TcpSocket},
    task::yield_now,
};
use tower::{Layer, util::MapRequestLayer};
use tower_upgrade::{
    Head, Limit, OnUpgrade, PeerAddress, Policy, UpgradeLayer,
    axum::client_ip,
    lifetime::{forwarded_for, peer_ip},
};

use super::offers::{layer, protocol};
use crate::{
    echo::{Echo, PLAIN},
    http2::{self, connect},
    server::serve,
    wire::{Client, Request, patiently},
};

fn offer() -> Request {
    Request::upgrade("/", "echo/1.0")
}

/// Waits until a limit has this many connections; the server hears of an end in its own time.
async fn comes_to(limit: &Limit, live: usize) {
    patiently("a permit to return", async {
        while limit.live() != live {
            yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn over_http1_a_refused_client_may_stay_and_come_back() {
    // A refusal is an answer like any other: the connection goes on, and later the offer is let through.
    let (limit, echo) = (Limit::total(1), Echo::default());
    let policy = Policy::offer(protocol());
    let layer = UpgradeLayer::new(policy).limit(limit.clone());
    let service = || layer.layer(echo.clone());
    let mut first = Client::over(serve(service()));
    first.offer(&offer()).await.is(101);
    let mut second = Client::over(serve(service()));
    for _ in 0..3 {
        let response = second.ask(&offer()).await;
        response.head.is(503).has("retry-after", "10");
        response.head.lacks("connection").lacks("upgrade");
        assert_eq!(echo.calls(), 1);
    }
    drop(first);
    comes_to(&limit, 0).await;
    assert_eq!(second.ask(&Request::get("/")).await.content, PLAIN);
    second.offer(&offer()).await.is(101);
    second.send("ping").await;
    second.expect("ping").await;
    second.finish().await;
    second.expect_end().await;
    comes_to(&limit, 0).await;
}

#[tokio::test]
async fn over_http2_streams_are_what_is_counted() {
    // Several upgraded streams share a connection, each with a permit of its own.
    let limit = Limit::per_key(2, |_| ());
    let layer = layer().limit(limit.clone());
    let client = http2::Client::of(layer.layer(Echo::default())).await;
    let (_, mut first) = client.open(connect("echo/1.0", "/")).await;
    let (_, _second) = client.open(connect("echo/1.0", "/")).await;
    let answer = client.send(connect("echo/1.0", "/")).await;
    assert_eq!(answer.status(), 429);
    assert_eq!(answer.headers()["retry-after"], "10");
    // The twin: one of them ends.
    first.end().await;
    first.rest().await;
    comes_to(&limit, 1).await;
    let (_, mut third) = client.open(connect("echo/1.0", "/")).await;
    third.write("ping").await;
    third.expect("ping").await;
    // A reset returns it too.
    drop(third);
    comes_to(&limit, 1).await;
}

#[tokio::test]
async fn behind_a_proxy_clients_count_by_what_it_says() {
    // `forwarded_for(1)`: the last member, however a client tries to look like another.
    let limit = Limit::per_key(1, forwarded_for(1));
    let layer = layer().limit(limit.clone());
    let mut live = Vec::new();
    for (forwarded, status) in [
        (&["192.0.2.1"][..], 101),
        (&["192.0.2.1"], 429),
        (&["192.0.2.9, 192.0.2.1"], 429),
        (&["192.0.2.9", "192.0.2.1:4711"], 429),
        (&["192.0.2.1, 192.0.2.2"], 101),
        (&["[2001:db8::1]:80"], 101),
        (&["2001:db8::1"], 429),
        // Those whose address is not known share one count.
        (&[], 101),
        (&["unknown"], 429),
    ] {
        let mut client = Client::over(serve(layer.layer(Echo::default())));
        let add = |request: Request, line: &&str| request.add("X-Forwarded-For", line);
        let request = forwarded.iter().fold(offer(), add);
        client.offer(&request).await.is(status);
        live.push(client);
    }
    assert_eq!(limit.live(), 4);
    drop(live);
    comes_to(&limit, 0).await;
}

#[tokio::test]
async fn by_a_server_of_ones_own_clients_count_by_the_address_it_leaves() {
    // `PeerAddress`, which both keys find; without it all share one count. Another port is the same client.
    for key in [peer_ip, client_ip] {
        let limit = Limit::per_key(1, key);
        let layer = layer().limit(limit.clone());
        let mut live = Vec::new();
        for (address, status) in [
            (Some("192.0.2.1:1"), 101),
            (Some("192.0.2.1:2"), 429),
            (Some("192.0.2.2:1"), 101),
            (Some("[2001:db8::1]:1"), 101),
            (None, 101),
            (None, 429),
        ] {
            let leave = move |mut request: http::Request<Incoming>| {
                let address = address.map(|address| PeerAddress(address.parse().unwrap()));
                if let Some(address) = address {
                    request.extensions_mut().insert(address);
                }
                request
            };
            let service = MapRequestLayer::new(leave).layer(layer.layer(Echo::default()));
            let mut client = Client::over(serve(service));
            client.offer(&offer()).await.is(status);
            live.push(client);
        }
        assert_eq!(limit.live(), 4);
    }
}

#[test]
fn where_axum_knows_the_address_that_one_counts() {
    // An app that axum serves behind a layer of somebody else's, which left an address too.
    let mut request = http::Request::new(());
    let [axums, others] = [1, 2].map(|n| SocketAddr::from(([192, 0, 2, n], 80)));
    request.extensions_mut().insert(PeerAddress(others));
    assert_eq!(client_ip(&Head::from(&request)), Some(others.ip()));
    request.extensions_mut().insert(ConnectInfo(axums));
    assert_eq!(client_ip(&Head::from(&request)), Some(axums.ip()));
    assert_eq!(peer_ip(&Head::from(&request)), Some(others.ip()));
}

async fn wait(upgrade: OnUpgrade) -> Response {
    upgrade.accept(|mut io| async move {
        let _ = io.read(&mut [0]).await;
    })
}

/// Connects from this address of the loopback.
async fn from(host: [u8; 4], server: SocketAddr) -> Client {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((host, 0).into()).unwrap();
    Client::over(
        patiently("a connection", socket.connect(server))
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn with_axum_clients_count_by_where_they_come_from() {
    // `client_ip`, by `into_make_service_with_connect_info`; without it all share one count.
    for is_known in [true, false] {
        let limit = Limit::per_key(1, client_ip);
        let app = Router::new()
            .route("/", any(wait))
            .layer(layer().limit(limit.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        if is_known {
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, app).await });
        } else {
            tokio::spawn(async move { axum::serve(listener, app).await });
        }
        let mut one = from([127, 0, 0, 1], server).await;
        one.offer(&offer()).await.is(101);
        let mut again = from([127, 0, 0, 1], server).await;
        again.offer(&offer()).await.is(429).has("retry-after", "10");
        let mut other = from([127, 0, 0, 2], server).await;
        other
            .offer(&offer())
            .await
            .is(if is_known { 101 } else { 429 });
        drop((one, other));
        comes_to(&limit, 0).await;
        let mut again = from([127, 0, 0, 1], server).await;
        again.offer(&offer()).await.is(101);
    }
}
