//! Which subprotocol is spoken: the policy's, or the handler's among those the client offers.

use axum::{Router, routing::any};
use tokio::io::AsyncReadExt;
use tower_upgrade::{
    OnUpgrade, Policy, UpgradeLayer, WebSocket,
    testing::TestOffer,
    ws::{self, Message, WebSocketUpgrade},
};

use super::both;
use crate::{
    http2,
    wire::{Client, patiently},
};

const SUBPROTOCOL: &str = "sec-websocket-protocol";

fn offering(subprotocols: &str) -> TestOffer {
    TestOffer::websocket("/").insert_header(SUBPROTOCOL, subprotocols)
}

/// Tells the client what the socket says is spoken.
async fn tell(mut socket: ws::WebSocket) {
    let protocol = socket.protocol().and_then(|name| name.to_str().ok());
    let text = protocol.unwrap_or("none").to_owned();
    drop(socket.send(Message::Text(text.into())).await);
}

/// The client and the handler are told the same.
async fn speaks(app: &Router, offer: &TestOffer, expected: Option<&str>) {
    let sent = offer.clone().send(app.clone()).await.unwrap();
    let client = sent.into_client();
    assert_eq!(client.subprotocol(), expected, "{offer:?}");
    let mut client = Client::over(client);
    let text = expected.unwrap_or("none");
    let mut frame = vec![0x81, u8::try_from(text.len()).unwrap()];
    frame.extend_from_slice(text.as_bytes());
    assert_eq!(client.read_exact(frame.len()).await, frame, "{offer:?}");
}

#[tokio::test]
async fn the_first_of_the_handlers_that_the_client_offers_is_selected() {
    // Rule 11: ours in our order against theirs, compared exactly.
    let handler = async |upgrade: WebSocketUpgrade| {
        let upgrade = upgrade.protocols(["v2".to_owned(), "v1".to_owned()]);
        upgrade.on_upgrade(tell)
    };
    for app in both(any(handler)) {
        speaks(&app, &offering("v1, v2"), Some("v2")).await;
        speaks(&app, &offering("v1"), Some("v1")).await;
        let lines = offering("x").append_header(SUBPROTOCOL, ",, v1");
        speaks(&app, &lines, Some("v1")).await;
        speaks(&app, &offering("V2, v10"), None).await;
        speaks(&app, &TestOffer::websocket("/"), None).await;
    }
}

#[tokio::test]
async fn over_http2_it_is_answered_too() {
    // RFC 8441 5: the field means the same.
    let handler =
        async |upgrade: WebSocketUpgrade| upgrade.protocols(["v2", "v1"]).on_upgrade(tell);
    for app in both(any(handler)) {
        let client = http2::Client::of(app).await;
        let offer = http2::websocket("/").header(SUBPROTOCOL, "v1");
        let (answer, mut stream) = client.open(offer).await;
        assert_eq!(answer.headers()[SUBPROTOCOL], "v1");
        let mut frame = [0; 4];
        patiently("a frame", stream.0.read_exact(&mut frame))
            .await
            .unwrap();
        assert_eq!(&frame, b"\x81\x02v1");
    }
}

#[tokio::test]
async fn the_policy_has_the_last_word_where_it_names_subprotocols() {
    // What it selected stays selected, and where it selected none the handler cannot either.
    let handler = async |upgrade: WebSocketUpgrade| {
        let mut upgrade = upgrade.protocols(["v1", "other"]);
        upgrade.set_selected_protocol("other".parse().unwrap());
        upgrade.on_upgrade(tell)
    };
    let options = WebSocket::new().subprotocols(["v2", "v1"]);
    let layer = UpgradeLayer::new(Policy::require(options));
    let app = Router::new().route("/", any(handler)).layer(layer);
    speaks(&app, &offering("v1, v2, other"), Some("v2")).await;
    speaks(&app, &offering("v1, other"), Some("v1")).await;
    speaks(&app, &offering("other"), None).await;
}

#[tokio::test]
async fn one_that_the_client_did_not_offer_is_never_sent() {
    // RFC 6455 4.1: a client "MUST _Fail the WebSocket Connection_" that is told one.
    let handler = async |mut upgrade: WebSocketUpgrade| {
        upgrade.set_selected_protocol("unasked".parse().unwrap());
        assert!(upgrade.selected_protocol().is_none());
        let mut response = upgrade.on_upgrade(tell);
        let field = "unasked".parse().unwrap();
        response.headers_mut().insert(SUBPROTOCOL, field);
        response
    };
    let [layered, _] = both(any(handler));
    speaks(&layered, &offering("v1"), None).await;
    speaks(&layered, &TestOffer::websocket("/"), None).await;

    let handler = async |mut upgrade: WebSocketUpgrade| {
        upgrade.set_selected_protocol("v1".parse().unwrap());
        upgrade.set_selected_protocol("unasked".parse().unwrap());
        upgrade.on_upgrade(tell)
    };
    for app in both(any(handler)) {
        speaks(&app, &offering("v1"), None).await;
    }
}

#[tokio::test]
async fn a_handler_selects_by_what_is_requested() {
    // The client's order, each once, over all lines.
    let handler = async |mut upgrade: WebSocketUpgrade| {
        let requested: Vec<_> = upgrade.requested_protocols().cloned().collect();
        assert_eq!(requested, ["z", "y", "x"]);
        upgrade.set_selected_protocol(requested[1].clone());
        assert_eq!(upgrade.selected_protocol().unwrap(), "y");
        upgrade.on_upgrade(tell)
    };
    for app in both(any(handler)) {
        let offer = offering("z, y").append_header(SUBPROTOCOL, "x");
        speaks(&app, &offer, Some("y")).await;
    }
}

#[tokio::test]
async fn another_handlers_field_is_still_taken_off() {
    // Only what this extractor chose is sent: rule 15 for all others.
    let handler = async |upgrade: OnUpgrade| {
        let mut response: axum::response::Response = upgrade.accept(async |_| {});
        let field = "v1".parse().unwrap();
        response.headers_mut().insert(SUBPROTOCOL, field);
        response
    };
    let layer = UpgradeLayer::new(Policy::require(WebSocket::new()));
    let app = Router::new().route("/", any(handler)).layer(layer);
    let answer = offering("v1").send(app).await.unwrap();
    assert!(!answer.response.headers().contains_key(SUBPROTOCOL));
    let _ = answer.into_client();
}
