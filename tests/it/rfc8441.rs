//! RFC 8441: WebSocket and other protocols by extended CONNECT over HTTP/2.

mod answers;

use http::{Method, Request, Response, StatusCode, Version};
use tower::{Layer, ServiceExt};
use tower_upgrade::{Policy, Protocol, Refusal, RefusalKind, Upgrade, UpgradeLayer, WebSocket};

use crate::{
    echo::Echo,
    http2::{AUTHORITY, Answer, Client, connect, get, request, websocket},
    wire::{ACCEPT, KEY},
};

fn echo() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

fn layered(policy: Policy) -> Upgrade<Echo> {
    UpgradeLayer::new(policy).layer(Echo::default())
}

/// Checks a refusal's status and that the answer carries nothing HTTP/2 forbids.
#[track_caller]
fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status(), status, "{answer:?}");
    lacks_http1(answer);
}

#[track_caller]
fn lacks_http1<B: std::fmt::Debug>(answer: &Response<B>) {
    for name in ["upgrade", "connection", "transfer-encoding"] {
        assert!(!answer.headers().contains_key(name), "{name} in {answer:?}");
    }
}

#[tokio::test]
async fn an_accepted_connect_is_answered_200_with_none_of_the_fields_of_a_101() {
    // RFC 8441 5: "a 2xx (Successful) status code"; 5.1 sends neither of the HTTP/1.1 fields.
    let client = Client::of(layered(Policy::require(WebSocket::new()))).await;
    let (answer, mut stream) = client.open(websocket("/")).await;
    lacks_http1(&answer);
    for name in ["sec-websocket-accept", "content-length"] {
        assert!(!answer.headers().contains_key(name), "{answer:?}");
    }
    stream.write("hello").await;
    stream.expect("hello").await;
}

#[tokio::test]
async fn a_key_that_a_proxy_left_in_is_answered() {
    // Clients and proxies that bridge from HTTP/1.1 need the accept value.
    let client = Client::of(layered(Policy::require(WebSocket::new()))).await;
    let (answer, _) = client
        .open(websocket("/").header("sec-websocket-key", KEY))
        .await;
    assert_eq!(answer.headers()["sec-websocket-accept"], ACCEPT);
}

#[tokio::test]
async fn no_key_is_asked_for() {
    // RFC 8441 5: Sec-WebSocket-Key is not used, so a broken one is none.
    let client = Client::of(layered(Policy::require(WebSocket::new()))).await;
    let (answer, _) = client
        .open(websocket("/").header("sec-websocket-key", "short"))
        .await;
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
}

#[tokio::test]
async fn protocol_is_compared_without_case() {
    // Proxies copy what the client wrote in Upgrade.
    let client = Client::of(layered(Policy::require(WebSocket::new()).or(echo()))).await;
    for protocol in ["websocket", "WebSocket", "WEBSOCKET"] {
        let request = connect(protocol, "/").header("sec-websocket-version", "13");
        client.open(request).await;
    }
    client.open(connect("ECHO/1.0", "/")).await;
}

#[tokio::test]
async fn another_protocol_is_answered_501() {
    // RFC 9220 3: "501 (Not Implemented)" for a :protocol that is unknown or not supported.
    let service = layered(Policy::require(WebSocket::new()).or(echo()));
    let client = Client::of(service.clone()).await;
    for protocol in [
        "connect-udp",
        "websocket/13",
        "xwebsocket",
        "echo",
        "echo/2.0",
        "h2c",
    ] {
        let request = connect(protocol, "/").header("sec-websocket-version", "13");
        refused(&client.send(request).await, 501);
    }
    assert_eq!(service.get_ref().calls(), 0);
    client.open(connect("echo/1.0", "/")).await;
    assert_eq!(service.get_ref().calls(), 1);
}

#[tokio::test]
async fn a_plain_request_where_an_upgrade_is_required_is_answered_405_with_allow() {
    // A 426 cannot name the protocols on HTTP/2, but 405 the method that opens it.
    let service = layered(Policy::require(WebSocket::new()));
    let client = Client::of(service.clone()).await;
    for method in [Method::GET, Method::POST, Method::OPTIONS] {
        let answer = client.send(request(method, "/")).await;
        refused(&answer, 405);
        assert_eq!(answer.headers()["allow"], "CONNECT");
    }
    assert_eq!(service.get_ref().calls(), 0);
}

#[tokio::test]
async fn the_method_of_a_protocol_is_not_asked_of_a_connect() {
    // Its method is CONNECT, whatever begins the protocol over HTTP/1.1.
    let client = Client::of(layered(Policy::require(echo().methods([Method::POST])))).await;
    client.open(connect("echo/1.0", "/")).await;
}

#[tokio::test]
async fn a_wrong_or_missing_version_is_answered_400_with_the_right_one() {
    // Rule 9: "else 426 (400 on HTTP/2) + `Sec-WebSocket-Version: 13`".
    let service = layered(Policy::require(WebSocket::new()));
    let client = Client::of(service.clone()).await;
    let versions: [&[&str]; 6] = [&[], &["8"], &["13, 8"], &["013"], &["13", "13"], &[""]];
    for lines in versions {
        let mut request = connect("websocket", "/");
        for line in lines {
            request = request.header("sec-websocket-version", *line);
        }
        let answer = client.send(request).await;
        refused(&answer, 400);
        assert_eq!(answer.headers()["sec-websocket-version"], "13", "{lines:?}");
    }
    assert_eq!(service.get_ref().calls(), 0);
    client.open(websocket("/")).await;
}

#[tokio::test]
async fn a_request_to_https_is_one_to_port_443() {
    // Rule 10: "the host and port the request was sent to", which `:scheme` tells.
    let client = Client::of(layered(Policy::require(WebSocket::new()))).await;
    let to_https = |origin: String| {
        let uri = format!("https://{AUTHORITY}/");
        websocket("/").uri(uri).header("origin", origin)
    };
    refused(
        &client.send(to_https(format!("http://{AUTHORITY}"))).await,
        403,
    );
    client.open(to_https(format!("https://{AUTHORITY}"))).await;
}

#[tokio::test]
async fn the_origin_must_be_that_of_authority() {
    // RFC 8441 5: Origin is used as in RFC 6455, and the host is that of :authority.
    let service = layered(Policy::require(WebSocket::new()));
    let client = Client::of(service.clone()).await;
    let there = format!("http://{AUTHORITY}.evil.example");
    let port = format!("http://{AUTHORITY}:8080");
    for origin in [there.as_str(), &port, "null"] {
        refused(
            &client.send(websocket("/").header("origin", origin)).await,
            403,
        );
    }
    assert_eq!(service.get_ref().calls(), 0);
    for scheme in ["http", "https"] {
        let here = format!("{scheme}://{AUTHORITY}");
        client.open(websocket("/").header("origin", here)).await;
    }
}

#[tokio::test]
async fn a_host_beside_authority_must_be_the_same() {
    // RFC 9113 8.3.1: a Host that differs is malformed, and the origin is compared with one of them.
    let client = Client::of(layered(Policy::require(WebSocket::new()))).await;
    refused(
        &client
            .send(websocket("/").header("host", "other.example"))
            .await,
        400,
    );
    client.open(websocket("/").header("host", AUTHORITY)).await;
}

#[tokio::test]
async fn the_selected_subprotocol_is_sent() {
    // RFC 8441 5: Sec-WebSocket-Protocol is used as in RFC 6455.
    let policy = Policy::require(WebSocket::new().subprotocols(["v2", "v1"]));
    let client = Client::of(layered(policy)).await;
    let cases = [("v1, v2", Some("v2")), ("v1", Some("v1")), ("V2, v3", None)];
    for (offered, selected) in cases {
        let request = websocket("/").header("sec-websocket-protocol", offered);
        let (answer, _) = client.open(request).await;
        let sent = answer.headers().get("sec-websocket-protocol");
        assert_eq!(sent.map(|v| v.to_str().unwrap()), selected, "{offered}");
    }
    let twice = websocket("/").header("sec-websocket-protocol", "v1, v1");
    refused(&client.send(twice).await, 400);
}

#[tokio::test]
async fn a_newer_version_of_http_is_required_by_505() {
    // Rule 13, where no 426 can say so.
    let policy = Policy::require(echo()).require_http(Version::HTTP_3);
    let service = layered(policy);
    let client = Client::of(service.clone()).await;
    refused(&client.send(connect("echo/1.0", "/")).await, 505);
    refused(&client.send(get("/")).await, 505);
    assert_eq!(service.get_ref().calls(), 0);
    let policy = Policy::require(echo()).require_http(Version::HTTP_2);
    Client::of(layered(policy))
        .await
        .open(connect("echo/1.0", "/"))
        .await;
}

#[tokio::test]
async fn tls_is_required_by_403() {
    // Rule 13, where no 426 can say so.
    let policy = |is_tls| Policy::require(echo()).require_tls(move |_| is_tls);
    let client = Client::of(layered(policy(false))).await;
    refused(&client.send(connect("echo/1.0", "/")).await, 403);
    let client = Client::of(layered(policy(true))).await;
    client.open(connect("echo/1.0", "/")).await;
}

#[tokio::test]
async fn fields_of_http1_in_a_request_are_no_offer() {
    // Rule 1: over HTTP/2 only an extended CONNECT is one. No client can send the field, but a
    // layer that translates could leave it.
    let service = layered(Policy::offer(echo()));
    let request = Request::get("http://a.example/")
        .version(Version::HTTP_2)
        .header("upgrade", "echo/1.0")
        .header("connection", "upgrade")
        .body(())
        .unwrap();
    let answer = service.oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.extensions().get::<Refusal>().is_none());
}

#[tokio::test]
async fn the_kinds_are_those_of_http2() {
    // Each has a kind of its own, apart from those of HTTP/1.1.
    let service = layered(Policy::require(WebSocket::new()));
    let kind = async |request: http::request::Builder| {
        let request = request.body(()).unwrap();
        let answer = service.clone().oneshot(request).await;
        answer.unwrap().extensions().get().map(Refusal::kind)
    };
    assert_eq!(kind(get("/")).await, Some(RefusalKind::ConnectRequired));
    let other = kind(connect("other", "/")).await;
    assert_eq!(other, Some(RefusalKind::ConnectNotSpoken));
    let no_handle = kind(websocket("/")).await;
    assert_eq!(no_handle, Some(RefusalKind::NotUpgradable));
}
