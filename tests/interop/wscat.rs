//! wscat, the client that people try a server with.

use crate::process::{Finished, Server, client, run};

/// A message comes back, with a subprotocol and without.
#[tokio::test]
#[ignore = "needs wscat: .ci/install"]
async fn messages_are_echoed() {
    let server = Server::gallery(&[]).await;
    for args in [&["-s", "v1"][..], &["-s", "v1", "-s", "v2"], &[]] {
        let finished = wscat(&server.ws("/ws"), args).await;
        assert_eq!(
            (finished.success, finished.stdout.trim()),
            (true, "hello"),
            "{args:?}: {}",
            finished.stderr
        );
    }
    for path in ["/either", "/multi", "/multi-server", "/axum", "/get-only"] {
        let finished = wscat(&server.ws(path), &[]).await;
        assert_eq!(
            (finished.success, finished.stdout.trim()),
            (true, "hello"),
            "{path}: {}",
            finished.stderr
        );
    }
}

/// The same over TLS, and a chat's greeting tells that it is HTTP/1.1 there too.
#[tokio::test]
#[ignore = "needs wscat: .ci/install"]
async fn messages_are_echoed_over_tls() {
    let server = Server::gallery(&["--tls"]).await;
    let finished = wscat(&server.ws("/ws"), &["-n", "-s", "v2"]).await;
    assert_eq!(
        (finished.success, finished.stdout.trim()),
        (true, "hello"),
        "{}",
        finished.stderr
    );
    let server = Server::chat(&["--tls"]).await;
    let finished = wscat(&server.ws("/chat"), &["-n", "-s", "chat.v1"]).await;
    assert_eq!(
        finished.stdout, "{\"hello\":\"HTTP/1.1\"}\n{\"said\":\"hello\"}\n",
        "{}",
        finished.stderr
    );
}

/// None of its subprotocols is ours: the server names none, and this client then hangs up.
#[tokio::test]
#[ignore = "needs wscat: .ci/install"]
async fn no_subprotocol_is_invented() {
    let server = Server::gallery(&[]).await;
    let finished = wscat(&server.ws("/ws"), &["-s", "v3"]).await;
    assert!(
        finished.stderr.contains("Server sent no subprotocol"),
        "{finished:?}"
    );
}

/// A refusal reaches the person as its status.
#[tokio::test]
#[ignore = "needs wscat: .ci/install"]
async fn refusals_are_shown() {
    let server = Server::gallery(&[]).await;
    let finished = wscat(&server.ws("/ws"), &["-o", "https://example.com"]).await;
    assert!(finished.stderr.contains("403"), "{finished:?}");
    let finished = wscat(&server.ws("/exec"), &[]).await;
    assert!(finished.stderr.contains("426"), "{finished:?}");
    let finished = wscat(&server.ws("/closed"), &[]).await;
    assert!(finished.stderr.contains("200"), "{finished:?}");
}

/// Sends `hello`, hangs up a second later.
pub(crate) async fn wscat(url: &str, args: &[&str]) -> Finished {
    run(client("node_modules/.bin/wscat")
        .args(["-c", url, "-x", "hello", "-w", "1"])
        .args(args))
    .await
}
