//! The example `container_exec` as a process, to the byte.
//!
//! What it must do towards Docker's own client is tested with that, in `tests/interop/docker.rs`.

mod engine;
mod http2;
mod life;

use serde_json::json;

use self::engine::{Engine, STDERR, STDOUT, exec, frame, streams, upgrade};
use crate::wire::Request;

/// The 101 is Docker's, and what the command writes comes in frames, under every version of the API.
#[tokio::test]
async fn output_comes_in_frames() {
    let engine = Engine::start(&[]).await;
    for version in ["", "/v1.24", "/v1.41", "/v1.45"] {
        let create = engine.create_at(version, exec(&["echo", "hello"])).await;
        let mut client = engine.client().await;
        let start = upgrade(&format!("{version}/exec/{create}/start"));
        let head = client.offer(&start).await;
        head.is(101).has("connection", "upgrade");
        head.has("upgrade", "tcp");
        head.has("content-type", "application/vnd.docker.multiplexed-stream");
        head.lacks("content-length").lacks("transfer-encoding");
        client.expect(b"\x01\0\0\0\0\0\0\x06hello\n").await;
        client.expect_end().await;
        let told = engine.get(&format!("{version}/exec/{create}/json")).await;
        assert_eq!(
            (&told["ExitCode"], &told["Running"]),
            (&json!(0), &json!(false))
        );
    }
}

/// The two outputs are told apart, and the exit code is kept.
#[tokio::test]
async fn errors_and_exit_codes_are_told_apart() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let both = "echo a; echo b >&2; exit 7";
    let id = engine.create(exec(&["sh", "-c", both])).await;
    let mut client = engine.started(&id).await;
    let mut frames = engine::frames(&client.read_to_end().await);
    frames.sort();
    assert_eq!(frames, [frame(STDOUT, b"a\n"), frame(STDERR, b"b\n")]);
    assert_eq!(engine.exit_code(&id).await, 7);

    let id = engine.create(exec(&["sh", "-c", "kill -TERM $$"])).await;
    engine.started(&id).await.expect_end().await;
    assert_eq!(engine.exit_code(&id).await, 128 + 15);
}

/// The client ends its half, the command's input ends, and the rest of its output still arrives.
#[tokio::test]
async fn the_client_may_end_its_half() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let id = engine.create(exec(&["wc", "-c"])).await;
    let mut client = engine.started(&id).await;
    for _ in 0..300 {
        client.send(vec![b'x'; 10_000]).await;
    }
    client.finish().await;
    assert_eq!(
        streams(&client.read_to_end().await),
        ("3000000\n".into(), String::new())
    );

    // Later than the server asks, by frames of nothing, whether anybody is there.
    let late = "cat; sleep 5; echo late; echo too >&2; exit 3";
    let id = engine.create(exec(&["sh", "-c", late])).await;
    let mut client = engine.started(&id).await;
    client.send("early\n").await;
    client.finish().await;
    let (out, err) = streams(&client.read_to_end().await);
    assert_eq!((out.as_str(), err.as_str()), ("early\nlate\n", "too\n"));
    assert_eq!(engine.exit_code(&id).await, 3);
}

/// The JSON of the offer is the request's, and the byte behind it the command's.
#[tokio::test]
async fn content_comes_with_the_offer() {
    let engine = Engine::start(&[]).await;
    let bytes = |id: &str| upgrade(&format!("/exec/{id}/start")).to_bytes();
    for pieces in [1, 2, 1000] {
        let id = engine.create(exec(&["cat"])).await;
        let whole = [bytes(&id), b"input".to_vec()].concat();
        let mut client = engine.client().await;
        let length = whole.len().div_ceil(pieces);
        client.send_pieces(whole.chunks(length)).await;
        client.finish().await;
        client.head().await.is(101);
        let (out, _) = streams(&client.read_to_end().await);
        assert_eq!(out, "input", "in {pieces} pieces");
    }

    let id = engine.create(exec(&["cat"])).await;
    let start = upgrade(&format!("/exec/{id}/start"));
    for content in ["{", "[1, 2]", ""] {
        let refused = engine.ask(&start.clone().content(content)).await;
        refused.head.is(400).has("content-type", "application/json");
        assert!(refused.content.starts_with(r#"{"message":""#));
    }
    let text = start.clone().set("content-type", "text/plain");
    engine.ask(&text).await.head.is(415);
    let long = format!("{{{}}}", " ".repeat(5000));
    engine.ask(&start.clone().content(long)).await.head.is(413);
    let detached = start.clone().content(r#"{"Detach":true}"#);
    engine.ask(&detached).await.head.is(400);
    // None of them started it.
    engine.client().await.offer(&start).await.is(101);
}

/// What does not offer `tcp` by POST is told how, and the command waits for who does.
#[tokio::test]
async fn who_does_not_offer_is_refused() {
    let engine = Engine::start(&[]).await;
    let id = engine.create(exec(&["cat"])).await;
    let offer = upgrade(&format!("/exec/{id}/start"));
    let refused = [
        offer.clone().without("upgrade").without("connection"),
        offer.clone().without("connection"),
        offer.clone().set("upgrade", "tcp/1"),
        offer.clone().set("upgrade", "h2c, websocket"),
        offer.clone().version("HTTP/1.0"),
        Request::get(&format!("/exec/{id}/start")),
    ];
    for request in refused {
        let answer = engine.ask(&request).await;
        answer.head.is(426).has("upgrade", "tcp");
        answer.head.has("content-type", "application/json");
        assert!(answer.content.starts_with(r#"{"message":""#), "{answer:?}");
    }
    let get = Request::upgrade(&format!("/exec/{id}/start"), "tcp");
    engine.ask(&get).await.head.is(405).has("allow", "POST");
    engine.client().await.offer(&offer).await.is(101);
    // Among others, and once.
    let id = engine.create(exec(&["cat"])).await;
    let offer = upgrade(&format!("/exec/{id}/start")).set("upgrade", "h2c, TCP");
    let mut client = engine.client().await;
    client.offer(&offer).await.is(101).has("upgrade", "tcp");
    engine.ask(&offer).await.head.is(409);
    engine.ask(&upgrade("/exec/f00/start")).await.head.is(404);
    engine
        .ask(&upgrade("/exec/nothing/start"))
        .await
        .head
        .is(404);
}

/// Commands that are not on the list are not created, nor are those that want more.
#[tokio::test]
async fn commands_are_on_a_list() {
    let (engine, with_sh) = (
        Engine::start(&[]).await,
        Engine::start(&["--allow-sh"]).await,
    );
    let shell = exec(&["sh", "-c", "true"]);
    with_sh.create(shell.clone()).await;
    let refused = [
        exec(&[]),
        exec(&["ls"]),
        exec(&["/bin/cat"]),
        exec(&["cat", "/etc/hostname"]),
        exec(&["wc", "--files0-from=-"]),
        exec(&["echo -n"]),
        shell,
    ];
    for asked in refused {
        let answer = engine.ask_to_create("demo", &asked).await;
        answer.head.is(400);
        assert!(answer.content.contains("not allowed here"), "{answer:?}");
    }
    let cat = exec(&["cat"]);
    for (key, value) in [
        ("User", json!("root")),
        ("WorkingDir", json!("/")),
        ("Env", json!(["A=b"])),
        ("Privileged", json!(true)),
    ] {
        let mut asked = cat.clone();
        asked[key] = value;
        engine.ask_to_create("demo", &asked).await.head.is(400);
    }
    engine.ask_to_create("other", &cat).await.head.is(404);
    engine.ask_to_create("demo", &cat).await.head.is(201);
}

/// With `Tty` all output is one, in order, and there are no frames if the start says so too.
#[tokio::test]
async fn a_tty_has_no_frames() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let script = "cat; for i in 1 2 3 4 5; do echo a; echo b >&2; done; exit 4";
    let mut asked = exec(&["sh", "-c", script]);
    let start = async |asked, tty: bool| {
        let id = engine.create(asked).await;
        let mut client = engine.client().await;
        let content = json!({ "Detach": false, "Tty": tty }).to_string();
        let offer = upgrade(&format!("/exec/{id}/start")).content(content);
        let kind = if tty { "raw" } else { "multiplexed" };
        let media = format!("application/vnd.docker.{kind}-stream");
        let head = client.offer(&offer).await;
        head.is(101).has("content-type", &media);
        client.send("input\n").await;
        client.finish().await;
        let bytes = client.read_to_end().await;
        assert_eq!(engine.exit_code(&id).await, 4);
        bytes
    };
    // What the client that starts it expects, whatever was created.
    let (mut out, mut err) = streams(&start(asked.clone(), false).await);
    assert_eq!(
        (out, err),
        ("input\n".to_owned() + &"a\n".repeat(5), "b\n".repeat(5))
    );
    asked["Tty"] = json!(true);
    let all = "input\n".to_owned() + &"a\nb\n".repeat(5);
    let raw = start(asked.clone(), true).await;
    assert_eq!(String::from_utf8(raw).unwrap(), all);
    (out, err) = streams(&start(asked, false).await);
    assert_eq!((out, err), (all, String::new()));
}

/// What is not attached does not come, and an input that is not attached is no input.
#[tokio::test]
async fn only_what_is_attached_comes() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let script = "cat; echo a; echo b >&2";
    let without = |key: &str| {
        let mut asked = exec(&["sh", "-c", script]);
        asked[key] = json!(false);
        asked
    };
    for (key, out, err) in [
        ("AttachStdin", "a\n", "b\n"),
        ("AttachStdout", "", "b\n"),
        ("AttachStderr", "inputa\n", ""),
    ] {
        let id = engine.create(without(key)).await;
        let mut client = engine.started(&id).await;
        client.try_send("input").await;
        client.try_finish().await;
        let (said, erred) = streams(&client.read_to_end().await);
        assert_eq!((said.as_str(), erred.as_str()), (out, err), "{key}");
    }
}

/// `attach` runs the container's own command for one at a time, and `wait` tells how it ended.
#[tokio::test]
async fn attaching_is_waited_for() {
    let engine = Engine::start(&["--allow-sh"]).await;
    let told = engine.get("/v1.45/containers/demo/json").await;
    assert_eq!(told["State"]["Running"], true);
    let attach = |query: &str| upgrade(&format!("/containers/demo/attach?{query}")).content("");
    let all = "stream=1&stdin=1&stdout=1&stderr=1";

    let mut waiting = engine.client().await;
    let wait = Request::get("/v1.45/containers/demo/wait").method("POST");
    // The head is there long before the end is.
    waiting.offer(&wait).await.is(200);
    let mut client = engine.client().await;
    client.offer(&attach(all)).await.is(101);
    engine.ask(&attach(all)).await.head.is(409);
    engine.ask(&attach("stdin=1&stdout=1")).await.head.is(400);
    client.send("echo hello; exit 5\n").await;
    client.expect(engine::bytes(STDOUT, b"hello\n")).await;
    client.expect_end().await;
    // In one chunk.
    waiting
        .expect("10\r\n{\"StatusCode\":5}\r\n0\r\n\r\n")
        .await;

    let mut client = engine.client().await;
    client.offer(&attach(all)).await.is(101);
    client.finish().await;
    client.expect_end().await;
    let other = "/containers/other/attach?stream=1";
    engine.ask(&upgrade(other)).await.head.is(404);
}

/// However many are created, only some are kept, and those that run among them.
#[tokio::test]
async fn what_is_kept_is_bounded() {
    let engine = Engine::start(&[]).await;
    let running = engine.create(exec(&["cat"])).await;
    let mut client = engine.started(&running).await;
    let first = engine.create(exec(&["cat"])).await;
    let mut last = first.clone();
    for _ in 0..256 {
        last = engine.create(exec(&["cat"])).await;
    }
    let gone = Request::get(&format!("/exec/{first}/json"));
    engine.ask(&gone).await.head.is(404);
    let told = engine.get(&format!("/exec/{running}/json")).await;
    assert_eq!(told["Running"], true);
    engine.get(&format!("/exec/{last}/json")).await;
    client.send("a").await;
    client.expect(engine::bytes(STDOUT, b"a")).await;
    let long = exec(&["echo", &"x".repeat(70_000)]);
    engine.ask_to_create("demo", &long).await.head.is(413);
}
