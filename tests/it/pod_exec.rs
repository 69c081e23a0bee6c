//! The example `pod_exec` as a process: the channels of its two subprotocols, and its refusals.

mod broken;
mod client;
mod http2;

use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use self::client::{CLOSE, Pod, RESIZE, STATUS, STDERR, STDIN, STDOUT, V4, V5, path, success};
use crate::wire::{Client, Request};

const ALL: &str = "stdin=true&stdout=true&stderr=true";

/// The subprotocol the server wants most is selected, and an empty message says that the command runs.
#[tokio::test]
async fn the_newest_of_both_is_selected() {
    let pod = Pod::start(&[]).await;
    for (offered, selected) in [
        (format!("{V4}, {V5}"), V5),
        (format!("v3.channel.k8s.io, {V4}"), V4),
        (V5.to_owned(), V5),
    ] {
        let path = path("command=echo&command=hello&stdout=true");
        let mut client = pod.exec(&path, &offered).await;
        assert_eq!(client.selected, selected, "{offered}");
        assert_eq!(client.message().await, [STDOUT]);
        assert_eq!(client.message().await, b"\x01hello\n");
        let status = client.message().await;
        assert_eq!(status[0], STATUS);
        assert_eq!(client::json(&status[1..]), success());
        assert_eq!(client.close().await, CloseCode::Normal);
    }
    // On the lowest channel that is there.
    for (query, first) in [("stderr=true", STDERR), ("stdin=true", STATUS)] {
        let mut client = pod.exec(&path(&format!("command=cat&{query}")), V5).await;
        assert_eq!(client.message().await, [first], "{query}");
    }
}

/// In v5 the client ends the input alone, and the rest of the output still arrives.
#[tokio::test]
async fn input_is_ended_by_channel_255() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let script = "cat;+echo+%22%26%22+late;+echo+err+%3e%262;+exit+7";
    let path = path(&format!("command=sh&command=-c&command={script}&{ALL}"));
    let mut client = pod.exec(&path, V5).await;
    client.send(&[STDIN, b'a']).await;
    client.send(&[CLOSE, STDIN]).await;
    // Too late, and not an error.
    client.send(&[STDIN, b'b']).await;
    client.send(&[CLOSE, STDIN]).await;
    let heard = client.all().await;
    assert_eq!(
        (heard.out.as_str(), heard.err.as_str()),
        ("a& late\n", "err\n")
    );
    assert_eq!(heard.closed, CloseCode::Normal);
    assert_eq!(
        heard.status,
        json!({
            "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
            "message": "command terminated with non-zero exit code: exit status 7",
            "details": { "causes": [{ "reason": "ExitCode", "message": "7" }] },
        })
    );
}

/// In v4 there is no such word: the client closes, and what the command was told it finishes.
#[tokio::test]
async fn input_is_ended_by_closing() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let file = std::env::temp_dir().join(format!("pod_exec-{}", std::process::id()));
    let file = file.to_str().unwrap();
    let script = format!("tee+{file}.part;+mv+{file}.part+{file}");
    let path = path(&format!("command=sh&command=-c&command={script}&{ALL}"));
    let mut client = pod.exec(&path, V4).await;
    // A number of no channel, here.
    client.send(&[CLOSE, STDIN]).await;
    client.send(b"\0hello").await;
    assert_eq!(client.message().await, [STDOUT]);
    assert_eq!(client.message().await, b"\x01hello");
    client
        .send(&[&[STDIN], "x".repeat(500_000).as_bytes()].concat())
        .await;
    client.say_goodbye().await;
    client::until(|| std::fs::metadata(file).is_ok()).await;
    let told = std::fs::read(file).unwrap();
    std::fs::remove_file(file).unwrap();
    assert_eq!(told.len(), 5 + 500_000);

    // Where nothing is read, the end comes by itself.
    let mut client = pod
        .exec(
            &client::path(&format!("command=echo&command=hello&{ALL}")),
            V4,
        )
        .await;
    let heard = client.all().await;
    assert_eq!((heard.out.as_str(), heard.status), ("hello\n", success()));
}

/// RFC 6455 7.1.1: the connection of a client that has closed ends at once, whatever the command still does.
#[tokio::test]
async fn a_close_is_answered_by_the_end() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let file = std::env::temp_dir().join(format!("pod_exec-{}-go", std::process::id()));
    let file = file.to_str().unwrap();
    let script = format!("cat;until+rm+{file};do+sleep+.1;done+2%3e/dev/null");
    let path = path(&format!(
        "command=sh&command=-c&command=echo+$$;{script}&{ALL}"
    ));
    for version in [V5, V4] {
        let mut client = pod.exec(&path, version).await;
        let process = client.process().await;
        client.say_goodbye().await;
        client.expect_end().await;
        assert!(!client::is_gone(&process), "{version}");
        std::fs::write(file, "").unwrap();
        client::until(|| client::is_gone(&process)).await;
        // It did what it had to, and was not killed.
        assert!(std::fs::metadata(file).is_err(), "{version}");
    }
}

/// Ten megabytes go through `cat` and come back in order, in either subprotocol and over either version of HTTP.
#[tokio::test]
async fn ten_megabytes_come_back() {
    let pod = Pod::start(&[]).await;
    // No period that a lost or doubled chunk could hide in.
    let next = |n: u32| n.wrapping_mul(0x9e37_79b1).to_be_bytes()[0];
    let bytes: Vec<u8> = (0..10_000_000).map(next).collect();
    let path = path(&format!("command=cat&{ALL}"));
    for client in [
        pod.exec(&path, V5).await,
        pod.exec(&path, V4).await,
        pod.exec_over_http2(&path, V5).await,
    ] {
        let version = client.selected.clone();
        let back = client.echoed(&bytes).await;
        assert!(back == bytes, "{version}: {} bytes", back.len());
    }
}

/// Channels that are not read here are dropped; a close that names none is an error of the protocol.
#[tokio::test]
async fn unknown_channels() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let path = path(&format!("command=cat&{ALL}"));
    for version in [V5, V4] {
        let mut client = pod.exec(&path, version).await;
        for ignored in [
            &b"\x01not output"[..],
            b"\x02",
            b"\x03{}",
            b"\x04{\"Width\":80,\"Height\":24}",
            b"\x05a",
            b"\xfea",
            b"",
        ] {
            client.send(ignored).await;
        }
        client.send_text("no channel").await;
        // As Python's client sends it.
        client.send_text("\0a").await;
        assert_eq!(client.message().await, [STDOUT]);
        assert_eq!(client.message().await, b"\x01a", "{version}");
        client.send(b"\0b").await;
        assert_eq!(client.message().await, b"\x01b", "{version}");
    }
    for broken in [&[CLOSE, 5][..], &[CLOSE], &[CLOSE, STDIN, 0]] {
        let mut client = pod.exec(&path, V5).await;
        client.send(&[CLOSE, RESIZE]).await;
        client.send(broken).await;
        assert_eq!(client.message().await, [STDOUT]);
        assert_eq!(client.close().await, CloseCode::Protocol, "{broken:?}");
    }
}

/// What is not asked for does not come; with `tty` all is output.
#[tokio::test]
async fn only_what_is_asked_for_comes() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let script = "command=sh&command=-c&command=cat;echo+a;echo+b%3E%262";
    for (query, out, err) in [
        ("stdout=true", "a\n", ""),
        ("stderr=1", "", "b\n"),
        ("stdout=true&stderr=true&stdin=false", "a\n", "b\n"),
    ] {
        let mut client = pod.exec(&path(&format!("{script}&{query}")), V5).await;
        client.send(b"\0input").await;
        let heard = client.all().await;
        assert_eq!(
            (heard.out.as_str(), heard.err.as_str()),
            (out, err),
            "{query}"
        );
        assert_eq!(heard.status, success(), "{query}");
    }
    // In the order in which it was written.
    let script = "command=sh&command=-c&command=for+i+in+1+2+3+4+5;do+echo+a;echo+b%3E%262;done";
    for query in ["stdout=true&tty=true", "stderr=true&stdout=true&tty=true"] {
        let mut client = pod.exec(&path(&format!("{script}&{query}")), V5).await;
        let heard = client.all().await;
        let all = "a\nb\n".repeat(5);
        assert_eq!((heard.out, heard.err), (all, String::new()), "{query}");
    }
}

/// A command that is not on the list is told as the end of one, for few clients read a refused handshake.
#[tokio::test]
async fn commands_are_on_a_list() {
    let pod = Pod::start(&[]).await;
    for command in [
        "",
        "command=ls",
        "command=sh&command=-c&command=true",
        "command=cat&command=/etc/hostname",
        "command=wc&command=--files0-from%3D-",
    ] {
        let mut client = pod.exec(&path(&format!("{command}&{ALL}")), V5).await;
        let heard = client.all().await;
        assert_eq!(heard.status["status"], "Failure", "{command}");
        assert_eq!(heard.status["reason"], "Forbidden", "{command}");
        assert_eq!((heard.out, heard.err), (String::new(), String::new()));
    }
    let mut client = pod
        .exec(&path("command=wc&command=-c&stdout=true"), V5)
        .await;
    assert_eq!(client.all().await.out, "0\n");
}

/// A client that vanishes takes the command with it, over HTTP/2 too.
#[tokio::test]
async fn the_command_ends_with_its_client() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let script = "sleep+1000+%26+echo+$!;wait";
    let path = path(&format!("command=sh&command=-c&command={script}&{ALL}"));
    for mut client in [
        pod.exec(&path, V5).await,
        pod.exec_over_http2(&path, V5).await,
    ] {
        let process = client.process().await;
        drop(client);
        client::until(|| client::is_gone(&process)).await;
    }
}

/// That a client has vanished is seen where the command takes no more input, and nothing is read from the client.
#[tokio::test]
async fn the_command_that_does_not_read_ends_with_its_client() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let path = path(&format!(
        "command=sh&command=-c&command=echo+$$;sleep+1000&{ALL}"
    ));
    let mut processes = Vec::new();
    for mut client in [
        pod.exec(&path, V5).await,
        pod.exec_over_http2(&path, V5).await,
    ] {
        processes.push(client.process().await);
        // More than a pipe has room for.
        for _ in 0..8 {
            client.send(&[STDIN; 32 << 10]).await;
        }
    }
    client::until(|| processes.iter().all(|process| client::is_gone(process))).await;
}

/// A command that a signal ended is told of as a shell tells it.
#[tokio::test]
async fn signals_are_told() {
    let pod = Pod::start(&["--allow-sh"]).await;
    for (signal, code) in [("TERM", "143"), ("KILL", "137")] {
        let script = format!("command=sh&command=-c&command=kill+-{signal}+$$");
        let mut client = pod.exec(&path(&format!("{script}&{ALL}")), V5).await;
        let status = client.all().await.status;
        assert_eq!(status["reason"], "NonZeroExitCode", "{status}");
        let cause = json!({ "reason": "ExitCode", "message": code });
        assert_eq!(status["details"]["causes"], json!([cause]));
    }
}

/// What a client that speaks something else is told, so that it tries something else.
#[tokio::test]
async fn refusals_let_a_client_fall_back() {
    let pod = Pod::start(&[]).await;
    let path = path(&format!("command=cat&{ALL}"));
    let websocket = || Request::websocket(&path).set("Sec-WebSocket-Protocol", V5);
    let spdy = || Request::upgrade(&path, "SPDY/3.1").set("X-Stream-Protocol-Version", V4);
    let ask = async |request: &Request| {
        let mut client = Client::connect(pod.address()).await;
        client.ask(request).await
    };
    for offer in [
        spdy(),
        spdy().method("POST").content(""),
        Request::get(&path),
    ] {
        let refused = ask(&offer).await;
        refused
            .head
            .is(426)
            .has("upgrade", "websocket")
            .has("connection", "upgrade");
    }
    // By POST, a WebSocket is none (RFC 6455 4.1).
    ask(&websocket().method("POST"))
        .await
        .head
        .is(405)
        .has("allow", "GET");
    for names in [
        "v3.channel.k8s.io",
        "base64.channel.k8s.io, channel.k8s.io",
        "V5.CHANNEL.K8S.IO",
    ] {
        let other = websocket().set("Sec-WebSocket-Protocol", names);
        ask(&other)
            .await
            .head
            .is(400)
            .lacks("sec-websocket-protocol");
    }
    ask(&websocket().without("Sec-WebSocket-Protocol"))
        .await
        .head
        .is(400);
    ask(&websocket().set("Origin", "https://b.example"))
        .await
        .head
        .is(403);

    let accepted = |request: Request| async move {
        let mut client = Client::connect(pod.address()).await;
        let head = client.offer(&request).await;
        head.is(101).has("sec-websocket-protocol", V5);
        head.has("upgrade", "websocket")
            .has("connection", "upgrade");
    };
    accepted(websocket()).await;
}

/// What is wrong with the request is told as a `Status`, before anything is switched.
#[tokio::test]
async fn what_is_not_there_is_told_before() {
    let pod = Pod::start(&[]).await;
    for (path, status, reason) in [
        (path("command=cat"), 400, "BadRequest"),
        (path("command=cat&stdin=yes"), 400, "BadRequest"),
        // A terminal has one output.
        (path("command=cat&stderr=true&tty=true"), 400, "BadRequest"),
        (path("command=%zz&stdin=true"), 400, "BadRequest"),
        (path("command=%f&stdin=true"), 400, "BadRequest"),
        (path("command=%ff&stdin=true"), 400, "BadRequest"),
        (path("stdin=true").replace("demo", "other"), 404, "NotFound"),
        (
            path("stdin=true").replace("default", "other"),
            404,
            "NotFound",
        ),
    ] {
        let offer = Request::websocket(&path).set("Sec-WebSocket-Protocol", V5);
        let mut client = Client::connect(pod.address()).await;
        let refused = client.ask(&offer).await;
        refused.head.is(status);
        let told = client::json(refused.content.as_bytes());
        assert_eq!(
            (&told["kind"], &told["reason"]),
            (&json!("Status"), &json!(reason)),
            "{path}"
        );
        assert_eq!(told["code"], status, "{path}");
    }
}
