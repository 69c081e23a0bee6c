//! Steady traffic: WebSockets, few of them kept, and requests on new and on kept connections.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};
use tokio_tungstenite::{WebSocketStream, client_async};
use tokio_util::sync::CancellationToken;

use crate::it::wire::{Client, Request};
use crate::process::within;

/// Clients that go on until they are told to stop. What fails one of them fails the test, at the end.
#[derive(Debug)]
pub(super) struct Traffic {
    stop: CancellationToken,
    pages: Pages,
    sockets: JoinSet<Seen>,
    requests: JoinSet<()>,
}

/// What became of the WebSockets that were kept.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Closed by the server, with 1001.
    pub(super) told: usize,
    /// Live until the end of the test.
    pub(super) live: usize,
}

/// Every page that came, in order.
#[derive(Clone, Debug, Default)]
struct Pages(Arc<Mutex<Vec<String>>>);

impl Traffic {
    pub(super) fn start(address: SocketAddr) -> Self {
        let (stop, pages) = (CancellationToken::new(), Pages::default());
        let (mut sockets, mut requests) = (JoinSet::new(), JoinSet::new());
        for _ in 0..2 {
            sockets.spawn(open_sockets(address, stop.clone()));
            requests.spawn(ask_anew(address, stop.clone(), pages.clone()));
            requests.spawn(ask_again(address, stop.clone(), pages.clone()));
        }
        Self {
            stop,
            pages,
            sockets,
            requests,
        }
    }

    /// Waits until the replica on this port has its share of what comes from now on.
    pub(super) async fn reaches(&self, port: u16) {
        let page = format!("served by 127.0.0.1:{port}\n");
        let before = self.pages.count(&page);
        within(30, "pages of the replica", async {
            while self.pages.count(&page) < before + SHARE {
                pause().await;
            }
        })
        .await;
    }

    /// Ends it, and returns what was seen.
    pub(super) async fn end(mut self) -> Seen {
        self.stop.cancel();
        while let Some(ended) = self.requests.join_next().await {
            ended.expect("every request is answered");
        }
        let mut seen = Seen::default();
        while let Some(ended) = self.sockets.join_next().await {
            seen.add(ended.expect("every handshake succeeds"));
        }
        seen
    }
}

impl Seen {
    fn add(&mut self, other: Self) {
        self.told += other.told;
        self.live += other.live;
    }
}

impl Pages {
    fn add(&self, page: String) {
        self.0.lock().expect("nobody panics with it").push(page);
    }

    fn count(&self, page: &str) -> usize {
        let pages = self.0.lock().expect("nobody panics with it");
        pages.iter().filter(|other| *other == page).count()
    }
}

/// So many pages, in the course of which many WebSockets are opened.
const SHARE: usize = 300;

/// A page a connection.
async fn ask_anew(address: SocketAddr, stop: CancellationToken, pages: Pages) {
    while !stop.is_cancelled() {
        ask(&mut Client::connect(address).await, &pages).await;
        pause().await;
    }
}

/// All pages on one connection, which the balancer keeps whatever it does behind.
async fn ask_again(address: SocketAddr, stop: CancellationToken, pages: Pages) {
    let mut client = Client::connect(address).await;
    while !stop.is_cancelled() {
        ask(&mut client, &pages).await;
        pause().await;
    }
}

async fn ask(client: &mut Client, pages: &Pages) {
    let answer = client.ask(&Request::get("/")).await;
    answer.head.is(200);
    pages.add(answer.content);
}

/// Opens one after the other, and keeps a few: a process may have no more than a thousand descriptors.
async fn open_sockets(address: SocketAddr, stop: CancellationToken) -> Seen {
    let mut sockets = JoinSet::new();
    for number in 0.. {
        if stop.is_cancelled() {
            break;
        }
        let socket = open(address).await;
        match number % 32 {
            0 => drop(sockets.spawn(keep(socket, Close::Ignored, stop.clone()))),
            16 => drop(sockets.spawn(keep(socket, Close::Answered, stop.clone()))),
            _ => use_once(socket).await,
        }
        pause().await;
    }
    let mut seen = Seen::default();
    while let Some(ended) = sockets.join_next().await {
        seen.add(ended.expect("every WebSocket ends well"));
    }
    seen
}

type Socket = WebSocketStream<TcpStream>;

async fn open(address: SocketAddr) -> Socket {
    let connecting = TcpStream::connect(address);
    let io = within(30, "a connection", connecting).await;
    let io = io.expect("the balancer accepts");
    let handshake = client_async(format!("ws://{address}/ws"), io);
    let opened = within(30, "the handshake", handshake).await;
    opened.expect("a WebSocket").0
}

/// What a client does with the close that it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Close {
    Answered,
    /// Holds up a drain to its deadline.
    Ignored,
}

/// Has a message echoed, and leaves.
async fn use_once(mut socket: Socket) {
    if echoes(&mut socket).await {
        close(socket).await;
    }
}

/// Has a message echoed, and waits for the end.
async fn keep(mut socket: Socket, on_close: Close, stop: CancellationToken) -> Seen {
    if echoes(&mut socket).await {
        tokio::select! {
            message = receive(&mut socket) => assert_goodbye(&message),
            () = stop.cancelled() => {
                close(socket).await;
                return Seen { told: 0, live: 1 };
            }
        }
    }
    match on_close {
        // Reading on sends the answer.
        Close::Answered => {
            let end = within(30, "the end", socket.next()).await;
            assert!(end.is_none(), "{end:?} behind the close");
        }
        Close::Ignored => stop.cancelled().await,
    }
    Seen { told: 1, live: 0 }
}

/// Returns whether a message came back, and not the close.
async fn echoes(socket: &mut Socket) -> bool {
    let hello = Message::text("hello");
    socket.send(hello.clone()).await.expect("room to send");
    let message = within(30, "the echo", receive(socket)).await;
    if message != hello {
        assert_goodbye(&message);
    }
    message == hello
}

#[track_caller]
fn assert_goodbye(message: &Message) {
    let Message::Close(Some(frame)) = message else {
        panic!("no close, or one without a code: {message:?}");
    };
    assert_eq!(frame.code, CloseCode::Away);
}

async fn receive(socket: &mut Socket) -> Message {
    let message = socket.next().await;
    message.expect("a close before the end").expect("a message")
}

/// Closes it as a client does that has had enough.
async fn close(mut socket: Socket) {
    let sent = within(30, "room to send", socket.close(None)).await;
    sent.expect("the server still listens");
    let answer = within(30, "the close", receive(&mut socket)).await;
    assert!(answer.is_close(), "{answer:?}");
}

/// Gives the processor to who else wants it. It sets the pace of the traffic, and nothing waits for it.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(10)).await;
}
