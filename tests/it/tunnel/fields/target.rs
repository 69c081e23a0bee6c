//! Where a request goes, and for which host.

use http::{Method, Uri, Version};
use tokio::net::TcpStream;
use tower::Layer;
use tower_upgrade::{Head, tunnel::Tunnel};

use super::{forwarded, forwarded_http2};
use crate::{
    http2,
    tunnel::{
        edge::{edge, layer, listen, serve, tunnel_to, uri},
        upstream::Upstream,
    },
    wire::{Client, Request},
};

/// What is asked of an upstream whose URI has this path.
async fn asked_below(prefix: &str, target: &str) -> String {
    let upstream = Upstream::new().await;
    let below = Uri::try_from(format!("http://{}{prefix}", upstream.address()));
    let tunnel = tunnel_to(below.unwrap(), Version::HTTP_11);
    let mut client = Client::connect(serve(layer(), tunnel).await).await;
    let request = match target {
        "*" => Request::get("*").method("OPTIONS"),
        target => Request::get(target),
    };
    client.send(request.to_bytes()).await;
    let (mut peer, asked) = upstream.asked().await;
    peer.answer("done").await;
    client.head().await.is(200);
    asked.line
}

#[tokio::test]
async fn path_and_query_are_kept_to_the_byte() {
    for target in [
        "/",
        "/a",
        "/a/../b//c",
        "/a?b=c&d=%20%2F",
        "/%41?",
        "/a?/b?c",
        "//a",
    ] {
        let line = forwarded(&Request::get(target)).await.line;
        assert_eq!(line, format!("GET {target} HTTP/1.1"));
    }
}

#[tokio::test]
async fn the_upstreams_path_is_put_before() {
    for (prefix, target, expected) in [
        ("/api", "/a?b", "/api/a?b"),
        ("/api/", "/a", "/api/a"),
        ("/api/v1", "/", "/api/v1/"),
        ("/", "/a", "/a"),
        ("/api", "/?q=/x", "/api/?q=/x"),
    ] {
        let line = asked_below(prefix, target).await;
        assert_eq!(
            line,
            format!("GET {expected} HTTP/1.1"),
            "{prefix} {target}"
        );
    }
}

#[tokio::test]
async fn the_host_is_the_one_that_was_asked_for() {
    let with_port = Request::get("/").set("Host", "B.example:8080");
    forwarded(&with_port).await.has("host", "B.example:8080");
    // RFC 9112 3.2.2: an absolute target overrules the field.
    let absolute = Request::get("http://b.example:81/a?b").set("Host", "a.example");
    let asked = forwarded(&absolute).await;
    asked.has("host", "b.example:81");
    assert_eq!(asked.line, "GET /a?b HTTP/1.1");
    let asked = forwarded_http2(http2::get("/a?b")).await;
    asked.has("host", http2::AUTHORITY);
    assert_eq!(asked.line, "GET /a?b HTTP/1.1");
}

#[tokio::test]
async fn without_exactly_one_host_it_is_400() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let sound = Request::get("/").set("Accept", "application/problem+json");
    for request in [
        sound.clone().add("Host", "b.example"),
        sound.clone().add("Host", "a.example"),
        sound.clone().without("Host"),
        sound.clone().set("Host", "a.example, b.example"),
        sound.clone().set("Host", "user@a.example"),
        sound.clone().set("Host", ""),
    ] {
        let mut client = Client::connect(edge).await;
        let answer = client.ask(&request).await;
        answer.head.is(400);
        assert!(answer.content.contains(r#""kind":"host""#), "{answer:?}");
        // It stays HTTP.
        client.send(sound.to_bytes()).await;
        let (mut peer, asked) = upstream.asked().await;
        asked.has("host", "a.example");
        peer.answer("done").await;
        client.head().await.is(200);
    }
}

/// Over HTTP/2 a `Host` besides says the same, or it is 400 (RFC 9113 8.3.1).
#[tokio::test]
async fn two_hosts_of_http2_are_one() {
    let same = http2::get("/").header("host", http2::AUTHORITY);
    forwarded_http2(same).await.has("host", http2::AUTHORITY);
    let (edge, _upstream) = Upstream::behind_edge().await;
    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    let another = http2::get("/").header("host", "another.example");
    assert_eq!(client.send(another).await.status(), 400);
}

/// HTTP/1.0 need not name one, and is answered in its own way.
#[tokio::test]
async fn http10_passes_without_a_host() {
    let (edge, upstream) = Upstream::behind_edge().await;
    for request in [
        Request::get("/").version("HTTP/1.0").without("Host"),
        Request::get("/").version("HTTP/1.0"),
    ] {
        let mut client = Client::connect(edge).await;
        client.send(request.to_bytes()).await;
        let (mut peer, asked) = upstream.asked().await;
        assert_eq!(asked.line, "GET / HTTP/1.1");
        peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ndone\r\n0\r\n\r\n")
            .await;
        let head = client.head().await;
        head.is(200).lacks("transfer-encoding");
        assert_eq!(head.version, "HTTP/1.0");
        client.expect("done").await;
        client.expect_end().await;
    }
    let mut client = Client::connect(edge).await;
    let two = Request::get("/")
        .version("HTTP/1.0")
        .add("Host", "b.example");
    client.ask(&two).await.head.is(400);
}

/// No absolute target can say `*`, and nothing panics over it.
#[tokio::test]
async fn options_of_the_whole_server_is_answered() {
    let request = Request::get("*").method("OPTIONS");
    assert_eq!(forwarded(&request).await.line, "OPTIONS / HTTP/1.1");
    asked_below("/api", "*").await;
}

/// A CONNECT without a protocol, or with one that is not forwarded, is no business of a reverse proxy.
#[tokio::test]
async fn other_connects_are_501() {
    let (edge, upstream) = Upstream::behind_edge().await;
    let mut client = Client::connect(edge).await;
    let request = Request::get("a.example:80").method("CONNECT");
    let answer = client.ask(&request.set("Host", "a.example:80")).await;
    answer.head.is(501);
    let client = http2::Client::over(TcpStream::connect(edge).await.unwrap()).await;
    let answer = client.send(http2::connect("tcp", "/")).await;
    assert_eq!(answer.status(), 501);
    let plain = http::Request::builder()
        .method(Method::CONNECT)
        .version(Version::HTTP_2)
        .uri("a.example:80");
    assert_eq!(client.send(plain).await.status(), 501);
    // The upstream heard of none of them.
    let sent = tokio::spawn(async move { client.send(http2::get("/first")).await });
    let (mut peer, asked) = upstream.asked().await;
    assert_eq!(asked.line, "GET /first HTTP/1.1");
    peer.answer("done").await;
    assert_eq!(sent.await.unwrap().body(), "done");
}

/// An upstream chosen by a closure sees what the client asked for.
#[tokio::test]
async fn a_closure_chooses_by_the_request() {
    let (first, second) = (Upstream::new().await, Upstream::new().await);
    let uris = [uri(first.address()), uri(second.address())];
    let choose = move |head: &Head<'_>| match head.uri.path() {
        "/none" => None,
        path => Some(uris[usize::from(path.starts_with("/second"))].clone()),
    };
    let tunnel = tunnel_to(uri(first.address()), Version::HTTP_11);
    let tunnel = Tunnel::new(tunnel.get_ref().clone(), choose);
    let edge = listen(layer().layer(tunnel)).await;
    for (path, upstream) in [("/first", &first), ("/second", &second)] {
        let mut client = Client::connect(edge).await;
        client
            .send(Request::upgrade(path, "echo/1.0").to_bytes())
            .await;
        let (_, asked) = upstream.asked().await;
        assert_eq!(asked.line, format!("GET {path} HTTP/1.1"));
    }
    let mut client = Client::connect(edge).await;
    client.ask(&Request::get("/none")).await.head.is(503);
    client.ask(&Request::websocket("/none")).await.head.is(503);
}

/// Over HTTP/2 `:authority` says where the connection goes, too.
#[tokio::test]
async fn an_upstream_of_http2_sees_its_own_name() {
    let (upstream, seen) = super::seeing().await;
    let edge = edge(upstream, Version::HTTP_2).await;
    let mut client = Client::connect(edge).await;
    client.ask(&Request::get("/a?b")).await.head.is(200);
    let (target, headers) = seen.lock().unwrap().pop().unwrap();
    assert_eq!(target, format!("http://{upstream}/a?b"));
    assert!(!headers.contains_key("host"), "{headers:?}");
}
