//! The examples `graceful` and `gallery` as processes: how they end when they are told to.

use std::net::SocketAddr;

use futures_util::future::join_all;

use crate::{
    http2::{Client, websocket},
    process::Server,
    sockets::Opener,
    wire::{self, Request},
};

fn address(server: &Server) -> SocketAddr {
    let base = server.http("");
    base.trim_start_matches("http://").parse().unwrap()
}

/// Checks that it ends by itself, with success, and what it reports last.
async fn ends(server: Server, report: &str) {
    let (code, last) = server.end().await;
    assert_eq!(code, Some(0), "{last:?}");
    let counts = last.split_once(": ").map(|(_, counts)| counts);
    assert_eq!(counts, Some(report), "{last:?}");
}

#[tokio::test]
async fn a_hundred_websockets_are_told_and_then_it_ends() {
    // "SIGTERM → live WebSockets get close 1001, report printed, exit code 0".
    let server = Server::graceful().await;
    let opener = Opener::Http1(address(&server));
    let sockets = join_all((0..100).map(|_| opener.open("/ws"))).await;
    server.signal("TERM").await;
    let told = sockets.into_iter().map(async |mut socket| {
        socket.is_told().await;
        socket.answers().await;
    });
    join_all(told).await;
    let report = "100 ended, 0 closed at the deadline, 0 panicked, 0 turned away";
    ends(server, report).await;
}

#[tokio::test]
async fn two_streams_of_http2_are_told_and_then_it_ends() {
    // "Works the same with two HTTP/2 streams open."
    let server = Server::graceful().await;
    let opener = Opener::http2(address(&server)).await;
    let (mut one, mut two) = (opener.open("/ws").await, opener.open("/ws").await);
    server.signal("TERM").await;
    one.is_told().await;
    two.is_told().await;
    let refused = opener.try_open("/ws").await.err();
    assert_eq!(refused.expect("a refusal").status(), 503);
    one.answers().await;
    two.answers().await;
    let report = "2 ended, 0 closed at the deadline, 0 panicked, 1 turned away";
    ends(server, report).await;
}

#[tokio::test]
async fn who_never_answers_is_closed_at_the_deadline() {
    // "new offers get 503, live WebSockets get close 1001 and 5 s". Nor does a request that was
    // begun and never ended keep it for ever.
    let server = Server::graceful().await;
    let [http1, http2] = Opener::both(address(&server)).await;
    let mut late = [http1.open("/ws").await, http2.open("/ws").await];
    let mut never = [http1.open("/ws").await, http2.open("/ws").await];
    let mut begun = wire::Client::connect(address(&server)).await;
    begun.send("GET /ws HTTP/1.1\r\nHost:").await;

    server.signal("TERM").await;
    for socket in late.iter_mut().chain(&mut never) {
        socket.is_told().await;
    }
    let mut client = wire::Client::connect(address(&server)).await;
    let refused = client.ask(&Request::websocket("/ws")).await;
    refused.head.is(503).has("connection", "close");
    client.expect_end().await;
    let client = Client::over(
        tokio::net::TcpStream::connect(address(&server))
            .await
            .unwrap(),
    )
    .await;
    let refused = client.try_open(websocket("/ws")).await.err();
    assert_eq!(refused.expect("a refusal").status(), 503);

    for socket in late {
        socket.answers().await;
    }
    let report = "2 ended, 2 closed at the deadline, 0 panicked, 2 turned away";
    ends(server, report).await;
    begun.expect_end().await;
}

#[tokio::test]
async fn the_gallery_ends_as_well() {
    // "drains on SIGTERM ..., WebSockets getting close 1001. After the drain the process exits with
    // code 0 and prints the report".
    let server = Server::gallery(&[]).await;
    let [http1, http2] = Opener::both(address(&server)).await;
    let late = [http1.open("/limited").await, http2.open("/limited").await];
    let mut never = http1.open("/limited-total").await;
    server.signal("TERM").await;
    never.is_told().await;
    for mut socket in late {
        socket.is_told().await;
        socket.answers().await;
    }
    let report = "2 ended, 1 closed at the deadline, 0 panicked, 0 turned away";
    ends(server, report).await;
}

#[tokio::test]
async fn ctrl_c_ends_them_too() {
    // A terminal sends SIGINT.
    for server in [Server::graceful().await, Server::gallery(&[]).await] {
        let opener = Opener::Http1(address(&server));
        let mut socket = opener.open("/ws").await;
        server.signal("INT").await;
        socket.is_told().await;
        socket.answers().await;
        let report = "1 ended, 0 closed at the deadline, 0 panicked, 0 turned away";
        ends(server, report).await;
    }
}

/// Asks a page of a server, on a connection of its own.
async fn get(server: &Server, path: &str) -> wire::Response {
    let mut client = wire::Client::connect(address(server)).await;
    client.ask(&Request::get(path)).await
}

#[tokio::test]
async fn a_balancer_is_told_from_the_signal_on() {
    // "`/health`: 200, and 503 from the signal on". The page is served as long as the drain lasts.
    let server = Server::graceful().await;
    let mut socket = Opener::Http1(address(&server)).open("/ws").await;
    get(&server, "/health").await.head.is(200);
    let page = get(&server, "/").await;
    assert_eq!(page.content, format!("served by {}\n", address(&server)));

    server.signal("TERM").await;
    socket.is_told().await;
    get(&server, "/health").await.head.is(503);
    get(&server, "/").await.head.is(200);

    socket.answers().await;
    let report = "1 ended, 0 closed at the deadline, 0 panicked, 0 turned away";
    ends(server, report).await;
}

#[tokio::test]
async fn with_notice_all_but_the_health_goes_on() {
    // "With `--notice` everything else goes on as before for so long"
    let server = Server::graceful_on(0, &["--notice", "3600"]).await;
    let opener = Opener::Http1(address(&server));
    let mut before = opener.open("/ws").await;
    server.signal("TERM").await;
    let noticed = async {
        while get(&server, "/health").await.head.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    wire::patiently("the notice", noticed).await;
    get(&server, "/health").await.head.is(503);
    get(&server, "/").await.head.is(200);
    before.echoes().await;
    opener.open("/ws").await;
}
