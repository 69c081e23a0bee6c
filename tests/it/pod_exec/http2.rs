//! The same route by an extended CONNECT (RFC 8441), with prior knowledge of HTTP/2.

use http::Method;
use serde_json::json;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::{
    ALL,
    client::{CLOSE, Pod, RESIZE, STDIN, STDOUT, V4, V5, path, success},
};
use crate::http2::{connect, get, request, websocket};

/// A subprotocol is selected, input is ended alone, and output, status and close arrive behind it.
#[tokio::test]
async fn a_command_runs() {
    let pod = Pod::start(&["--allow-sh"]).await;
    for (offered, selected) in [(format!("{V4}, {V5}"), V5), (V4.to_owned(), V4)] {
        let path = path(&format!("command=cat&{ALL}"));
        let mut client = pod.exec_over_http2(&path, &offered).await;
        assert_eq!(client.selected, selected, "{offered}");
        assert_eq!(client.message().await, [STDOUT]);
        client.send(&[RESIZE, b'{', b'}']).await;
        client.send(b"\0hello").await;
        assert_eq!(client.message().await, b"\x01hello");
        if selected == V5 {
            client.send(&[CLOSE, STDIN]).await;
            let heard = client.all().await;
            assert_eq!((heard.out.as_str(), heard.status), ("", success()));
            assert_eq!(heard.closed, CloseCode::Normal);
        } else {
            client.say_goodbye().await;
            client.expect_end().await;
        }
    }
    let script = "cat;echo+late;echo+err+%3e%262;exit+7";
    let path = path(&format!("command=sh&command=-c&command={script}&{ALL}"));
    let mut client = pod.exec_over_http2(&path, V5).await;
    client.send(&[STDIN, b'a']).await;
    client.send(&[CLOSE, STDIN]).await;
    let heard = client.all().await;
    assert_eq!(
        (heard.out.as_str(), heard.err.as_str()),
        ("alate\n", "err\n")
    );
    let cause = json!({ "reason": "ExitCode", "message": "7" });
    assert_eq!(heard.status["details"]["causes"], json!([cause]));
}

/// Streams of one connection have nothing to do with each other.
#[tokio::test]
async fn two_run_on_one_connection() {
    let pod = Pod::start(&[]).await;
    let client = pod.over_http2().await;
    let path = path(&format!("command=cat&{ALL}"));
    let offer = || websocket(&path).header("sec-websocket-protocol", V5);
    let (_, one) = client.open(offer()).await;
    let (_, two) = client.open(offer()).await;
    let (mut one, mut two) = (Pod::on(one).await, Pod::on(two).await);
    for (client, text) in [(&mut one, b"\0a"), (&mut two, b"\0b")] {
        client.send(text).await;
        assert_eq!(client.message().await, [STDOUT]);
        assert_eq!(client.message().await, [STDOUT, text[1]]);
    }
    drop(one);
    two.send(&[CLOSE, STDIN]).await;
    assert_eq!(two.all().await.status, success());
}

/// What else is asked there is told what to ask, without the fields that only HTTP/1.1 has.
#[tokio::test]
async fn refusals() {
    let pod = Pod::start(&[]).await;
    let client = pod.over_http2().await;
    let path = path(&format!("command=cat&{ALL}"));
    for plain in [get(&path), request(Method::POST, &path)] {
        let refused = client.send(plain).await;
        assert_eq!(refused.status(), 405, "{refused:?}");
        assert_eq!(refused.headers()["allow"], "CONNECT");
        assert!(!refused.headers().contains_key("upgrade"), "{refused:?}");
    }
    for (offer, status) in [
        (websocket(&path), 400),
        (
            websocket(&path).header("sec-websocket-protocol", "v3.channel.k8s.io"),
            400,
        ),
        (
            websocket(&path.replace("demo", "other")).header("sec-websocket-protocol", V5),
            404,
        ),
        (connect("SPDY/3.1", &path), 501),
    ] {
        let refused = client.try_open(offer).await.unwrap_err();
        assert_eq!(refused.status(), status, "{refused:?}");
    }
}
