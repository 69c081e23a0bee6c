//! The life of streams that an extended CONNECT opened, beside others on their connection.

use std::{convert::Infallible, sync::Arc};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    sync::{Mutex, mpsc, oneshot},
};
use tower::{Layer, service_fn};
use tower_upgrade::{
    OnUpgrade, Policy, Protocol, ResponseBody, Upgrade, UpgradeError, UpgradeLayer, Upgraded,
};

use crate::{
    echo::{Echo, PLAIN},
    http2::{Client, Stream, connect, get},
    server::Served,
    wire::patiently,
};

fn layer() -> UpgradeLayer {
    UpgradeLayer::new(Policy::offer(Protocol::new("echo/1.0").unwrap()))
}

fn echo() -> Upgrade<Echo> {
    layer().layer(Echo::default())
}

/// A service that accepts and gives each connection to the test.
fn handing_over() -> (impl Served<ResponseBody<Full<Bytes>>>, Connections) {
    let (sender, connections) = mpsc::unbounded_channel();
    let service = service_fn(move |mut request: Request<Incoming>| {
        let sender = sender.clone();
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        tokio::spawn(async move { drop(sender.send(on_upgrade.await)) });
        let response = Response::builder().status(101).body(Full::default());
        std::future::ready(Ok::<_, Infallible>(response.unwrap()))
    });
    (layer().layer(service), connections)
}

type Connections = mpsc::UnboundedReceiver<Result<Upgraded, UpgradeError>>;

/// A client with its end of an accepted stream, and the server's end.
async fn both_ends(protocol: &'static str) -> (Client, Stream, Upgraded) {
    let (service, mut connections) = handing_over();
    let client = Client::of(service).await;
    let (_, stream) = client.open(connect(protocol, "/")).await;
    let io = patiently("the connection", connections.recv()).await;
    (client, stream, io.unwrap().unwrap())
}

#[tokio::test]
async fn bytes_go_both_ways_and_each_half_ends_by_itself() {
    // END_STREAM from the client ends its half and not the other.
    let (_client, mut stream, mut io) = both_ends("echo/1.0").await;

    stream.write("ping").await;
    stream.end().await;
    let mut read = String::new();
    patiently("the client's half", io.read_to_string(&mut read))
        .await
        .unwrap();
    assert_eq!(read, "ping");

    io.write_all(b"after the end").await.unwrap();
    io.shutdown().await.unwrap();
    assert_eq!(stream.rest().await, "after the end");
}

#[tokio::test]
async fn the_server_may_end_its_half_first() {
    // END_STREAM from the server ends its half and not the other.
    let (_client, mut stream, mut io) = both_ends("echo/1.0").await;

    io.shutdown().await.unwrap();
    assert_eq!(stream.rest().await, "");
    stream.write("still here").await;
    stream.end().await;
    let mut read = String::new();
    patiently("the client's half", io.read_to_string(&mut read))
        .await
        .unwrap();
    assert_eq!(read, "still here");
}

#[tokio::test]
async fn it_tells_what_was_agreed_on() {
    // Protocol, subprotocol and version are known to whoever has the I/O, whatever its kind.
    let (_client, _stream, io) = both_ends("ECHO/1.0").await;
    assert_eq!(io.version(), Version::HTTP_2);
    assert_eq!(
        io.protocol().as_str(),
        "echo/1.0",
        "as the policy writes it"
    );
    assert_eq!(io.subprotocol(), None);
    assert!(
        io.downcast::<tokio::io::DuplexStream>().is_err(),
        "it is a stream"
    );
}

#[tokio::test]
async fn a_megabyte_comes_back_whole() {
    // Many times the window and the buffer in between.
    let client = Client::of(echo()).await;
    let (_, stream) = client.open(connect("echo/1.0", "/")).await;
    let sent: Vec<u8> = (0..1_u32 << 20).map(|n| (n % 251) as u8).collect();
    let (mut read, mut write) = tokio::io::split(stream.0);
    let writing = async {
        write.write_all(&sent).await.unwrap();
        write.shutdown().await.unwrap();
    };
    let mut received = Vec::new();
    let reading = read.read_to_end(&mut received);
    let ((), length) = patiently("the echo", async { tokio::join!(writing, reading) }).await;
    assert_eq!(length.unwrap(), sent.len());
    assert!(received == sent, "the bytes differ");
}

#[tokio::test]
async fn a_reset_by_the_client_ends_the_servers_side() {
    // RST_STREAM reads as an end, then writes fail; nobody waits for ever.
    let (client, mut stream, mut io) = both_ends("echo/1.0").await;
    stream.write("last").await;
    let mut read = [0; 4];
    patiently("the last bytes", io.read_exact(&mut read))
        .await
        .unwrap();

    drop(stream);
    let mut rest = Vec::new();
    // An end or an error, by what it was reset with; not a byte in either case, and no hang.
    let _ = patiently("the end", io.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
    patiently("writes to fail", async {
        while io.write_all(b"into the void").await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    drop(io);
    // The connection is as good as before.
    client.open(connect("echo/1.0", "/")).await;
}

#[tokio::test]
async fn dropping_the_servers_side_ends_the_clients() {
    // Dropping the upgraded I/O closes the stream.
    let (service, mut connections) = handing_over();
    let client = Client::of(service).await;
    let (_, mut stream) = client.open(connect("echo/1.0", "/")).await;
    drop(patiently("the connection", connections.recv()).await);
    let mut rest = Vec::new();
    let _ = patiently("the end", stream.0.read_to_end(&mut rest)).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn streams_live_side_by_side_with_ordinary_requests() {
    // RFC 8441 1: one connection carries WebSockets and requests together.
    let client = Client::of(echo()).await;
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(client.open(connect("echo/1.0", "/")).await.1);
        assert_eq!(client.send(get("/")).await.body(), PLAIN);
    }
    for (n, stream) in streams.iter_mut().enumerate() {
        stream.write(&format!("stream {n}")).await;
    }
    for (n, stream) in streams.iter_mut().enumerate().rev() {
        stream.expect(&format!("stream {n}")).await;
        stream.end().await;
        assert_eq!(stream.rest().await, "");
    }
    assert_eq!(client.send(get("/")).await.body(), PLAIN);
}

#[tokio::test]
async fn a_refused_stream_leaves_the_connection_as_it_was() {
    // A refusal ends its stream alone.
    let client = Client::of(echo()).await;
    let (_, mut before) = client.open(connect("echo/1.0", "/")).await;
    for _ in 0..3 {
        assert_eq!(client.send(connect("other", "/")).await.status(), 501);
    }
    before.write("before").await;
    before.expect("before").await;
    let (_, mut after) = client.open(connect("echo/1.0", "/")).await;
    after.write("after").await;
    after.expect("after").await;
    assert_eq!(client.send(get("/")).await.body(), PLAIN);
}

#[tokio::test]
async fn a_declined_connect_yields_no_connection() {
    // Rule 18: the handle is dropped where the service answers otherwise.
    let (sender, outcome) = oneshot::channel();
    let sender = Arc::new(Mutex::new(Some(sender)));
    let service = service_fn(move |mut request: Request<Incoming>| {
        let sender = Arc::clone(&sender);
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        tokio::spawn(async move {
            let outcome = on_upgrade.await.map(drop);
            sender.lock().await.take().unwrap().send(outcome).unwrap();
        });
        let response = Response::builder().status(403).body(Full::from("no"));
        std::future::ready(Ok::<Response<Full<Bytes>>, Infallible>(response.unwrap()))
    });
    let client = Client::of(layer().layer(service)).await;
    let answer = client.send(connect("echo/1.0", "/")).await;
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_str()),
        (403, "no")
    );
    let outcome = patiently("the outcome", outcome).await.unwrap();
    assert!(outcome.unwrap_err().is_declined());
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_cancels() {
    // A request that ends without an answer tells whoever awaits its connection.
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let called = Arc::new(tokio::sync::Notify::new());
    let notify = Arc::clone(&called);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let (sender, notify) = (sender.clone(), Arc::clone(&notify));
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        tokio::spawn(async move { drop(sender.send(on_upgrade.await)) });
        notify.notify_one();
        std::future::pending::<Result<Response<Full<Bytes>>, Infallible>>()
    });
    let client = Client::of(layer().layer(service)).await;
    let leaving = client.clone();
    let asking = tokio::spawn(async move { leaving.send(connect("echo/1.0", "/")).await });
    patiently("the call", called.notified()).await;
    asking.abort();
    drop(client);
    let outcome = patiently("the outcome", outcomes.recv()).await.unwrap();
    assert!(outcome.unwrap_err().is_canceled());
}
