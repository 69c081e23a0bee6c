//! Real clients through the example `proxy`, in front of `gallery`.

use crate::{process::Server, python::session, wscat::wscat};

/// Python's client echoes through it, whatever version the upstream is spoken to in.
#[tokio::test]
#[ignore = "needs Python's websockets: .ci/install"]
async fn python_echoes() {
    let gallery = Server::gallery(&[]).await;
    for args in [&[][..], &["--upstream-http2"]] {
        let upstream = gallery.http("");
        let proxy = Server::proxy(&[&["--upstream", &upstream][..], args].concat()).await;
        let flags = ["--subprotocol", "v1", "--subprotocol", "v2", "hello"];
        let seen = session(&proxy.ws("/ws"), &flags).await;
        assert_eq!(
            seen["echoes"],
            serde_json::json!(["hello"]),
            "{args:?}: {seen}"
        );
        assert_eq!(seen["fields"]["connection"], "upgrade", "{args:?}");
        assert_eq!(seen["fields"]["sec-websocket-protocol"], "v2", "{args:?}");
        assert_eq!(seen["close"], 1000, "{args:?}");
    }
}

/// So does wscat, over TLS too, with a subprotocol that the upstream selects.
#[tokio::test]
#[ignore = "needs wscat: .ci/install"]
async fn wscat_echoes() {
    let gallery = Server::gallery(&[]).await;
    for args in [&[][..], &["--tls"], &["--tls", "--upstream-http2"]] {
        let upstream = gallery.http("");
        let proxy = Server::proxy(&[&["--upstream", &upstream][..], args].concat()).await;
        let finished = wscat(&proxy.ws("/ws"), &["-n", "-s", "v1", "-s", "v2"]).await;
        assert_eq!(
            finished.stdout.trim(),
            "hello",
            "{args:?}: {}",
            finished.stderr
        );
    }
}
