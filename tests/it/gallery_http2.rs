//! The gallery over HTTP/2 with prior knowledge: every row of its table, by the rules.

use http::{Method, StatusCode};

use crate::{
    http2::{AUTHORITY, Answer, Client, Stream, connect, get, request, websocket},
    rust_client::echoes_messages,
};

/// Checks the status and content of an answer.
#[track_caller]
fn answers(answer: &Answer, status: u16, content: &str) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert_eq!(answer.body(), content);
}

/// Checks the status of a refusal, and that HTTP/2 allows its fields.
#[track_caller]
fn refused(answer: &Answer, status: u16) {
    assert_eq!(answer.status(), status, "{answer:?}");
    assert!(!answer.headers().contains_key("upgrade"), "{answer:?}");
}

#[track_caller]
fn wants_connect(answer: &Answer) {
    refused(answer, 405);
    assert_eq!(answer.headers()["allow"], "CONNECT");
}

async fn echoes_bytes(mut stream: Stream, sent: &str, received: &str) {
    stream.write(sent).await;
    stream.expect(received).await;
    stream.end().await;
    assert_eq!(stream.rest().await, "");
}

#[tokio::test]
async fn the_page_is_an_ordinary_answer() {
    // `/`: no policy.
    let client = Client::of_gallery().await;
    let page = client.send(get("/")).await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.body().contains("/multi-server"));
}

#[tokio::test]
async fn ws_echoes_messages_by_its_subprotocols_and_origin() {
    // `/ws`: require WebSocket, subprotocols `v2`, `v1`, same-origin.
    let client = Client::of_gallery().await;
    let offer = websocket("/ws")
        .header("sec-websocket-protocol", "v1, v2")
        .header("origin", format!("http://{AUTHORITY}"));
    let (answer, stream) = client.open(offer).await;
    assert_eq!(answer.headers()["sec-websocket-protocol"], "v2");
    echoes_messages(stream.0).await;

    let foreign = websocket("/ws").header("origin", "http://evil.example");
    refused(&client.send(foreign).await, 403);
    refused(&client.send(connect("websocket", "/ws")).await, 400);
    refused(&client.send(connect("echo/1.0", "/ws")).await, 501);
    wants_connect(&client.send(get("/ws")).await);
}

#[tokio::test]
async fn either_echoes_messages_or_answers_plain() {
    // `/either`: offer WebSocket; plain requests get 200 `plain`.
    let client = Client::of_gallery().await;
    let (_, stream) = client.open(websocket("/either")).await;
    echoes_messages(stream.0).await;
    answers(&client.send(get("/either")).await, 200, "plain");
    refused(&client.send(connect("other", "/either")).await, 501);
}

#[tokio::test]
async fn closed_sees_no_upgrade_and_opens_no_tunnel() {
    // `/closed`: forbid; its 200 to a CONNECT would open a tunnel.
    let client = Client::of_gallery().await;
    answers(&client.send(get("/closed")).await, 200, "upgrade: absent");
    refused(&client.send(websocket("/closed")).await, 501);
}

#[tokio::test]
async fn multi_speaks_whichever_of_its_protocols_is_asked_for() {
    // `/multi`, `/multi-server`: a CONNECT names one protocol, so no order matters.
    let client = Client::of_gallery().await;
    for path in ["/multi", "/multi-server"] {
        let (_, stream) = client.open(connect("echo/1.0", path)).await;
        echoes_bytes(stream, "hello", "hello").await;
        let (_, stream) = client.open(connect("Echo/2.0", path)).await;
        echoes_bytes(stream, "hello", "HELLO").await;
        let (_, stream) = client.open(websocket(path)).await;
        echoes_messages(stream.0).await;
        refused(&client.send(connect("echo/3.0", path)).await, 501);
        wants_connect(&client.send(get(path)).await);
    }
}

#[tokio::test]
async fn exec_finds_no_content_in_a_connect() {
    // A CONNECT has none; what it sends is of the new protocol.
    let client = Client::of_gallery().await;
    let (_, mut stream) = client.open(connect("echo/1.0", "/exec")).await;
    stream.expect("body:0\n").await;
    echoes_bytes(stream, "hello", "hello").await;
    wants_connect(&client.send(request(Method::POST, "/exec")).await);
}

#[tokio::test]
async fn unread_has_nothing_to_leave_unread() {
    // `/unread`: a CONNECT has no content.
    let client = Client::of_gallery().await;
    let (_, stream) = client.open(connect("echo/1.0", "/unread")).await;
    echoes_bytes(stream, "hello", "hello").await;
}

#[tokio::test]
async fn decline_is_answered_by_its_handler_and_leaks_nothing() {
    // `/decline`: 403, and nothing is ever written by who kept the `OnUpgrade`.
    let client = Client::of_gallery().await;
    for request in [
        websocket("/decline"),
        get("/decline"),
        connect("other", "/decline"),
    ] {
        answers(&client.send(request).await, 403, "");
    }
}

#[tokio::test]
async fn unaware_opens_no_tunnel() {
    // `/unaware`: its 200 to a CONNECT would open a tunnel.
    let client = Client::of_gallery().await;
    answers(&client.send(get("/unaware")).await, 200, "unaware");
    refused(&client.send(websocket("/unaware")).await, 501);
}

#[tokio::test]
async fn axum_echoes_messages_whatever_the_case_of_protocol() {
    // `/axum`: the layer normalises what axum compares with case.
    let client = Client::of_gallery().await;
    for protocol in ["websocket", "WebSocket"] {
        let offer = connect(protocol, "/axum").header("sec-websocket-version", "13");
        let (_, stream) = client.open(offer).await;
        echoes_messages(stream.0).await;
    }
    refused(&client.send(connect("websocket", "/axum")).await, 400);
    wants_connect(&client.send(get("/axum")).await);
}

#[tokio::test]
async fn get_only_echoes_messages_by_translation() {
    // `/get-only`: a `get(..)` route, opened by CONNECT.
    let client = Client::of_gallery().await;
    let (answer, stream) = client.open(websocket("/get-only")).await;
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    echoes_messages(stream.0).await;
    wants_connect(&client.send(get("/get-only")).await);
}

#[tokio::test]
async fn secure_is_forbidden_without_tls() {
    // `/secure`: 403 over HTTP/2, where no 426 can say what to do.
    let client = Client::of_gallery().await;
    refused(&client.send(get("/secure")).await, 403);
    refused(&client.send(websocket("/secure")).await, 403);
}

#[tokio::test]
async fn http2_is_answered() {
    // `/http2`: 200 to a request; it speaks nothing, so a CONNECT opens no tunnel.
    let client = Client::of_gallery().await;
    answers(&client.send(get("/http2")).await, 200, "http2");
    refused(&client.send(websocket("/http2")).await, 501);
}
