//! Python's `websockets`, which checks the handshake it gets and offers compression.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::process::{Server, client, run, spawn, within};

/// Messages come back over every route that speaks WebSocket: text, binary, in fragments.
#[tokio::test]
#[ignore = "needs Python's websockets: .ci/install"]
async fn messages_are_echoed() {
    let server = Server::gallery(&[]).await;
    for path in [
        "/ws",
        "/either",
        "/multi",
        "/multi-server",
        "/axum",
        "/get-only",
    ] {
        let seen = session(&server.ws(path), &["hello", "wörld"]).await;
        assert_eq!(seen["status"], 101, "{path}: {seen}");
        assert_eq!(
            seen["echoes"],
            serde_json::json!(["hello", "wörld"]),
            "{path}"
        );
        assert_eq!(seen["binary"], true, "{path}");
        assert_eq!(seen["fragments"], "in three frames", "{path}");
        assert_eq!(seen["close"], 1000, "{path}");
        assert_eq!(seen["fields"]["connection"], "upgrade", "{path}");
    }
}

/// Compression is offered by default and none is invented; without the offer all is the same.
#[tokio::test]
#[ignore = "needs Python's websockets: .ci/install"]
async fn extensions_are_not_invented() {
    let server = Server::gallery(&[]).await;
    for flags in [&["hello"][..], &["--plain", "hello"]] {
        let seen = session(&server.ws("/ws"), flags).await;
        assert_eq!(seen["echoes"], serde_json::json!(["hello"]), "{seen}");
        assert_eq!(
            seen["fields"]["sec-websocket-extensions"],
            Value::Null,
            "{seen}"
        );
    }
}

/// The subprotocol is the first of the server's that the client offered (rule 11).
#[tokio::test]
#[ignore = "needs Python's websockets: .ci/install"]
async fn the_subprotocol_is_agreed() {
    let server = Server::gallery(&[]).await;
    let seen = session(
        &server.ws("/ws"),
        &["--subprotocol", "v1", "--subprotocol", "v2", "hello"],
    )
    .await;
    assert_eq!(seen["subprotocol"], "v2", "{seen}");
    let seen = session(&server.ws("/ws"), &["--subprotocol", "v3", "hello"]).await;
    assert_eq!(
        (&seen["status"], &seen["subprotocol"]),
        (&Value::from(101), &Value::Null),
        "{seen}"
    );
}

/// A foreign origin gets 403 and a sentence; the server's own is let in (rule 10).
#[tokio::test]
#[ignore = "needs Python's websockets: .ci/install"]
async fn a_foreign_origin_is_refused() {
    let server = Server::gallery(&[]).await;
    for path in ["/ws", "/either", "/multi", "/axum", "/get-only"] {
        let seen = session(&server.ws(path), &["--origin", "https://example.com"]).await;
        assert_eq!(seen["status"], 403, "{path}: {seen}");
        assert!(
            seen["body"]
                .as_str()
                .is_some_and(|body| body.contains("rigin")),
            "{path}: {seen}"
        );
        let seen = session(&server.ws(path), &["--origin", &server.http(""), "hello"]).await;
        assert_eq!(seen["status"], 101, "{path}: {seen}");
    }
}

/// Where nobody speaks WebSocket, the client is told so by an ordinary answer.
#[tokio::test]
#[ignore = "needs Python's websockets: .ci/install"]
async fn routes_that_do_not_switch_answer() {
    let server = Server::gallery(&[]).await;
    for (path, status) in [
        ("/closed", 200),
        ("/unaware", 200),
        ("/decline", 403),
        ("/exec", 426),
        ("/secure", 426),
    ] {
        let seen = session(&server.ws(path), &[]).await;
        assert_eq!(seen["status"], status, "{path}: {seen}");
    }
}

/// A server that is told to end closes every WebSocket with 1001, and then ends by itself.
#[tokio::test]
#[ignore = "needs Python's websockets: .ci/install"]
async fn a_hundred_are_told_that_the_server_ends() {
    for server in [Server::graceful().await, Server::gallery(&[]).await] {
        let script = script("drain.py");
        let mut holding = client("venv/bin/python");
        holding.arg(script).arg(server.ws("/ws")).arg("100");
        let (_child, stdout) = spawn(&mut holding);
        let mut lines = BufReader::new(stdout).lines();
        let mut said = async |what| within(30, what, lines.next_line()).await.ok().flatten();
        let open = said("a hundred WebSockets").await;
        assert_eq!(open.as_deref(), Some("all are open"));
        server.signal("TERM").await;
        let codes = said("their close").await;
        assert_eq!(codes.as_deref(), Some("{\"1001\": 100}"));
        let (code, report) = server.end().await;
        assert_eq!(code, Some(0), "{report}");
        assert!(report.contains(": 100 ended, 0 closed"), "{report}");
    }
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/interop")
        .join(name)
}

/// Opens a WebSocket, has it echo, and returns what the client saw.
pub(crate) async fn session(url: &str, args: &[&str]) -> Value {
    let script = script("session.py");
    let finished = run(client("venv/bin/python").arg(script).arg(url).args(args)).await;
    assert!(finished.success, "{url} {args:?}: {}", finished.stderr);
    serde_json::from_str(&finished.stdout).expect("the script prints JSON")
}
