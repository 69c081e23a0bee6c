//! The gallery's limits and clocks, and how it ends, from the client's end of HTTP/1.1 and HTTP/2.

use std::net::SocketAddr;

use http::{Response, header::RETRY_AFTER};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tower_upgrade::{Drain, UpgradeLayer};

use crate::{
    gallery,
    http2::{get, websocket},
    server,
    sockets::{Opener, Socket},
    wire::{Client, PATIENCE, Request, patiently},
};

/// Checks that nobody else gets in, and what who tries is told.
async fn is_full(opener: &Opener, path: &str, status: u16) {
    let refused = opener.try_open(path).await.err();
    is_refused(&refused.expect("a refusal"), status);
}

#[track_caller]
fn is_refused(answer: &Response<()>, status: u16) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert_eq!(answer.headers()[RETRY_AFTER], "10", "{answer:?}");
}

/// Opens as soon as another's place is free: the client of that hears of its end first.
async fn takes_the_place(opener: &Opener, path: &str) -> Socket {
    patiently("a free place", async {
        loop {
            if let Ok(socket) = opener.try_open(path).await {
                return socket;
            }
        }
    })
    .await
}

const LIMITED: [(&str, u16); 2] = [("/limited", 429), ("/limited-total", 503)];

#[tokio::test]
async fn two_are_let_in_and_another_in_the_place_of_one() {
    // `/limited`: "at most 2 live connections per client address, 429"; `/limited-total`: "2 in all, 503".
    for (path, status) in LIMITED {
        // Each in a gallery of its own, for those of the first may not be gone at once.
        let http1 = Opener::Http1(server::gallery().await);
        let http2 = Opener::http2(server::gallery().await).await;
        for opener in [http1, http2] {
            let (one, mut two) = (opener.open(path).await, opener.open(path).await);
            is_full(&opener, path, status).await;
            one.close().await;
            let mut three = takes_the_place(&opener, path).await;
            is_full(&opener, path, status).await;
            // Who goes without a word goes too.
            two.echoes().await;
            drop(two);
            let mut four = takes_the_place(&opener, path).await;
            three.echoes().await;
            four.echoes().await;
            is_full(&opener, path, status).await;
        }
    }
}

#[tokio::test]
async fn all_of_a_client_count_whatever_http_they_came_by() {
    // The key is the address of the connection, and a stream of HTTP/2 has that of its own.
    for (path, status) in LIMITED {
        let [http1, http2] = Opener::both(server::gallery().await).await;
        let _live = (http1.open(path).await, http2.open(path).await);
        is_full(&http1, path, status).await;
        is_full(&http2, path, status).await;
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn each_address_has_a_limit_and_all_have_one() {
    // All of 127.0.0.0/8 is this machine, on Linux without being asked.
    async fn elsewhere(address: SocketAddr, path: &str) -> Result<Socket, Response<()>> {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, 2], 0).into()).unwrap();
        let io = patiently("a connection", socket.connect(address)).await;
        Socket::by_upgrade(io.unwrap(), path).await
    }

    let address = server::gallery().await;
    let here = Opener::Http1(address);
    for (path, status) in LIMITED {
        let _live = (here.open(path).await, here.open(path).await);
        is_full(&here, path, status).await;
        let other = elsewhere(address, path).await;
        match path {
            "/limited" => other.expect("a place").echoes().await,
            _ => is_refused(&other.err().expect("a refusal"), status),
        }
    }
}

#[tokio::test]
async fn idle_closes_who_is_silent() {
    // `/idle`: "idle timeout 1 s". Both said something at first, and the one that goes on stays.
    for opener in Opener::both(server::gallery().await).await {
        let (mut talks, mut silent) = (opener.open("/idle").await, opener.open("/idle").await);
        tokio::select! {
            () = silent.is_cut_off() => talks.echoes().await,
            end = async { while talks.try_echo().await.is_ok() {} } => panic!("it talked: {end:?}"),
        }
    }
}

#[tokio::test]
async fn deadline_closes_even_who_talks() {
    // `/deadline`: "max lifetime 2 s".
    for opener in Opener::both(server::gallery().await).await {
        let mut socket = opener.open("/deadline").await;
        let talk = async { while socket.try_echo().await.is_ok() {} };
        patiently("the end of a talk", talk).await;
    }
}

#[tokio::test]
async fn first_byte_closes_who_has_said_nothing() {
    // `/first-byte`: "1 s". One who spoke is there when one who came later is not any more.
    for opener in Opener::both(server::gallery().await).await {
        let mut spoke = opener.open("/first-byte").await;
        let mut silent = opener.try_open("/first-byte").await.expect("a place");
        silent.is_cut_off().await;
        spoke.echoes().await;
    }
}

/// Starts a gallery that is to end at a word, and says when it has.
async fn mortal_gallery() -> (SocketAddr, oneshot::Sender<()>, JoinHandle<Drain>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let drain = Drain::new();
    let app = gallery::app(|policy| UpgradeLayer::new(policy).drain(drain.clone())).unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(async move {
        let stopped = async { stopped.await.unwrap() };
        let drained = drain.clone().shutdown(stopped, PATIENCE);
        gallery::serve_until(drained, listener, None, app).await;
        drain
    });
    (address, stop, served)
}

#[tokio::test]
async fn every_websocket_is_told_1001() {
    // "WebSockets getting close 1001", whichever the route, and then it is over.
    const ROUTES: [&str; 10] = [
        "/ws",
        "/either",
        "/multi",
        "/multi-server",
        "/get-only",
        "/limited",
        "/limited-total",
        "/idle",
        "/deadline",
        "/first-byte",
    ];
    let (address, stop, served) = mortal_gallery().await;
    let mut sockets = Vec::new();
    let openers = Opener::both(address).await;
    // The clocks tick from their opening, so those of both kinds come last.
    for path in ROUTES {
        for opener in &openers {
            sockets.push(opener.open(path).await);
        }
    }
    let live = sockets.len();
    stop.send(()).unwrap();
    for mut socket in sockets {
        socket.is_told().await;
        socket.answers().await;
    }
    let report = patiently("the end", served).await.unwrap().report();
    let ended = (report.ended, report.closed, report.refused);
    assert_eq!(ended, (live, 0, 0), "{report}");
    let late = TcpStream::connect(address).await;
    assert!(late.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn while_it_drains_offers_are_refused_and_requests_answered() {
    // "the listener stays open so that new offers get 503 with `Connection: close`".
    let (address, stop, served) = mortal_gallery().await;
    let [http1, http2] = Opener::both(address).await;
    let (mut one, mut two) = (http1.open("/ws").await, http2.open("/either").await);
    stop.send(()).unwrap();
    one.is_told().await;
    two.is_told().await;

    let mut client = Client::connect(address).await;
    let plain = client.ask(&Request::get("/either")).await;
    assert_eq!(plain.content, "plain");
    let refused = client.ask(&Request::websocket("/limited")).await;
    refused.head.is(503).has("connection", "close");
    client.expect_end().await;

    let Opener::Http2(client) = http2 else {
        unreachable!()
    };
    let refused = client.try_open(websocket("/limited")).await.err();
    let refused = refused.expect("a refusal");
    assert_eq!(refused.status(), 503);
    assert!(!refused.headers().contains_key("connection"));
    assert_eq!(client.send(get("/either")).await.body(), "plain");

    one.answers().await;
    two.answers().await;
    let report = patiently("the end", served).await.unwrap().report();
    let ended = (report.ended, report.closed, report.refused);
    assert_eq!(ended, (2, 0, 2), "{report}");
}
