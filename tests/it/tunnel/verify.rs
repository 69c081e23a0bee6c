//! A 101 that must not be believed is answered with 502, and nothing is joined.

mod sound;

use tower_upgrade::{Policy, WebSocket};

use super::{
    edge::policy,
    upstream::{Peer, Upstream, switching, switching_with},
};
use crate::wire::{ACCEPT, Client, Head, Request};

const DETAILS: &str = "application/problem+json";

/// What a client offers, and what the upstream answers to it.
struct Case {
    policy: Policy,
    request: Request,
}

impl Case {
    /// Two tokens and a WebSocket, of which the upstream takes `echo/1.0` as a rule.
    fn echo() -> Self {
        let request = Request::upgrade("/", "echo/1.0, echo/2.0");
        Self {
            policy: policy(),
            request,
        }
    }

    fn websocket(policy: WebSocket, fields: &[(&str, &str)]) -> Self {
        let mut request = Request::websocket("/");
        for (name, value) in fields {
            request = request.add(name, value);
        }
        Self {
            policy: Policy::offer(policy),
            request,
        }
    }

    fn plain() -> Self {
        Self {
            policy: policy(),
            request: Request::get("/"),
        }
    }

    /// Asks, and answers.
    async fn answered(self, answer: &str) -> (Client, Peer, Upstream) {
        let (edge, upstream) = Upstream::behind(self.policy).await;
        let mut client = Client::connect(edge).await;
        let request = self.request.set("Accept", DETAILS);
        client.send(request.to_bytes()).await;
        let (mut peer, _) = upstream.asked().await;
        peer.send(answer).await;
        (client, peer, upstream)
    }

    /// The client is told 502 and this reason, and can go on; the upstream's connection is closed.
    async fn fails(self, answer: String, kind: &str) {
        let (mut client, mut peer, upstream) = self.answered(&answer).await;
        let refused = client.response().await;
        refused
            .head
            .is(502)
            .has("content-type", DETAILS)
            .lacks("upgrade")
            .lacks("connection")
            .lacks("sec-websocket-accept")
            .lacks("sec-websocket-protocol")
            .lacks("set-cookie");
        let kind = format!(r#""kind":"{kind}""#);
        assert!(refused.content.contains(&kind), "{answer}: {refused:?}");

        // Whatever the client sends now is HTTP, and goes to another connection.
        client.send(Request::get("/next").to_bytes()).await;
        let (mut next, asked) = upstream.asked().await;
        assert_eq!(asked.line, "GET /next HTTP/1.1");
        next.answer("next").await;
        assert_eq!(client.response().await.content, "next");

        let _ = peer.0.try_send("LEAK").await;
        peer.0.try_finish().await;
        peer.0.expect_end().await;
        assert!(client.has_nothing_to_read(), "{answer}");
    }

    /// The client is told 101, and the two are joined.
    async fn succeeds(self, answer: String) -> Head {
        let (mut client, mut peer, _) = self.answered(&answer).await;
        let head = client.head().await;
        head.is(101).has("connection", "upgrade");
        head.lacks("content-length").lacks("transfer-encoding");
        client.send("ping").await;
        peer.0.expect("ping").await;
        peer.send("pong").await;
        client.expect("pong").await;
        head
    }
}

/// An answer that selects a WebSocket rightly, with these lines besides.
fn accepting(fields: &str) -> String {
    let accept = format!("Sec-WebSocket-Accept: {ACCEPT}");
    let fields = if fields.is_empty() {
        accept
    } else {
        format!("{accept}\r\n{fields}")
    };
    switching_with("websocket", &fields)
}

#[tokio::test]
async fn a_101_names_one_protocol_and_one_that_was_offered() {
    let head = Case::echo().succeeds(switching("echo/2.0")).await;
    head.has("upgrade", "echo/2.0");
    for named in [
        "echo/3.0",
        "echo",
        "echo/1.0, echo/2.0",
        "websocket",
        "h2c",
        "",
        ",",
    ] {
        Case::echo()
            .fails(switching(named), "upstream-switch")
            .await;
    }
    // The offered one in a second line makes them two.
    let twice = switching_with("echo/1.0", "Upgrade: echo/1.0");
    Case::echo().fails(twice, "upstream-switch").await;
    let none = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n\r\n";
    Case::echo().fails(none.to_owned(), "upstream-switch").await;
}

#[tokio::test]
async fn a_101_says_so_in_connection() {
    for sound in ["Upgrade", "keep-alive, UPGRADE", "x,\tupgrade ,"] {
        let answer = switching("echo/1.0").replace("upgrade", sound);
        Case::echo().succeeds(answer).await;
    }
    let second_line = switching("echo/1.0").replace("upgrade", "keep-alive\r\nConnection: upgrade");
    Case::echo().succeeds(second_line).await;
    for wrong in ["xupgradey", "keep-alive", "close", "\"upgrade\"", ""] {
        let answer = switching("echo/1.0").replace("upgrade", wrong);
        Case::echo().fails(answer, "upstream-switch").await;
    }
    let without = switching("echo/1.0").replace("Connection: upgrade\r\n", "");
    Case::echo().fails(without, "upstream-switch").await;
}

#[tokio::test]
async fn a_websockets_key_is_answered_once_and_rightly() {
    let case = || Case::websocket(WebSocket::new(), &[]);
    let head = case().succeeds(accepting("")).await;
    head.has("sec-websocket-accept", ACCEPT);
    let answers = [
        switching("websocket"),
        accepting("").replace(ACCEPT, ""),
        accepting("").replace(ACCEPT, "s3pPLMBiTxaQ9kYGzzhZRbK+xOO="),
        accepting("").replace(ACCEPT, &ACCEPT.to_lowercase()),
        accepting("").replace(ACCEPT, &format!("{ACCEPT}, {ACCEPT}")),
        accepting(&format!("Sec-WebSocket-Accept: {ACCEPT}")),
    ];
    for answer in answers {
        case().fails(answer, "upstream-accept").await;
    }
}

#[tokio::test]
async fn a_subprotocol_was_asked_for_and_comes_once() {
    let chat = [("Sec-WebSocket-Protocol", "chat, superchat")];
    let case = |fields: &[(&str, &str)]| Case::websocket(WebSocket::new(), fields);
    let answer = |name: &str| accepting(&format!("Sec-WebSocket-Protocol: {name}"));
    let head = case(&chat).succeeds(answer("superchat")).await;
    head.has("sec-websocket-protocol", "superchat");
    case(&chat)
        .succeeds(accepting(""))
        .await
        .lacks("sec-websocket-protocol");

    case(&[])
        .fails(answer("chat"), "upstream-subprotocol")
        .await;
    let twice = answer("chat\r\nSec-WebSocket-Protocol: superchat");
    case(&chat).fails(twice, "upstream-subprotocol").await;
    for name in ["Chat", "chat, superchat", "", "other"] {
        case(&chat)
            .fails(answer(name), "upstream-subprotocol")
            .await;
    }
}

#[tokio::test]
async fn a_subprotocol_is_one_of_the_policys() {
    let case = || {
        let named = WebSocket::new().subprotocols(["v2", "v1"]);
        Case::websocket(named, &[("Sec-WebSocket-Protocol", "v1, chat, v2")])
    };
    let answer = |name: &str| accepting(&format!("Sec-WebSocket-Protocol: {name}"));
    let head = case().succeeds(answer("v1")).await;
    head.has("sec-websocket-protocol", "v1");
    // The client asked for it, and it was not passed on.
    case().fails(answer("chat"), "upstream-subprotocol").await;
}

#[tokio::test]
async fn an_extension_was_asked_for() {
    const FIELD: &str = "Sec-WebSocket-Extensions";
    let asked = [
        (FIELD, "permessage-deflate; client_max_window_bits"),
        (FIELD, "x-other"),
    ];
    let case = |fields: &[(&str, &str)]| Case::websocket(WebSocket::new(), fields);
    let answer = |value: &str| accepting(&format!("{FIELD}: {value}"));
    let chosen = "permessage-deflate; client_max_window_bits=12; server_no_context_takeover";
    let head = case(&asked).succeeds(answer(chosen)).await;
    head.has("sec-websocket-extensions", chosen);
    let head = case(&asked).succeeds(answer("X-Other")).await;
    head.has("sec-websocket-extensions", "X-Other");

    case(&[]).fails(answer(chosen), "upstream-extension").await;
    for chosen in [
        "x-unasked",
        "x-other, x-unasked",
        "permessage-deflate2",
        "\"x-other\"",
    ] {
        case(&asked)
            .fails(answer(chosen), "upstream-extension")
            .await;
    }
    let second_line = answer(&format!("x-other\r\n{FIELD}: x-unasked"));
    case(&asked).fails(second_line, "upstream-extension").await;
}

#[tokio::test]
async fn a_101_answers_an_offer() {
    Case::plain()
        .fails(switching("echo/1.0"), "upstream-switch")
        .await;
    // An offer that was not let through is none.
    for request in [
        Request::upgrade("/", "h2c"),
        Request::upgrade("/", "echo/1.0").without("Connection"),
    ] {
        let case = Case {
            request,
            ..Case::plain()
        };
        case.fails(switching("h2c"), "upstream-switch").await;
    }
}

/// A policy that requires a subprotocol requires it of the upstream, too.
#[tokio::test]
async fn a_required_subprotocol_is_selected() {
    let websocket = || WebSocket::new().subprotocols(["v1"]);
    for (options, fields, status) in [
        (websocket().require_subprotocol(), "", 502),
        (
            websocket().require_subprotocol(),
            "\r\nSec-WebSocket-Protocol: v1",
            101,
        ),
        (websocket(), "", 101),
    ] {
        let (edge, upstream) = Upstream::behind(Policy::offer(options)).await;
        let mut client = Client::connect(edge).await;
        let offer = Request::websocket("/").set("sec-websocket-protocol", "v1");
        client.send(offer.to_bytes()).await;
        let (mut peer, _) = upstream.asked().await;
        let accept = format!("Sec-WebSocket-Accept: {ACCEPT}{fields}");
        peer.send(switching_with("websocket", &accept)).await;
        client.head().await.is(status);
    }
}
