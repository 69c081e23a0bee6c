//! What other servers say in words of their own, and how they name themselves.

use std::sync::Arc;

use http::{Request, Version};
use tower_upgrade::{
    Policy, WebSocket,
    negotiate::{Decision, Offer},
};

use super::{run::doctor, server::Server};

/// Servers refuse an offer that lost its `Upgrade` in many ways.
#[tokio::test]
async fn a_dropped_upgrade_is_read_off_other_refusals_too() {
    for bytes in [
        // node's `ws`, axum's extractor, Python's `websockets`.
        &b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/html\r\nContent-Length: 23\r\n\r\n<h1>Missing Upgrade</h1>"[..],
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 48\r\n\r\n`Connection` header did not include 'upgrade'\r\n\r\n",
        b"HTTP/1.1 426 Upgrade Required\r\nTransfer-Encoding: chunked\r\nContent-Type: text/plain\r\n\r\n14;a=b\r\nFailed to open a Web\r\n6\r\nSocket\r\n0\r\n\r\n",
    ] {
        let server = Server::saying(bytes, false).await;
        let told = doctor(&[&server.url("ws")]).await;
        told.exits(2).says(0, "upgrade-dropped", "level", "error");
        told.is_mended_in(0, "upgrade-dropped", &["nginx", "HAProxy", "Apache"]);
    }
}

/// This crate's own hints are understood as plain text too, for a proxy may take `Accept` off.
#[tokio::test]
async fn a_hint_need_not_be_problem_details() {
    let http10 = Request::get("/ws").version(Version::HTTP_10);
    let unbound = Request::get("/ws").header("upgrade", "websocket");
    let stripped = Request::get("/ws").header("sec-websocket-version", "13");
    for (request, id) in [
        (http10, "upgrade-over-http10"),
        (unbound, "connection-dropped"),
        (stripped, "upgrade-dropped"),
    ] {
        let text = refusal(&request.body(()).unwrap());
        let server = Server::saying(text.leak().as_bytes(), false).await;
        let told = doctor(&[&server.url("ws")]).await;
        told.exits(2).says(0, id, "level", "error");
        assert!(told.seen(0, "hint")["kind"].is_null());
    }
}

/// What the layer answers to such a request, as it goes over the wire.
fn refusal(request: &Request<()>) -> String {
    let policy = Arc::new(Policy::require(WebSocket::new()));
    let Decision::Refuse(refusal) = policy.decide(&Offer::read(request)) else {
        panic!("{request:?} is not refused");
    };
    let (head, content) = refusal.to_response(request.headers()).into_parts();
    let fields = head.headers.iter();
    let fields = fields.map(|(name, value)| format!("{name}: {}\r\n", value.to_str().unwrap()));
    let (fields, length) = (fields.collect::<String>(), content.len());
    let content = String::from_utf8_lossy(&content);
    format!(
        "HTTP/1.1 {}\r\n{fields}content-length: {length}\r\n\r\n{content}",
        head.status
    )
}

/// The lines are of those proxies that gave their name, in a field or by their own page.
#[tokio::test]
async fn lines_are_for_the_proxies_that_are_there() {
    for (fields, page, expected) in [
        ("Server: nginx", "", &["nginx"][..]),
        ("Server: openresty/1.2", "", &["nginx"]),
        ("Via: 1.1 Apache/2.4", "", &["Apache"]),
        (
            "Server: nginx/1.2",
            "<h1>400 Bad request</h1>\nYour browser sent an invalid request.\n",
            &["HAProxy", "nginx"],
        ),
        ("Server: other", "<center>nginx/1.2</center>", &["nginx"]),
        ("Server: other", "", &["nginx", "HAProxy", "Apache"]),
    ] {
        let length = page.len();
        let text = format!(
            "HTTP/1.1 426 Upgrade Required\r\n{fields}\r\nContent-Length: {length}\r\n\r\n{page}"
        );
        let server = Server::saying(text.leak().as_bytes(), false).await;
        let told = doctor(&[&server.url("ws")]).await;
        told.is_mended_in(0, "upgrade-dropped", expected);
    }
}
