//! RFC 6455, sections 4.2.1 (what the server reads) and 4.2.2 (what it sends), over the wire.
//!
//! Origins are in `origins`, subprotocols and extensions in `subprotocols`.

mod fields;

use tower_upgrade::{Policy, Protocol, WebSocket};

use crate::{
    outcome::{passes, refuses, switches},
    spy::Spy,
    wire::{ACCEPT, KEY, Request},
};

fn websocket() -> Policy {
    Policy::require(WebSocket::new())
}

fn sound() -> Request {
    Request::websocket("/")
}

/// `broken` is refused on `require` and `offer` alike; `twin`, which differs in one thing, is not.
async fn refused_unlike(twin: &Request, broken: &Request, status: u16, hint: &str) {
    switches(websocket(), twin, "websocket").await;
    for policy in [websocket(), Policy::offer(WebSocket::new())] {
        let refusal = refuses(policy, broken, status).await;
        assert!(refusal.content.contains(hint), "{broken:?}: {refusal:?}");
        match status {
            405 => refusal.head.has("allow", "GET"),
            426 => refusal
                .head
                .has("sec-websocket-version", "13")
                .has("upgrade", "websocket")
                .has("connection", "upgrade"),
            _ => refusal.head.lacks("upgrade").lacks("connection"),
        };
    }
}

/// A sound handshake with one field set to another value is refused.
async fn refused_with(name: &str, value: &str, status: u16, hint: &str) {
    refused_unlike(&sound(), &sound().set(name, value), status, hint).await;
}

#[tokio::test]
async fn the_handshake_of_section_1_3_is_answered_as_there() {
    // 4.2.2 item 5: "Status-Line with a 101 response code", "An |Upgrade| header field with value
    // "websocket"", "A |Connection| header field with value "Upgrade"", "A |Sec-WebSocket-Accept|".
    let request = Request::websocket("/chat")
        .set("Host", "server.example.com")
        .set("Origin", "http://server.example.com")
        .set("Sec-WebSocket-Protocol", "chat, superchat");
    let policy = Policy::require(WebSocket::new().subprotocols(["chat"]));
    let (head, _) = switches(policy, &request, "websocket").await;
    head.has("sec-websocket-accept", ACCEPT)
        .has("sec-websocket-protocol", "chat");
    let mut names = head.names();
    names.sort_unstable();
    let expected = [
        "connection",
        "sec-websocket-accept",
        "sec-websocket-protocol",
        "upgrade",
    ];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn the_method_is_get() {
    // 4.2.1 item 1: "An HTTP/1.1 or higher GET request".
    for method in ["POST", "OPTIONS", "PUT", "get", "GETX"] {
        let broken = sound().method(method);
        refused_unlike(&sound(), &broken, 405, "opened by GET").await;
    }
    let (mut client, spy) = Spy::behind(websocket());
    let head = client.offer(&sound().method("HEAD")).await;
    head.is(405).has("allow", "GET");
    assert!(spy.seen().is_empty());
}

#[tokio::test]
async fn the_version_of_http_is_1_1() {
    // 4.2.1 item 1: "An HTTP/1.1 or higher GET request".
    let refusal = refuses(websocket(), &sound().version("HTTP/1.0"), 426).await;
    refusal
        .head
        .has("upgrade", "websocket")
        .has("connection", "upgrade");
    passes(
        Policy::offer(WebSocket::new()),
        &sound().version("HTTP/1.0"),
    )
    .await;
    switches(websocket(), &sound(), "websocket").await;
}

#[tokio::test]
async fn upgrade_has_the_member_websocket() {
    // 4.2.1 item 3: "An |Upgrade| header field containing the value "websocket", treated as an ASCII
    // case-insensitive value."
    for upgrade in [
        "WEBSOCKET",
        "WebSocket",
        "h2c, websocket",
        "websocket, websocket",
    ] {
        switches(websocket(), &sound().set("Upgrade", upgrade), "websocket").await;
    }
    for upgrade in [
        "websockets",
        "web socket",
        "websocket/13",
        "websocket;v=13",
        "\"websocket\"",
    ] {
        let request = sound().set("Upgrade", upgrade);
        let refusal = refuses(websocket(), &request, 426).await;
        refusal
            .head
            .has("upgrade", "websocket")
            .lacks("sec-websocket-version");
        passes(Policy::offer(WebSocket::new()), &request).await;
    }
}

#[tokio::test]
async fn connection_includes_the_token_upgrade() {
    // 4.2.1 item 4: "A |Connection| header field that includes the token "Upgrade", treated as an
    // ASCII case-insensitive value."
    switches(
        websocket(),
        &sound().set("Connection", "keep-alive, UPGRADE"),
        "websocket",
    )
    .await;
    for connection in ["keep-alive", "xupgradey"] {
        let request = sound().set("Connection", connection);
        refuses(websocket(), &request, 426)
            .await
            .head
            .has("upgrade", "websocket");
    }
}

#[tokio::test]
async fn a_handshake_that_lost_its_upgrade_is_told_so() {
    // Measured: nginx without `proxy_http_version 1.1` drops `Upgrade` and keeps `Sec-WebSocket-*`.
    let request = sound().without("Upgrade").set("Connection", "close");
    let refusal = refuses(websocket(), &request, 426).await;
    assert!(refusal.content.contains("nginx"), "{refusal:?}");
    let plain = refuses(websocket(), &Request::get("/"), 426).await;
    assert!(!plain.content.contains("nginx"), "{plain:?}");
}

#[tokio::test]
async fn unknown_fields_are_ignored() {
    // 4.2.1 item 10: "Unknown header fields are ignored, as per [RFC2616]."
    let request = sound()
        .add("Cookie", "a=b")
        .add("Authorization", "x")
        .add("Sec-WebSocket-Foo", b"\xff\xfe");
    let (_, seen) = switches(websocket(), &request, "websocket").await;
    assert_eq!(seen.lines("cookie"), ["a=b"]);
}

#[tokio::test]
async fn the_order_of_fields_means_nothing() {
    // 4.2.1: "note that as per [RFC2616], the order of the header fields is not important".
    let request = Request::get("/")
        .without("Host")
        .add("sec-websocket-key", KEY)
        .add("SEC-WEBSOCKET-VERSION", "13")
        .add("upgrade", "websocket")
        .add("host", "a.example")
        .add("connection", "upgrade");
    switches(websocket(), &request, "websocket").await;
}

#[tokio::test]
async fn a_handshake_has_no_content() {
    // Rule 12. A length of zero is no content: Java's client says so in its handshake.
    let empty = sound().content("");
    refused_unlike(&empty, &sound().content("x"), 400, "no content").await;
    let chunked = sound().set("Transfer-Encoding", "chunked");
    for policy in [websocket(), Policy::offer(WebSocket::new())] {
        refuses(policy, &chunked, 400).await.head.lacks("upgrade");
    }
}

/// What makes one more thing of a request sound.
type Mend = fn(Request) -> Request;

#[tokio::test]
async fn the_first_thing_amiss_is_told() {
    // 4.2.1: the checks are made in the order of the section (rule 9).
    let mut request = sound()
        .method("POST")
        .without("Host")
        .without("Sec-WebSocket-Version")
        .without("Sec-WebSocket-Key")
        .set("Origin", "http://b.example")
        .set("Sec-WebSocket-Protocol", "a, a")
        .content("x");
    let steps: [(u16, &str, Mend); 7] = [
        (405, "GET", |r| r.method("GET")),
        (400, "`Host`", |r| r.set("Host", "a.example")),
        (426, "`Sec-WebSocket-Version`", |r| {
            r.set("Sec-WebSocket-Version", "13")
        }),
        (400, "`Sec-WebSocket-Key`", |r| {
            r.set("Sec-WebSocket-Key", KEY)
        }),
        (403, "`Origin`", |r| r.set("Origin", "http://a.example")),
        (400, "`Sec-WebSocket-Protocol`", |r| {
            r.without("Sec-WebSocket-Protocol")
        }),
        (400, "no content", |r| r.content("")),
    ];
    for (status, hint, mend) in steps {
        let refusal = refuses(websocket(), &request, status).await;
        assert!(refusal.content.contains(hint), "{hint}: {refusal:?}");
        request = mend(request);
    }
    switches(websocket(), &request, "websocket").await;
}

#[tokio::test]
async fn a_protocol_named_websocket_brings_the_handshake_with_it() {
    // 4.2.1 goes for every offer of `websocket`, in whatever way the policy was written.
    let named = Protocol::new("WebSocket").unwrap();
    let policy = Policy::require(named);
    refuses(policy.clone(), &Request::upgrade("/", "websocket"), 426).await;
    let (mut client, _spy) = Spy::behind(policy);
    client
        .offer(&sound())
        .await
        .is(101)
        .has("sec-websocket-accept", ACCEPT);
}
