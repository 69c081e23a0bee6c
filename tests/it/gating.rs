//! `require`, `offer`, `forbid`, tables of them, and what a policy asks besides (rules 7, 8, 13).

use http::Version;
use tower_upgrade::{Policy, Protocol, Routes, WebSocket};

use crate::{
    outcome::{passes, refuses, switches},
    spy::Spy,
    wire::Request,
};

fn echo() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

fn offer(target: &str) -> Request {
    Request::upgrade(target, "echo/1.0")
}

#[tokio::test]
async fn require_lets_nothing_through_that_does_not_switch() {
    // Rule 7: "`require`: → refuse."
    let policy = Policy::require(echo());
    for request in [
        Request::get("/"),
        Request::get("/").method("POST").content("x"),
    ] {
        refuses(policy.clone(), &request, 426)
            .await
            .head
            .has("upgrade", "echo/1.0");
    }
    switches(policy, &offer("/"), "echo/1.0").await;
}

#[tokio::test]
async fn offer_switches_or_passes() {
    // Rule 7: "`offer`: nothing acceptable offered → pass, in the same way."
    let policy = Policy::offer(echo()).or(WebSocket::new());
    switches(policy.clone(), &offer("/"), "echo/1.0").await;
    switches(policy.clone(), &Request::websocket("/"), "websocket").await;
    passes(policy.clone(), &Request::get("/")).await;
    let foreign = Request::upgrade("/", "foo").set("Connection", "keep-alive, Upgrade");
    let seen = passes(policy.clone(), &foreign).await;
    assert_eq!(seen.lines("connection"), ["keep-alive"]);
    // What names a protocol of ours and is amiss beyond that is refused all the same.
    refuses(policy, &Request::upgrade("/", "websocket"), 426).await;
}

#[tokio::test]
async fn forbid_takes_the_offer_out() {
    // Rule 7: "`Upgrade`, and its member in `Connection`, are taken out, the handle is dropped, the
    // request passes."
    for (connection, left) in [
        (&["Upgrade"][..], &[][..]),
        (&["keep-alive, Upgrade"], &["keep-alive"]),
        (&["Upgrade, TE"], &["TE"]),
        (&["a, upgrade", "b"], &["a, b"]),
        (&["keep-alive"], &["keep-alive"]),
        (&["xupgradey"], &["xupgradey"]),
    ] {
        let mut request = offer("/").add("Upgrade", "websocket").without("Connection");
        for line in connection {
            request = request.add("Connection", line);
        }
        let seen = passes(Policy::forbid(), &request).await;
        assert_eq!(seen.lines("connection"), left, "{connection:?}");
    }
}

#[tokio::test]
async fn content_of_a_request_that_passes_is_left_to_the_service() {
    // Rule 12 is about offers that are let through; all else passes as it is.
    let request = Request::upgrade("/", "foo")
        .method("POST")
        .content("some content");
    for policy in [Policy::offer(echo()), Policy::forbid()] {
        let seen = passes(policy, &request).await;
        assert_eq!(seen.content, "some content");
    }
}

#[tokio::test]
async fn requests_pipelined_behind_a_refusal_are_answered() {
    // A refusal is an ordinary answer: the connection stays what it was.
    let routes = Routes::new().at("/echo", Policy::require(echo()));
    let (mut client, spy) = Spy::behind(routes);
    let refused = Request::upgrade("/echo", "foo").to_bytes();
    let plain = Request::get("/plain")
        .method("POST")
        .content("a")
        .to_bytes();
    client
        .send([&refused[..], &plain, &refused, &plain].concat())
        .await;
    for _ in 0..2 {
        client.response().await.head.is(426);
        let response = client.response().await;
        response.head.is(200);
        assert_eq!(response.content, "a");
    }
    assert_eq!(spy.seen().len(), 2);
    client.offer(&offer("/echo")).await.is(101);
    client.send("ping").await;
    client.expect("ping").await;
}

#[tokio::test]
async fn the_content_of_a_refused_offer_is_not_taken_for_a_request() {
    // RFC 9112 9.3: content that was not read is, or the connection ends.
    let (mut client, spy) = Spy::behind(Policy::offer(echo()));
    let smuggled = Request::get("/smuggled").to_bytes();
    let request = offer("/").method("POST").content(smuggled);
    client.ask(&request).await.head.is(400);
    if client.try_send(Request::get("/next").to_bytes()).await {
        client.finish().await;
        client.read_to_end().await;
    }
    for seen in spy.seen() {
        assert_eq!(seen.target, "/next");
    }
}

#[tokio::test]
async fn routes_give_each_path_its_policy() {
    // The patterns are axum's; a path that matches none is not upgraded unless the table says so.
    let routes = Routes::new()
        .at("/chat/{room}", Policy::require(WebSocket::new()))
        .at("/exec/{*rest}", Policy::offer(echo()))
        .at("/exec/fixed", Policy::forbid());
    switches(
        routes.clone(),
        &Request::websocket("/chat/1?x=/exec/2"),
        "websocket",
    )
    .await;
    refuses(routes.clone(), &Request::get("/chat/1"), 426).await;
    refuses(routes.clone(), &offer("/chat/1"), 426).await;
    switches(routes.clone(), &offer("/exec/a/b"), "echo/1.0").await;
    passes(routes.clone(), &Request::get("/exec/a/b")).await;
    passes(routes.clone(), &offer("/exec/fixed")).await;
    for target in [
        "/",
        "/chat",
        "/chat/",
        "/chat/1/2",
        "/Chat/1",
        "//chat/1",
        "/%63hat/1",
        "*",
    ] {
        let method = if target == "*" { "OPTIONS" } else { "GET" };
        passes(routes.clone(), &Request::websocket(target).method(method)).await;
    }
    // A target in the absolute form has a path like any other.
    refuses(routes, &Request::get("http://a.example/chat/1"), 426).await;
}

#[tokio::test]
async fn otherwise_sets_the_policy_of_all_other_paths() {
    let routes = Routes::new().at("/open", Policy::forbid());
    let routes = routes.otherwise(Policy::require(echo()));
    refuses(routes.clone(), &Request::get("/"), 426).await;
    switches(routes.clone(), &offer("/any"), "echo/1.0").await;
    passes(routes, &offer("/open")).await;
}

#[tokio::test]
async fn without_tls_a_426_names_it() {
    // RFC 2817 4.2: "HTTP/1.1 426 Upgrade Required / Upgrade: TLS/1.0, HTTP/1.1 / Connection: Upgrade"
    let policy = |mode: Policy| mode.require_tls(|head| head.headers.contains_key("x-tls"));
    for mode in [
        Policy::forbid(),
        Policy::offer(echo()),
        Policy::require(echo()),
    ] {
        for request in [
            Request::get("/"),
            offer("/"),
            Request::get("/").version("HTTP/1.0"),
        ] {
            let refusal = refuses(policy(mode.clone()), &request, 426).await;
            refusal
                .head
                .has("upgrade", "TLS/1.2, HTTP/1.1")
                .has("connection", "upgrade");
        }
    }
    passes(
        policy(Policy::forbid()),
        &Request::get("/").add("X-TLS", "1"),
    )
    .await;
    switches(
        policy(Policy::require(echo())),
        &offer("/").add("X-TLS", "1"),
        "echo/1.0",
    )
    .await;
    refuses(
        policy(Policy::require(echo())),
        &Request::get("/").add("X-TLS", "1"),
        426,
    )
    .await
    .head
    .has("upgrade", "echo/1.0");
}

#[tokio::test]
async fn a_tunnel_is_asked_for_tls_like_all_else() {
    // RFC 9110 9.3.6: a CONNECT is no offer, but it is a request.
    let policy = Policy::forbid().require_tls(|head| head.headers.contains_key("x-tls"));
    let connect = Request::get("b.example:80").method("CONNECT");
    let refusal = refuses(policy.clone(), &connect, 426).await;
    refusal.head.has("upgrade", "TLS/1.2, HTTP/1.1");
    let (mut client, spy) = Spy::behind(policy);
    client.offer(&connect.add("X-TLS", "1")).await.is(200);
    assert!(spy.only().has_handle);
}

#[tokio::test]
async fn of_too_old_an_http_a_426_names_the_one_required() {
    // 15.5.22: "the server refuses to perform the request using the current protocol but might be
    // willing to do so after the client upgrades to a different protocol."
    for (version, named) in [(Version::HTTP_2, "HTTP/2.0"), (Version::HTTP_3, "HTTP/3.0")] {
        let policy = Policy::forbid().require_http(version);
        let refusal = refuses(policy, &Request::get("/"), 426).await;
        refusal
            .head
            .has("upgrade", named)
            .has("connection", "upgrade");
    }
    let policy = Policy::offer(echo()).require_http(Version::HTTP_11);
    let refusal = refuses(policy.clone(), &Request::get("/").version("HTTP/1.0"), 426).await;
    refusal.head.has("upgrade", "HTTP/1.1");
    passes(policy, &Request::get("/")).await;
}
