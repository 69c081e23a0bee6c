//! Refusals as the client sees them: what a proxy leaves of a 426, and what it is told of a proxy.

use super::fronts::{
    APACHE, APACHE_WSTUNNEL, CADDY, HAPROXY, NGINX, NGINX_MISCONFIGURED, PLAIN, replace,
};
use crate::it::wire::{Client, Request, Response};
use crate::process::Server;

/// The status, the content and `Sec-WebSocket-Version` come through everywhere.
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache and Caddy: .ci/install"]
async fn the_status_and_the_hint_come_through() {
    for front in PLAIN {
        let (proxy, _server) = front.gallery().await;
        let mut client = Client::connect(proxy.address()).await;
        let old = Request::websocket("/ws").set("Sec-WebSocket-Version", "7");
        let answer = client.ask(&old).await;
        answer.head.is(426).has("sec-websocket-version", "13");
        assert!(answer.content.contains("Version"), "{answer:?}");
    }
}

/// `Upgrade` comes through but for Caddy, `Connection` but for Caddy and nginx. RFC 9110 15.5.22 demands
/// the one; the other each proxy has to write for itself (7.6.1).
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache and Caddy: .ci/install"]
async fn the_fields_of_a_426_come_through_or_do_not() {
    let upgrade = &["websocket"][..];
    for (front, upgrade, connection) in [
        (NGINX, upgrade, &["keep-alive"][..]),
        (HAPROXY, upgrade, &["upgrade"]),
        (APACHE, upgrade, &["Upgrade"]),
        (APACHE_WSTUNNEL, upgrade, &["Upgrade"]),
        (CADDY, &[], &[]),
    ] {
        let (proxy, _server) = front.gallery().await;
        let mut client = Client::connect(proxy.address()).await;
        let answer = client.ask(&Request::get("/ws")).await;
        let (name, head) = (front.name, answer.head.is(426));
        assert_eq!(head.lines("upgrade"), upgrade, "{name}: {head:?}");
        assert_eq!(head.lines("connection"), connection, "{name}: {head:?}");
    }
}

/// HAProxy takes any answer that names WebSocket in `Upgrade` for the answer to a handshake, and adds
/// the accept value it would have.
#[tokio::test]
#[ignore = "needs HAProxy: .ci/install"]
async fn haproxy_adds_an_accept_value_to_a_426() {
    for (path, lines) in [("/ws", 1), ("/exec", 0)] {
        let (proxy, _server) = HAPROXY.gallery().await;
        let mut client = Client::connect(proxy.address()).await;
        let answer = client.ask(&Request::get(path)).await;
        let accept = answer.head.is(426).lines("sec-websocket-accept");
        assert_eq!(accept.len(), lines, "{path}: {:?}", answer.head);
    }
}

/// nginx as it comes speaks HTTP/1.0 to the server.
#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn a_misconfigured_nginx_is_told_of_http_1_0() {
    let answer = handshake_through(NGINX_MISCONFIGURED.config).await;
    assert_hint(&answer, &["HTTP/1.0", "`proxy_http_version 1.1`"]);
}

/// With HTTP/1.1, it drops `Upgrade`.
#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn a_misconfigured_nginx_is_told_of_the_upgrade_it_dropped() {
    let pass = "proxy_pass http://127.0.0.1:3001;";
    let config = replace(
        NGINX_MISCONFIGURED.config,
        pass,
        &format!("{pass} proxy_http_version 1.1;"),
    );
    let answer = handshake_through(&config).await;
    assert_hint(&answer, &["`proxy_set_header Upgrade $http_upgrade`"]);
}

/// With `Upgrade`, it writes `Connection: close`. With the last line it is what the README prints.
#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn a_misconfigured_nginx_is_told_of_the_connection_it_dropped() {
    let line = "        proxy_set_header Connection $connection_upgrade;\n";
    let answer = handshake_through(&replace(NGINX.config, line, "")).await;
    assert_hint(&answer, &["`Connection`", "a proxy in front"]);
    let answer = handshake_through(NGINX.config).await;
    answer.head.is(101);
}

async fn handshake_through(config: &str) -> Response {
    let server = Server::gallery(&[]).await;
    let change = |_: &str| config.to_owned();
    let proxy = NGINX.before_with(server.port(), change).await;
    let mut client = Client::connect(proxy.address()).await;
    client.ask(&Request::websocket("/ws")).await
}

#[track_caller]
fn assert_hint(answer: &Response, words: &[&str]) {
    answer.head.is(426);
    for word in words {
        assert!(answer.content.contains(word), "{word}: {answer:?}");
    }
}
