//! The API with prior knowledge of HTTP/2, where the offer is an extended CONNECT.

use bytes::Bytes;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::engine::{Engine, STDERR, STDOUT, exec, frame, frames, is_gone, until};
use crate::{
    http2::{Client, Stream, connect, request},
    wire::{Request, patiently},
};

/// Asks with content, and reads status, media type and answer.
async fn ask(engine: &Engine, method: Method, path: &str, content: &str) -> Told {
    let io = TokioIo::new(TcpStream::connect(engine.address()).await.unwrap());
    let handshake = http2::handshake(TokioExecutor::new(), io);
    let (mut sender, connection) = patiently("a connection", handshake).await.unwrap();
    tokio::spawn(connection);
    let request = request(method, path).header("content-type", "application/json");
    let request = request.body(Full::<Bytes>::from(content.to_owned()));
    let answer = patiently("an answer", sender.send_request(request.unwrap())).await;
    let (head, body) = answer.unwrap().into_parts();
    let body = patiently("its content", body.collect()).await.unwrap();
    let media = head.headers.get("content-type");
    let media = media.map(|media| media.to_str().unwrap().to_owned());
    assert!(!head.headers.contains_key("upgrade"), "{head:?}");
    let allow = head.headers.get("allow").cloned();
    Told {
        status: head.status.as_u16(),
        media: media.unwrap_or_default(),
        content: String::from_utf8(body.to_bytes().into()).unwrap(),
        allow: allow.map(|allow| allow.to_str().unwrap().to_owned()),
    }
}

#[derive(Debug, PartialEq)]
struct Told {
    status: u16,
    media: String,
    content: String,
    allow: Option<String>,
}

/// Starts what was created.
async fn started(engine: &Engine, id: &str) -> Stream {
    let client = Client::over(TcpStream::connect(engine.address()).await.unwrap()).await;
    let (answer, stream) = client
        .open(connect("tcp", &format!("/v1.45/exec/{id}/start")))
        .await;
    let media = "application/vnd.docker.multiplexed-stream";
    assert_eq!(answer.headers()["content-type"], media);
    stream
}

/// What needs no upgrade is answered as over HTTP/1.1.
#[tokio::test]
async fn ordinary_requests_are_answered_alike() {
    let engine = Engine::start(&[]).await;
    let id = engine.create(exec(&["cat"])).await;
    let create = exec(&["ls"]).to_string();
    for (status, method, path, content) in [
        (200, Method::GET, "/_ping".to_owned(), ""),
        (200, Method::GET, "/v1.41/_ping".into(), ""),
        (200, Method::GET, "/version".into(), ""),
        (200, Method::GET, "/v1.45/containers/demo/json".into(), ""),
        (200, Method::GET, format!("/exec/{id}/json"), ""),
        (404, Method::GET, "/exec/f00/json".into(), ""),
        (404, Method::GET, "/containers/json".into(), ""),
        (400, Method::POST, "/containers/demo/exec".into(), &create),
        (400, Method::POST, "/containers/demo/exec".into(), "{"),
        (400, Method::POST, "/containers/demo/exec".into(), "[1]"),
        (
            200,
            Method::POST,
            format!("/exec/{id}/resize?h=24&w=80"),
            "",
        ),
        (404, Method::POST, "/exec/f00/resize?h=24&w=80".into(), ""),
        (
            200,
            Method::POST,
            "/containers/demo/resize?h=1&w=1".into(),
            "",
        ),
        (
            404,
            Method::POST,
            "/containers/other/resize?h=1&w=1".into(),
            "",
        ),
    ] {
        let same = Request::get(&path)
            .method(method.as_str())
            .set("Content-Type", "application/json")
            .content(content);
        let told = engine.ask(&same).await;
        let over_http1 = Told {
            status: told.head.status,
            media: told.head.only("content-type").unwrap_or_default().into(),
            content: told.content,
            allow: None,
        };
        assert_eq!(over_http1.status, status, "{path}: {over_http1:?}");
        let over_http2 = ask(&engine, method, &path, content).await;
        assert_eq!(over_http2, over_http1, "{path}");
        if status >= 400 {
            assert_eq!(over_http1.media, "application/json", "{over_http1:?}");
            let told: Value = serde_json::from_str(&over_http1.content).unwrap();
            assert!(told["message"].is_string(), "{told}");
        }
    }
    let create = exec(&["echo", "hello"]).to_string();
    let created = ask(&engine, Method::POST, "/containers/demo/exec", &create).await;
    assert_eq!(created.status, 201, "{created:?}");
}

/// A POST that would start a command is told by what to ask instead, and starts nothing.
#[tokio::test]
async fn a_post_starts_nothing() {
    let engine = Engine::start(&[]).await;
    let id = engine.create(exec(&["cat"])).await;
    for path in [
        format!("/exec/{id}/start"),
        "/v1.41/containers/demo/attach?stream=1&stdout=1".into(),
    ] {
        let refused = ask(&engine, Method::POST, &path, r#"{"Detach":false}"#).await;
        assert_eq!(
            (refused.status, refused.media.as_str()),
            (405, "application/json")
        );
        assert_eq!(refused.allow.as_deref(), Some("CONNECT"));
        let told: Value = serde_json::from_str(&refused.content).unwrap();
        let why = told["message"].as_str().unwrap();
        assert!(why.contains("CONNECT"), "{why}");
    }
    let client = Client::over(TcpStream::connect(engine.address()).await.unwrap()).await;
    let other = connect("websocket", &format!("/exec/{id}/start"));
    let refused = client.try_open(other).await.unwrap_err();
    assert_eq!(refused.status(), StatusCode::NOT_IMPLEMENTED);
    let told: Value = serde_json::from_str(refused.body()).unwrap();
    assert!(told["message"].is_string(), "{told}");
    // It still waits for who offers.
    started(&engine, &id).await;
}

/// By an extended CONNECT a command runs, and ends its input as over HTTP/1.1.
#[tokio::test]
async fn a_command_runs() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let late = "cat; echo late; echo too >&2; exit 3";
    let id = engine.create(exec(&["sh", "-c", late])).await;
    let mut stream = started(&engine, &id).await;
    stream.write("early").await;
    stream.end().await;
    let mut bytes = Vec::new();
    let read = stream.0.read_to_end(&mut bytes);
    patiently("the end", read).await.unwrap();
    let mut heard = frames(&bytes);
    heard.sort();
    assert_eq!(
        heard,
        [
            frame(STDOUT, b"early"),
            frame(STDOUT, b"late\n"),
            frame(STDERR, b"too\n")
        ]
    );
    assert_eq!(engine.exit_code(&id).await, 3);
    let client = Client::over(TcpStream::connect(engine.address()).await.unwrap()).await;
    let again = connect("tcp", &format!("/exec/{id}/start"));
    assert_eq!(client.try_open(again).await.unwrap_err().status(), 409);

    // As it was created, for there is nothing to say otherwise.
    let mut asked = exec(&["echo", "raw"]);
    asked["Tty"] = json!(true);
    let id = engine.create(asked).await;
    let raw = connect("tcp", &format!("/exec/{id}/start"));
    let (answer, mut stream) = client.open(raw).await;
    let media = "application/vnd.docker.raw-stream";
    assert_eq!(answer.headers()["content-type"], media);
    assert_eq!(stream.rest().await, "raw\n");

    let attach = "/v1.45/containers/demo/attach?stream=1&stdin=1&stdout=1";
    let (_, mut stream) = client.open(connect("tcp", attach)).await;
    stream.write("echo hello; exit\n").await;
    stream.expect("\u{1}\0\0\0\0\0\0\u{6}hello\n").await;
    assert_eq!(stream.rest().await, "");
}

/// A client that is gone, or a stream that is reset, takes the command with it.
#[tokio::test]
async fn the_command_ends_with_its_client() {
    let engine = Engine::start(&["--allow-sh"]).await;
    for does_read in [true, false] {
        let reads = if does_read { "cat; " } else { "" };
        let script = format!("echo $$; {reads}sleep 1000");
        let id = engine.create(exec(&["sh", "-c", &script])).await;
        let mut stream = started(&engine, &id).await;
        let mut header = [0; 8];
        patiently("a frame", stream.0.read_exact(&mut header))
            .await
            .unwrap();
        let mut process = vec![0; usize::from(header[7])];
        patiently("its content", stream.0.read_exact(&mut process))
            .await
            .unwrap();
        let process = String::from_utf8(process).unwrap();
        if !does_read {
            let much = stream.0.write_all(&[b'x'; 200_000]);
            patiently("room to send", much).await.unwrap();
        }
        drop(stream);
        until(|| async { is_gone(process.trim()) }).await;
        assert_eq!(engine.exit_code(&id).await, 128 + 9);
    }
}
