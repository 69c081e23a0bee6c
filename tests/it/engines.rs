//! Handlers that know HTTP/1.1 only, over HTTP/2: fastwebsockets, hyper-tungstenite, axum's
//! `get(..)` (rule 19).

use std::convert::Infallible;

use axum::{Router, extract::WebSocketUpgrade, routing::get};
use bytes::Bytes;
use fastwebsockets::{FragmentCollector, OpCode, WebSocketError};
use futures_util::{SinkExt, StreamExt};
use http::{Method, Request, Response, Version};
use http_body_util::{Empty, Full};
use hyper::body::Incoming;
use hyper_tungstenite::tungstenite::error::ProtocolError;
use tower::{Layer, service_fn};
use tower_upgrade::{OnUpgrade, Policy, UpgradeLayer, WebSocket};

use crate::{
    echo::{Echo, echo},
    http2::{AUTHORITY, Client, connect, websocket},
    raw_handlers::echo_messages,
    rust_client::{echoes_messages, opens_and_echoes},
    server::serve,
    wire::{ACCEPT, KEY},
};

fn raw() -> UpgradeLayer {
    UpgradeLayer::new(
        Policy::require(WebSocket::new())
            .hand_over_raw()
            .translate_connect(),
    )
}

/// fastwebsockets' own handshake and engine.
async fn fast(mut request: Request<Incoming>) -> Result<Response<Empty<Bytes>>, WebSocketError> {
    let (response, socket) = fastwebsockets::upgrade::upgrade(&mut request)?;
    tokio::spawn(async move {
        let mut socket = FragmentCollector::new(socket.await?);
        loop {
            let frame = socket.read_frame().await?;
            match frame.opcode {
                OpCode::Close => return Ok::<_, WebSocketError>(()),
                OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
                _ => {}
            }
        }
    });
    Ok(response)
}

/// hyper-tungstenite's own handshake.
async fn tungstenite(
    mut request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, ProtocolError> {
    let (response, socket) = hyper_tungstenite::upgrade(&mut request, None)?;
    tokio::spawn(async move {
        let mut socket = socket.await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            let is_data = message.is_text() || message.is_binary();
            if is_data && socket.send(message).await.is_err() {
                break;
            }
        }
    });
    Ok(response)
}

#[tokio::test]
async fn fastwebsockets_speaks_over_http1_and_http2() {
    // Rule 19: it knows HTTP/1.1 only, and over HTTP/2 its accept value is taken out again.
    let service = raw().layer(service_fn(fast));
    opens_and_echoes(serve(service.clone())).await;
    let (answer, stream) = Client::of(service).await.open(websocket("/")).await;
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    echoes_messages(stream.0).await;
}

#[tokio::test]
async fn hyper_tungstenite_speaks_over_http1_and_http2() {
    // Rule 19: the same for one that writes content into its 101, which is taken off.
    let service = raw().layer(service_fn(tungstenite));
    let answer = opens_and_echoes(serve(service.clone())).await;
    assert!(
        !answer.headers().contains_key("content-length"),
        "it sets content on its 101"
    );
    let (answer, stream) = Client::of(service).await.open(websocket("/")).await;
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    echoes_messages(stream.0).await;
}

#[tokio::test]
async fn axums_extractor_under_get_speaks_over_http1_and_http2() {
    // Rule 19: "so that `get(..)` routes and HTTP/1.1-only handlers work over HTTP/2."
    let handler = get(async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(echo_messages));
    let app = raw().layer(Router::new().route("/", handler));
    opens_and_echoes(serve(app.clone())).await;
    let (answer, stream) = Client::of(app).await.open(websocket("/")).await;
    assert!(!answer.headers().contains_key("sec-websocket-accept"));
    echoes_messages(stream.0).await;
}

#[tokio::test]
async fn a_key_that_the_client_brought_is_the_one_that_is_answered() {
    // The stand-in stands in for none.
    let offer = || websocket("/").header("sec-websocket-key", KEY);
    let client = Client::of(raw().layer(service_fn(tungstenite))).await;
    let (answer, _) = client.open(offer()).await;
    assert_eq!(answer.headers()["sec-websocket-accept"], ACCEPT);

    let ours = UpgradeLayer::new(Policy::require(WebSocket::new()).translate_connect());
    let client = Client::of(ours.layer(Echo::default())).await;
    let (answer, _) = client.open(offer()).await;
    assert_eq!(answer.headers()["sec-websocket-accept"], ACCEPT);
}

#[tokio::test]
async fn a_translated_connect_looks_like_the_get_it_stands_for() {
    // Rule 19: it is shown "as the `GET` + `Upgrade` it stands for", target and query kept.
    let service = service_fn(async |mut request: Request<Incoming>| {
        assert_eq!(request.method(), Method::GET);
        assert_eq!(request.version(), Version::HTTP_11);
        assert_eq!(request.uri(), "/chat?room=1");
        let field = |name| request.headers()[name].to_str().unwrap();
        assert_eq!(field("host"), AUTHORITY);
        assert_eq!(field("connection"), "upgrade");
        assert_eq!(field("upgrade"), "websocket");
        assert_eq!(field("sec-websocket-version"), "13");
        assert_eq!(field("sec-websocket-key").len(), 24);
        assert!(request.extensions().get::<hyper::ext::Protocol>().is_none());
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        assert_eq!(
            on_upgrade.version(),
            Version::HTTP_2,
            "what carries it in truth"
        );
        Ok::<Response<Full<Bytes>>, Infallible>(on_upgrade.accept(echo))
    });
    let layer = UpgradeLayer::new(Policy::require(WebSocket::new()).translate_connect());
    let client = Client::of(layer.layer(service)).await;
    let offer = connect("WebSocket", "/chat?room=1").header("sec-websocket-version", "13");
    let (answer, mut stream) = client.open(offer).await;
    for name in ["upgrade", "connection", "sec-websocket-accept"] {
        assert!(!answer.headers().contains_key(name), "{answer:?}");
    }
    stream.write("hello").await;
    stream.expect("hello").await;
}

#[tokio::test]
async fn a_translated_connect_has_its_cookies_in_one_line() {
    // RFC 9113 8.2.3: cookies "MUST be concatenated into a single octet string" for HTTP/1.1.
    for (lines, shown) in [
        (&["a=b"][..], &["a=b"][..]),
        (&["a=b", "c=d"], &["a=b; c=d"]),
        (&[], &[]),
    ] {
        let service = service_fn(move |mut request: Request<Incoming>| async move {
            let cookies: Vec<_> = request.headers().get_all("cookie").iter().collect();
            assert_eq!(cookies, shown);
            let on_upgrade = OnUpgrade::take(&mut request).unwrap();
            Ok::<Response<Full<Bytes>>, Infallible>(on_upgrade.accept(echo))
        });
        let layer = UpgradeLayer::new(Policy::require(WebSocket::new()).translate_connect());
        let client = Client::of(layer.layer(service)).await;
        let request = lines.iter().fold(websocket("/"), |request, line| {
            request.header("cookie", *line)
        });
        client.open(request).await;
    }
}

#[tokio::test]
async fn a_translated_connect_is_shown_with_one_sound_key() {
    // Rule 19: over HTTP/2 a broken key is not refused, but no `GET` can stand for it.
    let service = service_fn(async |mut request: Request<Incoming>| {
        let keys: Vec<_> = request
            .headers()
            .get_all("sec-websocket-key")
            .iter()
            .collect();
        assert_eq!(keys.len(), 1, "{keys:?}");
        assert_eq!(keys[0].len(), 24, "{keys:?}");
        let on_upgrade = OnUpgrade::take(&mut request).unwrap();
        Ok::<Response<Full<Bytes>>, Infallible>(on_upgrade.accept(echo))
    });
    let layer = UpgradeLayer::new(Policy::require(WebSocket::new()).translate_connect());
    let client = Client::of(layer.layer(service)).await;
    for keys in [&[][..], &[KEY], &["garbage"], &["garbage", "two"]] {
        let request = keys.iter().fold(websocket("/"), |request, key| {
            request.header("sec-websocket-key", *key)
        });
        let (answer, _) = client.open(request).await;
        let is_answered = answer.headers().contains_key("sec-websocket-accept");
        assert_eq!(is_answered, keys == [KEY]);
    }
}

#[tokio::test]
async fn a_translated_connect_that_is_declined_opens_no_tunnel() {
    // Rule 17, where the service does not know that its 200 would open one.
    for (status, answered) in [(200, 501), (404, 404)] {
        let service = service_fn(move |_: Request<Incoming>| {
            let response = Response::builder().status(status);
            std::future::ready(response.body(Full::<Bytes>::default()))
        });
        let client = Client::of(raw().layer(service)).await;
        assert_eq!(client.send(websocket("/")).await.status(), answered);
    }
}

#[tokio::test]
async fn what_is_no_connect_is_not_translated() {
    // Rule 19 is about extended CONNECTs; all else keeps its method and version.
    let service = service_fn(async |request: Request<Incoming>| {
        let seen = format!("{} {:?}", request.method(), request.version());
        Ok::<_, Infallible>(Response::new(Full::<Bytes>::from(seen)))
    });
    let layer = UpgradeLayer::new(Policy::offer(WebSocket::new()).translate_connect());
    let client = Client::of(layer.layer(service)).await;
    let answer = client.send(crate::http2::request(Method::POST, "/")).await;
    assert_eq!(answer.body(), "POST HTTP/2.0");
}
