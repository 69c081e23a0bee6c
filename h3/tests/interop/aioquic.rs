//! Python's aioquic, with wsproto for the WebSocket's frames.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

use crate::example::{Example, python, soon};

/// Pages, subprotocols, messages, protocols of their own, and the server's end, over HTTP/3.
#[tokio::test]
#[ignore = "needs Python's aioquic: .ci/install"]
async fn it_uses_the_example_until_that_ends() {
    let example = Example::start().await;
    let mut client = python("aioquic_client.py")
        .arg("example")
        .arg(example.port.to_string())
        .arg(&example.certificate)
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python is there");
    let mut said = BufReader::new(client.stdout.take().unwrap());
    let mut lines = String::new();
    while !lines.ends_with("waiting\n") {
        let read = soon(said.read_line(&mut lines)).await.unwrap();
        assert!(read > 0, "it has left: {lines}");
    }
    example.terminate().await;
    soon(said.read_to_string(&mut lines)).await.unwrap();
    let status = soon(client.wait()).await.unwrap();
    assert!(status.success(), "{status}: {lines}");
    for done in [
        "page: 200 <!doctype html><p>This came by HTTP/3.0.",
        "subprotocol: v2",
        "echo/2.0: 200 LOUD",
        "echo/1.0: 200 Loud",
        "echo/3.0: 501 `:protocol`",
        "settings: extended CONNECT",
        "websocket: 5 messages, closed 1000",
        "goodbye: 1001",
        "closed: 0x100",
    ] {
        assert!(
            lines.lines().any(|line| line.starts_with(done)),
            "no `{done}` in\n{lines}"
        );
    }
    let report = example.ended().await;
    assert!(report.contains("drained"), "{report}");
}
