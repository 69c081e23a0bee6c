//! Who may open a WebSocket from a page: RFC 6455 4.2.2 item 4 and 10.2, RFC 6454 (rule 10).

use tower_upgrade::{Policy, WebSocket};

use crate::{
    outcome::{refuses, switches},
    wire::Request,
};

fn page(host: &str, origin: &str) -> Request {
    Request::websocket("/")
        .set("Host", host)
        .set("Origin", origin)
}

async fn lets_in(options: &WebSocket, request: &Request) {
    switches(Policy::require(options.clone()), request, "websocket").await;
}

/// 4.2.2 item 4: "it SHOULD respond to the WebSocket handshake with a reply containing HTTP 403".
async fn keeps_out(options: &WebSocket, request: &Request) {
    for policy in [
        Policy::require(options.clone()),
        Policy::offer(options.clone()),
    ] {
        let refusal = refuses(policy, request, 403).await;
        refusal.head.lacks("upgrade").lacks("sec-websocket-accept");
    }
}

#[tokio::test]
async fn without_an_origin_it_is_no_browser() {
    // 4.2.1 item 7: "A connection attempt lacking this header field SHOULD NOT be interpreted as
    // coming from a browser client."
    let same = WebSocket::new();
    let list = WebSocket::new().allow_origins(["https://app.example"]);
    for options in [&same, &list] {
        lets_in(options, &Request::websocket("/")).await;
        keeps_out(
            options,
            &Request::websocket("/").set("Origin", "http://b.example"),
        )
        .await;
    }
}

#[tokio::test]
async fn by_default_a_page_must_be_of_the_host_it_asks() {
    // 10.2: "Servers that are not intended to process input from any web page but only for certain
    // sites SHOULD verify the |Origin| field is an origin they expect."
    let same = WebSocket::new();
    for (host, origin) in [
        ("a.example", "http://a.example"),
        ("a.example", "https://A.Example"),
        ("A.EXAMPLE:8080", "http://a.example:8080"),
        ("[::1]:3000", "http://[::1]:3000"),
    ] {
        lets_in(&same, &page(host, origin)).await;
    }
    for (host, origin) in [
        ("a.example", "http://b.example"),
        ("a.example", "http://a.example.b.example"),
        ("a.example", "http://b.a.example"),
        ("a.example", "http://a.example:8080"),
        ("a.example:8080", "http://a.example:8081"),
        ("a.example:8080", "http://a.example"),
        ("a.example", "null"),
        ("a.example", ""),
        ("a.example", "a.example"),
        ("a.example", "http://a.example/"),
        ("a.example", "http://x@a.example"),
        ("a.example", "http://a.example http://b.example"),
        ("a.example", "http://b.example http://a.example"),
        ("a.example", "ftp://a.example"),
    ] {
        keeps_out(&same, &page(host, origin)).await;
    }
}

#[tokio::test]
async fn a_default_port_counts_as_written() {
    // RFC 6454 4: "If there is no port component of the URI, let uri-port be the default port for the
    // protocol given by uri-scheme."
    let same = WebSocket::new();
    for (host, origin) in [
        ("a.example:443", "https://a.example"),
        ("a.example", "https://a.example:443"),
        ("a.example:80", "http://a.example"),
        ("a.example", "http://a.example:80"),
    ] {
        lets_in(&same, &page(host, origin)).await;
    }
    for (host, origin) in [
        ("a.example:80", "https://a.example"),
        ("a.example:443", "http://a.example"),
        ("a.example", "https://a.example:80"),
    ] {
        keeps_out(&same, &page(host, origin)).await;
    }
}

#[tokio::test]
async fn a_second_origin_is_none_to_trust() {
    // RFC 6454 7.3: "the user agent MUST NOT include more than one Origin header field".
    let once = page("a.example", "http://a.example");
    lets_in(&WebSocket::new(), &once).await;
    keeps_out(
        &WebSocket::new(),
        &once.clone().add("Origin", "http://a.example"),
    )
    .await;
    keeps_out(&WebSocket::new(), &once.add("Origin", "http://b.example")).await;
}

#[tokio::test]
async fn an_absolute_target_overrules_host() {
    // RFC 9112 3.2.2: "When an origin server receives a request with an absolute-form of
    // request-target, the origin server MUST ignore the received Host header field".
    let request = Request::websocket("http://a.example/").set("Host", "b.example");
    lets_in(
        &WebSocket::new(),
        &request.clone().set("Origin", "http://a.example"),
    )
    .await;
    keeps_out(
        &WebSocket::new(),
        &request.set("Origin", "http://b.example"),
    )
    .await;
}

#[tokio::test]
async fn forwarded_fields_are_not_trusted_unasked() {
    // Rule 10: "Forwarded fields are trusted only where the user says so."
    let request = page("inner", "http://a.example")
        .add("X-Forwarded-Host", "a.example")
        .add("Forwarded", "host=a.example");
    keeps_out(&WebSocket::new(), &request).await;
    lets_in(&WebSocket::new().trust_forwarded_host(), &request).await;
}

#[tokio::test]
async fn of_forwarded_fields_the_nearest_proxys_member_counts() {
    // RFC 7239 4: each proxy adds its element at the end.
    let trusting = WebSocket::new().trust_forwarded_host();
    let x = |value: &str| page("inner", "http://a.example").add("X-Forwarded-Host", value);
    lets_in(&trusting, &x("a.example")).await;
    lets_in(&trusting, &x("b.example, a.example")).await;
    lets_in(
        &trusting,
        &x("b.example").add("X-Forwarded-Host", "a.example"),
    )
    .await;
    keeps_out(&trusting, &x("a.example, b.example")).await;
    keeps_out(
        &trusting,
        &x("a.example").add("X-Forwarded-Host", "b.example"),
    )
    .await;
    keeps_out(&trusting, &x("")).await;
    keeps_out(&trusting, &page("inner", "http://a.example")).await;
    lets_in(&trusting, &page("a.example", "http://a.example")).await;
    let standard = |value: &str| page("inner", "http://a.example").add("Forwarded", value);
    lets_in(&trusting, &standard("for=1;Host=\"a.example\";proto=http")).await;
    lets_in(&trusting, &standard("host=b.example, host=a.example;for=2")).await;
    keeps_out(&trusting, &standard("host=a.example, host=b.example")).await;
    // One that names no host leaves it to the other field.
    let mixed = standard("for=1").add("X-Forwarded-Host", "a.example");
    lets_in(&trusting, &mixed).await;
    let mixed = standard("host=b.example").add("X-Forwarded-Host", "a.example");
    keeps_out(&trusting, &mixed).await;
    // However many the client wrote before it.
    for (name, own) in [
        ("Forwarded", "host=a.example"),
        ("X-Forwarded-Host", "a.example"),
    ] {
        let spoofed = page("inner", "http://a.example").add(name, vec![own; 200].join(","));
        lets_in(&trusting, &spoofed).await;
        let nearest = own.replace("a.example", "b.example");
        keeps_out(&trusting, &spoofed.add(name, nearest)).await;
    }
}

#[tokio::test]
async fn listed_origins_are_let_in_and_no_others() {
    // 10.2, by a list: scheme, host and port must all be those of one member.
    let list = WebSocket::new().allow_origins(["https://app.example", "http://localhost:3000"]);
    for origin in [
        "https://app.example",
        "HTTPS://APP.example:443",
        "http://localhost:3000",
    ] {
        lets_in(&list, &page("api.example", origin)).await;
    }
    for origin in [
        "http://app.example",
        "https://app.example:8443",
        "http://localhost",
        "https://api.example",
        "https://x.app.example",
        "null",
    ] {
        keeps_out(&list, &page("api.example", origin)).await;
    }
}

#[tokio::test]
async fn a_predicate_decides_on_the_origin_as_it_was_written() {
    // 10.2, by the user's own word.
    let options = WebSocket::new()
        .allow_origin_if(|origin, head| origin == "null" && head.headers.contains_key("x-let-in"));
    let request = page("a.example", "null").add("X-Let-In", "1");
    lets_in(&options, &request).await;
    keeps_out(&options, &request.clone().without("X-Let-In")).await;
    keeps_out(&options, &request.set("Origin", "http://a.example")).await;
}

#[tokio::test]
async fn any_origin_is_let_in_only_where_that_was_spelt_out() {
    // 4.2.2 item 4: "If the server does not validate the origin, it will accept connections from
    // anywhere."
    let any = WebSocket::new().dangerous_allow_any_origin();
    for origin in ["http://b.example", "null", "\u{e9}"] {
        lets_in(&any, &page("a.example", origin)).await;
        keeps_out(&WebSocket::new(), &page("a.example", origin)).await;
    }
}
