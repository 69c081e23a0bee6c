//! The example `proxy` as a process, in front of two of `gallery`.

mod upstreams;
mod usage;
mod watched;

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};

use self::watched::Watched;
use crate::{
    http2::Client,
    process::Server,
    sockets::Opener,
    wire::{self, Request, patiently},
};

fn address(server: &Server) -> SocketAddr {
    let base = server.http("");
    base.trim_start_matches("http://").parse().unwrap()
}

/// An address nobody listens at.
async fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

async fn get(proxy: SocketAddr) -> u16 {
    let mut client = wire::Client::connect(proxy).await;
    client.ask(&Request::get("/either")).await.head.status
}

#[tokio::test]
async fn upstreams_have_their_turn_and_the_dead_are_left_out() {
    // "round-robin over several upstreams with passive health (a dead one is skipped)".
    let (one, two) = (Server::gallery(&[]).await, Server::gallery(&[]).await);
    let upstreams = [nowhere().await, one.http(""), two.http("")];
    let args = upstreams.each_ref().map(|url| ["--upstream", url]).concat();
    let proxy = Server::proxy(&args).await;
    let opener = Opener::Http1(address(&proxy));
    let mut sockets = Vec::new();
    for _ in 0..6 {
        assert_eq!(get(address(&proxy)).await, 200);
        sockets.push(opener.open("/ws").await);
    }

    // Those on this one are told, and whoever comes is served by the other.
    one.signal("TERM").await;
    let mut ended = 0;
    for mut socket in sockets {
        if socket.try_echo().await.is_err() {
            ended += 1;
        }
    }
    assert!(matches!(ended, 1..6), "{ended} of 6 were on one of two");
    assert_eq!(one.end().await.0, Some(0));
    for _ in 0..6 {
        assert_eq!(get(address(&proxy)).await, 200);
        opener.open("/ws").await.close().await;
    }
    drop(two);
    assert_eq!(get(address(&proxy)).await, 502);
}

#[tokio::test]
async fn each_connection_is_a_line_when_it_closes() {
    // "one line of log per connection at close".
    let gallery = Server::gallery(&[]).await;
    let upstream = gallery.http("");
    let proxy = Server::proxy(&["--upstream", &upstream, "--forward", "echo/1.0"]).await;
    let mut client = wire::Client::connect(address(&proxy)).await;
    let offer = Request::upgrade("/multi", "echo/1.0");
    client
        .offer(&offer)
        .await
        .is(101)
        .has("upgrade", "echo/1.0");
    client.send("four").await;
    client.expect("four").await;
    client.finish().await;
    client.expect_end().await;
    assert_eq!(get(address(&proxy)).await, 200);

    proxy.signal("TERM").await;
    let (code, said) = proxy.end_with_all().await;
    assert_eq!(code, Some(0));
    let [closed, report] = said.as_slice() else {
        panic!("{said:?}");
    };
    assert!(
        closed.starts_with("#1 echo/1.0 over HTTP/1.1: "),
        "{closed}"
    );
    assert!(
        closed.ends_with(", 4 bytes in, 4 bytes out, peer-ended"),
        "{closed}"
    );
    assert!(report.starts_with("drained in "), "{report}");
}

#[tokio::test]
async fn a_failure_is_told_by_its_kind() {
    let gallery = Server::gallery(&[]).await;
    let proxy = Server::proxy(&["--upstream", &gallery.http("")]).await;
    let tcp = patiently("a connection", TcpStream::connect(address(&proxy))).await;
    let tcp = tcp.unwrap();
    // Its end is a reset then.
    tcp.set_zero_linger().unwrap();
    let mut client = wire::Client::over(tcp);
    client.offer(&Request::websocket("/ws")).await.is(101);
    drop(client);
    proxy.signal("TERM").await;
    let (_, said) = proxy.end_with_all().await;
    let closed = &said[0];
    assert!(closed.ends_with(", failed: connection reset"), "{closed}");
}

#[tokio::test]
async fn a_refusal_is_a_line() {
    let gallery = Server::gallery(&[]).await;
    let mut proxy = Watched::before(&[&gallery.http("")], &[]).await;
    let mut client = wire::Client::connect(proxy.address).await;
    let foreign = Request::websocket("/ws").set("origin", "http://elsewhere.example");
    client.ask(&foreign).await.head.is(403);
    let told = proxy.complaint().await;
    assert!(told.starts_with("403 origin: "), "{told}");
}

#[tokio::test]
async fn it_drains_and_waits_for_what_is_there() {
    // "drain on SIGTERM".
    let gallery = Server::gallery(&[]).await;
    let proxy = Server::proxy(&["--upstream", &gallery.http("")]).await;
    let opener = Opener::Http1(address(&proxy));
    let mut socket = opener.open("/ws").await;
    proxy.signal("TERM").await;
    let refused = loop {
        match opener.try_open("/ws").await {
            Ok(socket) => socket.close().await,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.status(), 503);
    // What is no offer is answered as ever.
    assert_eq!(get(address(&proxy)).await, 200);
    socket.echoes().await;
    socket.close().await;
    let (code, report) = proxy.end().await;
    assert_eq!(code, Some(0), "{report}");
    assert!(report.contains(", 0 closed at the deadline, "), "{report}");
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let gallery = Server::gallery(&[]).await;
    let proxy = Server::proxy(&["--upstream", &gallery.http("")]).await;
    let opener = Opener::Http1(address(&proxy));
    let _socket = opener.open("/ws").await;
    proxy.signal("TERM").await;
    // Two that come together may be one.
    while let Ok(socket) = opener.try_open("/ws").await {
        socket.close().await;
    }
    proxy.signal("TERM").await;
    // By itself it would end with 0, and a report.
    let (code, said) = proxy.end_with_all().await;
    assert_eq!(code, Some(1), "{said:?}");
    assert!(!said.iter().any(|line| line.starts_with("drained")));
}

#[tokio::test]
async fn an_http2_upstream_sees_the_host_that_was_asked_for() {
    // A browser's `Origin` is held against it.
    let gallery = Server::gallery(&[]).await;
    let proxy = Server::proxy(&["--upstream", &gallery.http(""), "--upstream-http2"]).await;
    let asked = Request::websocket("/ws").set("host", "app.example");
    let from = |origin: &str| asked.clone().set("origin", origin);
    let mut client = wire::Client::connect(address(&proxy)).await;
    client.offer(&from("http://app.example")).await.is(101);
    // A foreign one the proxy's own policy refuses.
    let mut client = wire::Client::connect(address(&proxy)).await;
    let foreign = client.ask(&from("http://elsewhere.example")).await;
    foreign.head.is(403).lacks("via");
}

#[tokio::test]
async fn clients_may_speak_http2() {
    let gallery = Server::gallery(&[]).await;
    for version in [&[][..], &["--upstream-http2"]] {
        let upstream = gallery.http("");
        let args = [&["--upstream", upstream.as_str()][..], version].concat();
        let proxy = Server::proxy(&args).await;
        let tcp = patiently("a connection", TcpStream::connect(address(&proxy))).await;
        let client = Client::over(tcp.unwrap()).await;
        let opener = Opener::Http2(client);
        opener.open("/ws").await.close().await;
    }
}
