//! Every row of the gallery's table over HTTP/1.1, on raw sockets, however the bytes arrive.

use crate::{
    gallery_probe::{
        answers, echoes_bytes, echoes_messages, masked, refuses_all_but_websocket, websockets,
    },
    server::gallery,
    wire::{Client, Request},
};

#[tokio::test]
async fn the_front_page_names_every_route() {
    // `/`: "a page listing the routes with a button each that tries it from the browser".
    let mut client = Client::connect(gallery().await).await;
    let page = client.ask(&Request::get("/")).await;
    page.head
        .is(200)
        .has("content-type", "text/html; charset=utf-8");
    for route in [
        "/ws",
        "/either",
        "/closed",
        "/multi",
        "/multi-server",
        "/exec",
        "/unread",
        "/decline",
        "/unaware",
        "/axum",
        "/get-only",
        "/limited",
        "/limited-total",
        "/idle",
        "/deadline",
        "/first-byte",
        "/secure",
        "/http2",
    ] {
        assert!(page.content.contains(route), "{route}");
    }
    client
        .ask(&Request::websocket("/nowhere"))
        .await
        .head
        .is(404);
}

#[tokio::test]
async fn ws_requires_a_websocket_and_speaks_two_subprotocols() {
    // `/ws`: "require WebSocket, subprotocols `v2`, `v1`, same-origin | echoes messages".
    echoes_messages("/ws").await;
    refuses_all_but_websocket("/ws", "websocket").await;
    let address = gallery().await;
    for (offered, selected) in [("v1, v2", "v2"), ("foo,v1", "v1")] {
        let request = Request::websocket("/ws").set("Sec-WebSocket-Protocol", offered);
        let mut client = Client::connect(address).await;
        client
            .offer(&request)
            .await
            .is(101)
            .has("sec-websocket-protocol", selected);
    }
}

#[tokio::test]
async fn either_is_a_websocket_or_plain() {
    // `/either`: "offer WebSocket | echoes messages; plain requests get 200 `plain`".
    echoes_messages("/either").await;
    answers(&Request::get("/either"), 200, "plain").await;
    answers(
        &Request::upgrade("/either", "h2c")
            .method("POST")
            .content("x"),
        200,
        "plain",
    )
    .await;
    answers(
        &Request::websocket("/either").set("Connection", "x"),
        200,
        "plain",
    )
    .await;
    answers(
        &Request::websocket("/either").set("Origin", "null"),
        403,
        "null",
    )
    .await;
}

#[tokio::test]
async fn closed_never_sees_an_offer() {
    // `/closed`: "200, body `upgrade: absent` if no `Upgrade` field reached it".
    for request in websockets("/closed") {
        // `answers` asks twice, so that none may say `close`.
        answers(
            &request.set("Connection", "x, Upgrade"),
            200,
            "upgrade: absent",
        )
        .await;
    }
    answers(&Request::get("/closed"), 200, "upgrade: absent").await;
    answers(
        &Request::upgrade("/closed", "a").add("Upgrade", "b"),
        200,
        "upgrade: absent",
    )
    .await;
}

#[tokio::test]
async fn multi_lets_the_client_choose() {
    // `/multi`: "require `echo/2.0`, `echo/1.0`, WebSocket; client's order | `echo/1.0` bytes back;
    // `echo/2.0` bytes back in ASCII upper case; WebSocket echoes messages".
    echoes_messages("/multi").await;
    refuses_all_but_websocket("/multi", "echo/2.0, echo/1.0, websocket").await;
    let offer = |list: &str| Request::upgrade("/multi", list);
    echoes_bytes(&offer("echo/1.0, echo/2.0"), "echo/1.0", "", "Some Bytes").await;
    echoes_bytes(
        &offer("foo, ECHO/2.0, echo/1.0"),
        "echo/2.0",
        "",
        "SOME BYTES",
    )
    .await;
}

#[tokio::test]
async fn multi_server_chooses_itself() {
    // `/multi-server`: "the same, server's order".
    echoes_messages("/multi-server").await;
    let offer = |list: &str| Request::upgrade("/multi-server", list);
    echoes_bytes(&offer("echo/1.0, echo/2.0"), "echo/2.0", "", "SOME BYTES").await;
    echoes_bytes(&offer("websocket, echo/1.0"), "echo/1.0", "", "Some Bytes").await;
}

#[tokio::test]
async fn exec_reads_the_content_first() {
    // `/exec`: "require `echo/1.0`, POST, content up to 64 KiB | reads the content, accepts, writes
    // `body:<length>\n`, then echoes bytes".
    let exec = Request::upgrade("/exec", "echo/1.0").method("POST");
    echoes_bytes(
        &exec.clone().content("BODY!"),
        "echo/1.0",
        "body:5\n",
        "Some Bytes",
    )
    .await;
    echoes_bytes(&exec, "echo/1.0", "body:0\n", "Some Bytes").await;
    let address = gallery().await;
    for (length, status) in [(65_536, 101), (65_537, 413)] {
        let content = vec![b'x'; length];
        let mut chunked = exec.clone().set("Transfer-Encoding", "chunked").to_bytes();
        chunked.extend_from_slice(format!("{length:x}\r\n").as_bytes());
        chunked.extend_from_slice(&content);
        chunked.extend_from_slice(b"\r\n0\r\n\r\n");
        for bytes in [exec.clone().content(&content).to_bytes(), chunked] {
            let mut client = Client::connect(address).await;
            client.try_send(&bytes).await;
            client.head().await.is(status);
            if status == 101 {
                client.expect("body:65536\n").await;
            }
        }
    }
    answers(&exec.method("GET"), 405, "POST").await;
}

#[tokio::test]
async fn exec_asks_for_late_content() {
    // `/exec` again: RFC 9110 7.8, "a 100 (Continue) response before sending a 101".
    let mut client = Client::connect(gallery().await).await;
    let exec = Request::upgrade("/exec", "echo/1.0").method("POST");
    let expecting = exec
        .set("Content-Length", "5")
        .set("Expect", "100-continue");
    client.send(expecting.to_bytes()).await;
    client.head().await.is(100);
    client.send_pieces(["BO", "DY", "!after"]).await;
    client.head().await.is(101);
    client.expect("body:5\nafter").await;
}

#[tokio::test]
async fn unread_is_refused_and_closed() {
    // `/unread`: "the same as `/exec`, content up to 1 MiB | accepts without reading the content".
    let address = gallery().await;
    let unread = Request::upgrade("/unread", "echo/1.0").method("POST");
    for bytes in [
        unread.clone().content("BODY!").to_bytes(),
        unread.clone().set("Content-Length", "1048576").to_bytes(),
        unread
            .clone()
            .set("Transfer-Encoding", "chunked")
            .to_bytes(),
    ] {
        let mut client = Client::connect(address).await;
        client.send(&bytes).await;
        let response = client.response().await;
        response
            .head
            .is(500)
            .lacks("upgrade")
            .has("connection", "close");
        client.try_send("BODY!after").await;
        client.expect_end().await;
    }
    let mut client = Client::connect(address).await;
    client
        .ask(&unread.clone().set("Content-Length", "1048577"))
        .await
        .head
        .is(413);
    echoes_bytes(&unread.content(""), "echo/1.0", "", "Some Bytes").await;
}

#[tokio::test]
async fn decline_leaks_nothing() {
    // `/decline`: "keeps the `OnUpgrade` in a task that writes `LEAK` if it is ever handed over;
    // answers 403".
    let address = gallery().await;
    for request in websockets("/decline") {
        let mut client = Client::connect(address).await;
        client
            .send([request.to_bytes(), masked("one")].concat())
            .await;
        client.response().await.head.is(403).lacks("upgrade");
        client.finish().await;
        let rest = String::from_utf8_lossy(&client.read_to_end().await).into_owned();
        assert!(!rest.contains("LEAK"), "{request:?} {rest}");
    }
    answers(&Request::get("/decline"), 403, "").await;
}

#[tokio::test]
async fn unaware_answers_as_ever() {
    // `/unaware`: "ignores the offer, 200 `unaware`".
    answers(&Request::websocket("/unaware"), 200, "unaware").await;
    answers(&Request::get("/unaware"), 200, "unaware").await;
}

#[tokio::test]
async fn axum_gets_one_clean_offer() {
    // `/axum`: "require WebSocket, `hand_over_raw` | axum's own `WebSocketUpgrade`, echoes messages".
    echoes_messages("/axum").await;
    refuses_all_but_websocket("/axum", "websocket").await;
}

#[tokio::test]
async fn get_only_takes_a_get() {
    // `/get-only`: "require WebSocket, `translate_connect`, layer outside the router".
    echoes_messages("/get-only").await;
    refuses_all_but_websocket("/get-only", "websocket").await;
}

#[tokio::test]
async fn secure_and_http2_name_what_they_require() {
    // `/secure`: "require TLS"; `/http2`: "require HTTP/2 or newer".
    let address = gallery().await;
    for (target, named) in [("/secure", "TLS/1.2, HTTP/1.1"), ("/http2", "HTTP/2.0")] {
        for request in [Request::get(target), Request::upgrade(target, "TLS/1.2")] {
            let mut client = Client::connect(address).await;
            let response = client.ask(&request).await;
            response
                .head
                .is(426)
                .has("upgrade", named)
                .has("connection", "upgrade");
        }
    }
}
