//! HAProxy, which passes upgrades on unless it is told otherwise.

use super::{Setup, haproxy};
use crate::proxy::Kind;

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn as_it_comes_it_is_fine() {
    let told = Setup::of_haproxy("")
        .await
        .ask(&["--subprotocol", "v2"])
        .await;
    told.exits(0).blames(&[]).finds(0, &[]);
    told.is_fine_with(&[
        "plain-get",
        "handshake",
        "subprotocol",
        "idle",
        "early-bytes",
    ]);
    assert_eq!(told.seen(0, "proxy"), "HAProxy");
}

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn http2_behind_it_is_fine_too() {
    let config = haproxy("").replace("127.0.0.1:3001", "127.0.0.1:3001 proto h2");
    let told = Setup::of(Kind::HaProxy, &config).await.ask(&[]).await;
    told.exits(0).blames(&[]);
    told.is_fine_with(&["plain-get", "handshake", "version", "idle"]);
}

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn an_upgrade_that_it_deletes() {
    let setup = Setup::of_haproxy("http-request del-header Upgrade").await;
    let told = setup.ask(&[]).await;
    let id = "proxy-drops-upgrade";
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_in(0, id, &["HAProxy"]);
    told.is_mended_by(0, id, "HAProxy", "remove `http-request del-header Upgrade`");
}

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn a_host_that_it_writes() {
    let setup = Setup::of_haproxy("http-request set-header Host backend.internal").await;
    let told = setup.ask(&[]).await;
    let id = "proxy-rewrites-host";
    told.exits(2).blames(&[(0, id)]);
    told.is_mended_by(
        0,
        id,
        "HAProxy",
        "remove `http-request set-header Host ...`",
    );
}

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn subprotocols_that_it_deletes() {
    for line in [
        "http-request del-header Sec-WebSocket-Protocol",
        "http-response del-header Sec-WebSocket-Protocol",
    ] {
        let told = Setup::of_haproxy(line)
            .await
            .ask(&["--subprotocol", "v1"])
            .await;
        let id = "proxy-drops-subprotocol";
        told.exits(2).blames(&[(0, id)]);
        told.is_mended_by(0, id, "HAProxy", &format!("remove `{line}`"));
        told.says(0, id, "saw", "none here, v1 behind");
    }
}

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn a_server_that_it_does_not_find() {
    // The address of nobody; the gallery is asked directly.
    let config = haproxy("").replace("127.0.0.1:3001", "127.0.0.1:1");
    let setup = Setup::of(Kind::HaProxy, &config).await;
    let told = setup.ask(&[]).await;
    told.exits(2).blames(&[(0, "proxy-misses-server")]);
    let address = setup.gallery.http("").replace("http://", "");
    let line = format!("server NAME {address}");
    told.is_mended_by(0, "proxy-misses-server", "HAProxy", &line);
}

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn what_it_refuses_by_a_rule() {
    let told = Setup::of_haproxy("http-request deny deny_status 403")
        .await
        .ask(&[])
        .await;
    told.exits(2).blames(&[(0, "proxy-refuses")]);
    let told = Setup::of_haproxy("http-request redirect location /elsewhere")
        .await
        .ask(&[])
        .await;
    told.exits(2).blames(&[(0, "proxy-redirects")]);
}
