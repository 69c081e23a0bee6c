//! What the server learns of the client: the host it asked for, and its address.

use tower_upgrade::{Limit, lifetime::forwarded_for};

use super::backend::Backend;
use super::fronts::{APACHE, NGINX, PLAIN, replace};
use crate::it::wire::{Client, Request};
use crate::process::Server;

const HOST: &str = "here.example";
const ORIGIN: &str = "https://here.example";

/// A page of the same host is let in, for the proxy passes on the `Host` it was asked for.
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache and Caddy: .ci/install"]
async fn a_page_of_the_same_host_is_let_in() {
    for front in PLAIN {
        let (proxy, _server) = front.gallery().await;
        let mut client = Client::connect(proxy.address()).await;
        let own = Request::websocket("/ws").set("Host", HOST);
        client
            .offer(&own.clone().set("Origin", ORIGIN))
            .await
            .is(101);
        let mut client = Client::connect(proxy.address()).await;
        let other = own.set("Origin", "https://elsewhere.example");
        client.ask(&other).await.head.is(403);
    }
}

const NGINX_LINE: &str = "proxy_set_header Host $http_host;";
const APACHE_LINE: &str = "ProxyPreserveHost On";

/// Without the line that keeps it, nobody's page is, and the refusal says why.
#[tokio::test]
#[ignore = "needs nginx and Apache: .ci/install"]
async fn without_the_host_no_page_is_let_in() {
    for (front, line) in [(NGINX, NGINX_LINE), (APACHE, APACHE_LINE)] {
        let server = Server::gallery(&[]).await;
        let change = |config: &str| replace(config, line, "");
        let proxy = front.before_with(server.port(), change).await;
        let mut client = Client::connect(proxy.address()).await;
        let own = Request::websocket("/ws").set("Host", HOST);
        let answer = client.ask(&own.set("Origin", ORIGIN)).await;
        answer.head.is(403);
        assert!(answer.content.contains("rewrites `Host`"), "{answer:?}");
    }
}

/// Where a server trusts it, `X-Forwarded-Host` stands in. Apache always sends it.
#[tokio::test]
#[ignore = "needs nginx and Apache: .ci/install"]
async fn the_forwarded_host_stands_in() {
    let forwarded = "proxy_set_header X-Forwarded-Host $http_host;";
    for (front, line, instead) in [(NGINX, NGINX_LINE, forwarded), (APACHE, APACHE_LINE, "")] {
        let backend = Backend::start(|layer| layer).await;
        let change = |config: &str| replace(config, line, instead);
        let proxy = front.before_with(backend.port(), change).await;
        let own = Request::websocket("/").set("Host", HOST);
        let mut client = Client::connect(proxy.address()).await;
        client
            .offer(&own.clone().set("Origin", ORIGIN))
            .await
            .is(101);
        let mut client = Client::connect(proxy.address()).await;
        let other = own.set("Origin", "https://elsewhere.example");
        client.ask(&other).await.head.is(403);
    }
}

/// A limit by address counts the clients of the proxy, whatever they say of themselves.
#[tokio::test]
#[ignore = "needs nginx, HAProxy, Apache and Caddy: .ci/install"]
async fn who_is_counted_is_the_proxys_client() {
    for front in PLAIN {
        let limit = Limit::per_key(1, forwarded_for(1));
        let backend = Backend::start(|layer| layer.limit(limit)).await;
        let proxy = front.before(backend.port()).await;
        let offer = |claim: &str| Request::websocket("/").set("X-Forwarded-For", claim);
        let mut first = Client::connect(proxy.address()).await;
        first.offer(&offer("192.0.2.1")).await.is(101);
        let mut second = Client::connect(proxy.address()).await;
        let refused = second.ask(&offer("192.0.2.2")).await;
        assert_eq!(refused.head.status, 429, "{}: {refused:?}", front.name);
    }
}
