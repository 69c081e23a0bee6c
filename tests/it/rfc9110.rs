//! RFC 9110, section 7.8 (`Upgrade`) and what it stands on: 5.3, 5.6.1, 7.6.1, 9.3.6, 15.5.22.

mod passing;

use tower_upgrade::{Policy, Protocol, WebSocket};

use crate::{
    outcome::{passes, refuses, switches},
    spy::Spy,
    wire::Request,
};

fn echo() -> Policy {
    Policy::require(Protocol::new("echo/1.0").unwrap())
}

fn offered() -> Policy {
    Policy::offer(Protocol::new("echo/1.0").unwrap())
}

/// As the gallery's `/multi`.
fn multi() -> Policy {
    Policy::require(Protocol::new("echo/2.0").unwrap())
        .or(Protocol::new("echo/1.0").unwrap())
        .or(WebSocket::new())
}

fn offer(protocols: &str) -> Request {
    Request::upgrade("/", protocols)
}

#[tokio::test]
async fn in_http_1_0_upgrade_is_ignored() {
    // 7.8: "A server that receives an Upgrade header field in an HTTP/1.0 request MUST ignore that
    // Upgrade field."
    passes(offered(), &offer("echo/1.0").version("HTTP/1.0")).await;
    let seen = passes(Policy::forbid(), &offer("echo/1.0").version("HTTP/1.0")).await;
    assert_eq!(seen.version, http::Version::HTTP_10);
    let refusal = refuses(echo(), &offer("echo/1.0").version("HTTP/1.0"), 426).await;
    refusal.head.has("upgrade", "echo/1.0");
    assert!(refusal.content.contains("HTTP/1.0"), "{refusal:?}");
    switches(echo(), &offer("echo/1.0"), "echo/1.0").await;
}

#[tokio::test]
async fn upgrade_counts_only_as_a_connection_option() {
    // 7.8: "A sender of Upgrade MUST also send an "Upgrade" connection option in the Connection
    // header field".
    for connection in [
        "keep-alive",
        "xupgradey",
        "up-grade",
        "\"upgrade\"",
        "upgrade;x",
        "",
    ] {
        let request = offer("echo/1.0").set("Connection", connection);
        let refusal = refuses(echo(), &request, 426).await;
        refusal
            .head
            .has("upgrade", "echo/1.0")
            .has("connection", "upgrade");
        assert!(refusal.content.contains("`Connection`"), "{refusal:?}");
        passes(offered(), &request).await;
    }
    refuses(echo(), &offer("echo/1.0").without("Connection"), 426).await;
    switches(
        echo(),
        &offer("echo/1.0").set("Connection", "upgrade"),
        "echo/1.0",
    )
    .await;
}

#[tokio::test]
async fn a_list_may_come_over_several_lines() {
    // 5.3: "A recipient MAY combine multiple field lines within a field section that have the same
    // field name into one field line".
    let request = offer("foo").add("Upgrade", "bar, echo/1.0");
    switches(echo(), &request, "echo/1.0").await;
    let request = offer("echo/1.0").set("Connection", "keep-alive");
    switches(
        echo(),
        &request.clone().add("Connection", "Upgrade"),
        "echo/1.0",
    )
    .await;
    refuses(echo(), &request.add("Connection", "foo"), 426).await;
    let apart = offer("foo").set("Connection", "foo").add("X", "y");
    let apart = apart
        .add("Upgrade", "echo/1.0")
        .add("Connection", "upgrade");
    switches(echo(), &apart, "echo/1.0").await;
}

#[tokio::test]
async fn empty_members_of_a_list_are_skipped() {
    // 5.6.1.2: "A recipient MUST parse and ignore a reasonable number of empty list elements".
    let request = offer(",, echo/1.0 ,\t,").set("Connection", " , ,upgrade, ,");
    switches(echo(), &request, "echo/1.0").await;
    let lines = offer("").add("Upgrade", ",").add("Upgrade", "echo/1.0");
    switches(echo(), &lines, "echo/1.0").await;
    // A list of nothing is no offer.
    refuses(echo(), &offer(" , ,"), 426).await;
    passes(offered(), &offer("")).await;
}

#[tokio::test]
async fn the_number_of_members_read_is_bounded() {
    // 5.6.1.2: "but not so much that they could be used as a denial-of-service mechanism."
    let behind = |member: &str, count: usize| format!("{}echo/1.0", member.repeat(count));
    for member in [",", "x,"] {
        let at_most = offer(&behind(member, 127));
        switches(echo(), &at_most, "echo/1.0").await;
        let too_many = offer(&behind(member, 128));
        let refusal = refuses(echo(), &too_many, 426).await;
        refusal
            .head
            .has("upgrade", "echo/1.0")
            .has("connection", "upgrade");
        passes(offered(), &too_many).await;
    }
    let connection = format!("{}upgrade", "x,".repeat(128));
    let request = offer("echo/1.0").set("Connection", connection);
    let refusal = refuses(echo(), &request, 426).await;
    assert!(refusal.content.contains("more members"), "{refusal:?}");
    let connection = format!("{}upgrade", "x,".repeat(127));
    let request = offer("echo/1.0").set("Connection", connection);
    switches(echo(), &request, "echo/1.0").await;
}

#[tokio::test]
async fn names_are_compared_without_case() {
    // 7.8: "recipients SHOULD use case-insensitive comparison when matching each protocol-name to
    // supported protocols." 7.6.1: "Connection options are case-insensitive."
    let request = offer("ECHO/1.0").set("Connection", "uPGRADE");
    switches(echo(), &request, "echo/1.0").await;
    let websocket = Request::websocket("/").set("Upgrade", "WebSocket");
    switches(multi(), &websocket, "websocket").await;
}

#[tokio::test]
async fn a_protocol_matches_with_its_version() {
    // 7.8: "protocol = protocol-name ["/" protocol-version]"; versions are compared exactly.
    for other in [
        "echo",
        "echo/1",
        "echo/1.00",
        "echo/1.0.0",
        "echo/",
        "/1.0",
        "echo /1.0",
        "xecho/1.0",
    ] {
        refuses(echo(), &offer(other), 426).await;
        passes(offered(), &offer(other)).await;
    }
    let exactly = Policy::require(Protocol::new("echo/1.0a").unwrap());
    refuses(exactly.clone(), &offer("echo/1.0A"), 426).await;
    switches(exactly, &offer("Echo/1.0a"), "echo/1.0a").await;
    let websocket = Request::websocket("/");
    let versioned = websocket.clone().set("Upgrade", "websocket/13");
    refuses(Policy::require(WebSocket::new()), &versioned, 426).await;
    switches(Policy::require(WebSocket::new()), &websocket, "websocket").await;
}

#[tokio::test]
async fn the_clients_order_decides() {
    // 7.8: "to invite the server to switch to one or more of the named protocols, in order of
    // descending preference".
    switches(multi(), &offer("echo/1.0, echo/2.0"), "echo/1.0").await;
    switches(multi(), &offer("echo/2.0, echo/1.0"), "echo/2.0").await;
    let request = offer("foo, echo/1.0").add("Upgrade", "echo/2.0");
    switches(multi(), &request, "echo/1.0").await;
}

#[tokio::test]
async fn the_servers_order_decides_where_it_was_asked_for() {
    // 7.8: "A server MAY choose to ignore the order of preference indicated by the client".
    let policy = multi().server_order();
    switches(policy.clone(), &offer("echo/1.0, echo/2.0"), "echo/2.0").await;
    let request = offer("echo/1.0")
        .add("Upgrade", "foo")
        .add("Upgrade", "echo/2.0");
    switches(policy.clone(), &request, "echo/2.0").await;
    switches(policy, &offer("echo/1.0"), "echo/1.0").await;
}

#[tokio::test]
async fn what_was_not_indicated_is_not_selected() {
    // 7.8: "A server MUST NOT switch to a protocol that was not indicated by the client in the
    // corresponding request's Upgrade header field."
    refuses(multi(), &offer("foo, bar/1"), 426).await;
    passes(offered(), &offer("foo, bar/1")).await;
    switches(multi(), &offer("foo, echo/1.0"), "echo/1.0").await;
}

#[tokio::test]
async fn a_426_lists_every_protocol_in_order() {
    // 7.8: "A server that sends a 426 (Upgrade Required) response MUST send an Upgrade header field
    // to indicate the acceptable protocols, in order of descending preference."
    for request in [
        offer("foo"),
        Request::get("/"),
        offer("echo/1.0").without("Connection"),
    ] {
        let refusal = refuses(multi(), &request, 426).await;
        refusal
            .head
            .has("upgrade", "echo/2.0, echo/1.0, websocket")
            .has("connection", "upgrade");
    }
    let one = refuses(Policy::require(WebSocket::new()), &Request::get("/"), 426).await;
    one.head
        .has("upgrade", "websocket")
        .has("connection", "upgrade");
}

#[tokio::test]
async fn the_connection_option_of_a_101_is_upgrade_alone() {
    // 15.2.2: "The server MUST generate an Upgrade header field in the response that indicates which
    // protocol(s) will be in effect after this response."
    for connection in ["Upgrade", "keep-alive, Upgrade", "Upgrade, HTTP2-Settings"] {
        let request = offer("foo, echo/1.0").set("Connection", connection);
        let (head, _) = switches(echo(), &request, "echo/1.0").await;
        assert_eq!(head.names(), ["connection", "upgrade"]);
    }
}

#[tokio::test]
async fn to_a_request_that_said_close_hyper_adds_close_itself() {
    // Measured on hyper: the layer writes exactly `upgrade`; hyper appends `close` where the request said so,
    // and no service can keep it from that. The connection is switched all the same.
    let (mut client, _spy) = Spy::behind(echo());
    let request = offer("echo/1.0").set("Connection", "close, Upgrade");
    let head = client.offer(&request).await;
    head.is(101)
        .has("upgrade", "echo/1.0")
        .has("connection", "upgrade, close");
    client.send("ping").await;
    client.expect("ping").await;
}
