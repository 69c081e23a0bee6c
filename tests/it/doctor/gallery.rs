//! The gallery, over HTTP/1.1 and HTTP/2, in the clear and over TLS.

use super::run::doctor;
use crate::process::Server;

/// What is told of a stream where all is well.
const HTTP2: [&str; 5] = [
    "http2-get",
    "http2-connect",
    "http2-ping",
    "http2-idle",
    "http2-close",
];

#[tokio::test]
async fn every_websocket_route_is_fine() {
    let server = Server::gallery(&[]).await;
    for path in ["/ws", "/either", "/multi", "/axum", "/get-only"] {
        let told = doctor(&[&server.ws(path), "--http2", "--idle", "0.1"]).await;
        told.exits(0)
            .finds(0, &[])
            .is_fine_with(&["handshake", "foreign-origin", "early-bytes"]);
        told.is_fine_with(&HTTP2);
    }
    let told = doctor(&[
        &server.ws("/ws"),
        "--http2",
        "--idle",
        "0.1",
        "--subprotocol",
        "v1",
    ])
    .await;
    told.exits(0)
        .finds(0, &[])
        .is_fine_with(&["subprotocol", "http2-subprotocol"]);
}

#[tokio::test]
async fn over_tls_its_certificate_is_all() {
    let server = Server::gallery(&["--tls"]).await;
    let told = doctor(&[&server.ws("/ws"), "--idle", "0.1"]).await;
    told.exits(2)
        .finds(0, &[("error", "certificate-self-signed")]);
    told.is_fine_with(&HTTP2)
        .is_fine_with(&["handshake", "early-bytes"]);
    told.says(0, "alpn", "saw", "h2 of h2");
    // It was its own authority.
    told.says(0, "certificate-self-signed", "mend", "--ca");
}

#[tokio::test]
async fn routes_that_speak_no_websocket() {
    let server = Server::gallery(&[]).await;
    let ask = async |path| doctor(&[&server.ws(path), "--idle", "0.1", "--http2"]).await;
    let both = |id| [("error", id), ("error", "http2-connect-refused")];
    ask("/closed")
        .await
        .exits(2)
        .finds(0, &both("not-a-websocket"));
    ask("/unaware")
        .await
        .exits(2)
        .finds(0, &both("not-a-websocket"));
    let told = ask("/decline").await;
    told.exits(2).says(0, "forbidden", "saw", "403");
    let told = ask("/exec").await;
    told.exits(2).says(0, "other-protocol", "means", "echo/1.0");
    let told = ask("/secure").await;
    told.exits(2).says(0, "tls-required", "mend", "wss:");
    let told = ask("/http2").await;
    told.exits(2).says(0, "http2-required", "mend", "--http2");
    let told = ask("/nowhere").await;
    told.exits(2).says(0, "no-such-path", "saw", "404");
}

#[tokio::test]
async fn a_426_that_asks_for_something_else_is_right() {
    let server = Server::gallery(&[]).await;
    for (path, note, error, upgrade) in [
        (
            "/secure",
            "upgrade-required-tls",
            "tls-required",
            "TLS/1.2, HTTP/1.1",
        ),
        (
            "/http2",
            "upgrade-required-http2",
            "http2-required",
            "HTTP/2.0",
        ),
        (
            "/exec",
            "upgrade-required-other",
            "other-protocol",
            "echo/1.0",
        ),
    ] {
        let told = doctor(&[&server.ws(path)]).await;
        told.exits(2).finds(0, &[("note", note), ("error", error)]);
        told.says(0, note, "saw", upgrade);
    }
}

#[tokio::test]
async fn a_route_that_closes_the_idle() {
    let server = Server::gallery(&[]).await;
    let told = doctor(&[&server.ws("/idle"), "--idle", "30", "--http2"]).await;
    let both = [("error", "idle-cut"), ("error", "http2-idle-cut")];
    told.exits(2).finds(0, &both);
    // Nobody gives a name, so there are lines for each.
    told.is_mended_in(0, "idle-cut", &["nginx", "HAProxy", "Apache"]);
    let told = doctor(&[&server.ws("/ws"), "--idle", "1.5", "--http2"]).await;
    told.exits(0).finds(0, &[]);
}

#[tokio::test]
async fn another_site_is_refused_and_ours_is_not() {
    let server = Server::gallery(&[]).await;
    let told = doctor(&[
        &server.ws("/ws"),
        "--idle",
        "0.1",
        "--origin",
        "https://a.example",
    ])
    .await;
    told.exits(2).finds(0, &[("error", "origin-refused")]);
    assert_eq!(told.seen(0, "hint")["kind"], "origin");
    let ours = server.http("");
    let told = doctor(&[&server.ws("/ws"), "--idle", "0.1", "--origin", &ours]).await;
    told.exits(0).finds(0, &[]);
}

#[tokio::test]
async fn the_wrong_scheme_is_told() {
    let plain = Server::gallery(&[]).await;
    let url = plain.ws("/ws").replacen("ws:", "wss:", 1);
    doctor(&[&url])
        .await
        .exits(2)
        .finds(0, &[("error", "tls-not-spoken")]);
    let tls = Server::gallery(&["--tls"]).await;
    let url = tls.ws("/ws").replacen("wss:", "ws:", 1);
    doctor(&[&url])
        .await
        .exits(2)
        .finds(0, &[("error", "speaks-tls")]);
}
