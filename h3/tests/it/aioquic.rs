//! By Python's aioquic, with wsproto for the WebSocket's frames.

use std::{path::Path, process::Stdio};

use tokio::process::Command;

use crate::{server::start, soon, until};

#[tokio::test]
#[ignore = "needs Python's aioquic: .ci/install"]
async fn it_loads_a_page_and_talks_over_two_protocols() {
    let mut server = start();
    let crate_directory = Path::new(env!("CARGO_MANIFEST_DIR"));
    let client = Command::new(crate_directory.join("../target/clients/venv/bin/python"))
        .arg(crate_directory.join("tests/clients/aioquic_client.py"))
        .arg("site")
        .arg(server.address.port().to_string())
        .arg(server.chain())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = soon(client).await.expect("Python is there");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{complained}");
    for done in [
        "settings: extended CONNECT",
        "GET: 200 a page",
        "POST: 200 100000",
        "fields: 200",
        "websocket: 5 messages, closed 1000",
        "echo/1.0: half-closed",
        "unknown: 501",
        "GET of a WebSocket: 405 CONNECT",
        "reset: sent",
    ] {
        assert!(
            said.lines().any(|line| line == done),
            "no `{done}` in\n{said}\n{complained}"
        );
    }
    let (_, why) = soon(server.ends.recv()).await.unwrap();
    assert_eq!(why, Some(std::io::ErrorKind::ConnectionReset));
    until(|| server.limit.live() == 0).await;
}
