//! Observers: the exact order of what they are told, for every way an offer can go.
//!
//! Ends of connections are in `causes`.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::UPGRADE};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_upgrade::{
    Drain, Limit, Observer, OnUpgrade, Pending, Policy, UpgradeLayer, WebSocket,
    observe::Connection,
};

use super::{
    offers::{
        Deciding, Offer, connect, connection, layer, offer, open, protocol, serve, settle, status,
    },
    record::Record,
};
use crate::{
    server::{self, AnyError},
    wire::{self, Client},
};

/// What observers are told when a service answers this request so.
async fn told_of(layer: UpgradeLayer, request: Offer, answer: Response<String>) -> Vec<String> {
    let record = Record::default();
    let mut answer = Some(answer);
    let mut service = layer.observe(record.clone()).layer(service_fn(|_: Offer| {
        let answer = answer.take().unwrap();
        async { Ok::<_, AnyError>(answer) }
    }));
    drop(service.call(request).await);
    record.events()
}

fn without_handle() -> Offer {
    let mut offer = offer(connection().1);
    offer.extensions_mut().remove::<Pending>();
    offer
}

#[tokio::test]
async fn a_request_without_an_offer_is_not_told() {
    // "Requests that pass without an offer are not told", and a refusal of one has no `offered`.
    let plain = || Request::get("/").body(()).unwrap();
    let tunnel = || Request::connect("there.example:80").body(()).unwrap();
    for policy in [Policy::forbid(), Policy::offer(protocol())] {
        let layer = UpgradeLayer::new(policy);
        assert!(
            told_of(layer.clone(), plain(), status(200))
                .await
                .is_empty()
        );
        assert!(told_of(layer, tunnel(), status(200)).await.is_empty());
    }
    let told = told_of(layer(), plain(), status(200)).await;
    assert_eq!(told, ["refused not-offered"]);
}

#[tokio::test]
async fn an_offer_that_passes() {
    // It is not wanted, not spoken here, or cannot be handed over.
    let offer = || offer(connection().1);
    for (policy, request) in [
        (Policy::forbid(), offer()),
        (Policy::offer(WebSocket::new()), offer()),
        (Policy::offer(protocol()), without_handle()),
    ] {
        let told = told_of(UpgradeLayer::new(policy), request, status(200)).await;
        assert_eq!(told, ["offered /", "passed /"]);
    }
}

#[tokio::test]
async fn an_offer_that_is_refused() {
    // By the policy, the server, a limit or a drain.
    let offer = || offer(connection().1);
    let drain = Drain::new();
    drain.start();
    let websocket = UpgradeLayer::new(Policy::require(WebSocket::new()));
    for (layer, request, refused) in [
        (websocket, offer(), "refused not-spoken"),
        (layer(), without_handle(), "refused not-upgradable"),
        (
            layer().limit(Limit::total(0)),
            offer(),
            "refused total-limit",
        ),
        (
            layer().limit(Limit::per_key(0, |_| ())),
            offer(),
            "refused key-limit",
        ),
        (layer().drain(drain), offer(), "refused draining"),
    ] {
        let told = told_of(layer, request, status(200)).await;
        assert_eq!(told, ["offered /", refused]);
    }
}

#[tokio::test]
async fn an_offer_that_is_declined() {
    // By another answer, a failure, or because the request was given up.
    let offer = || offer(connection().1);
    for code in [200, 403, 500] {
        let told = told_of(layer(), offer(), status(code)).await;
        assert_eq!(told, ["offered /", "declined"]);
    }
    for fails in [true, false] {
        let record = Record::default();
        let layer = layer().observe(record.clone());
        let deciding = Deciding::of(&layer, connection().1);
        if fails {
            assert!(deciding.answer.send(Err("it failed".into())).is_ok());
            assert!(deciding.answering.await.is_err());
        } else {
            drop(deciding.answering);
        }
        assert_eq!(record.events(), ["offered /", "declined"]);
    }
}

#[tokio::test]
async fn an_acceptance_that_is_refused() {
    // The service's fault, which is answered 500 or 501.
    let naming = |protocol| {
        let mut answer = status(101);
        let value = HeaderValue::from_static(protocol);
        answer.headers_mut().insert(UPGRADE, value);
        answer
    };
    let with_content = || {
        let mut offer = offer(connection().1);
        let value = HeaderValue::from_static("1");
        offer.headers_mut().insert("content-length", value);
        offer
    };
    let tunnel = || connect(connection().1);
    let content = UpgradeLayer::new(Policy::require(protocol().content_limit(9)));
    for (layer, request, answer, refused) in [
        (layer(), offer(connection().1), status(101), "abandoned"),
        (
            layer(),
            offer(connection().1),
            naming("x"),
            "other-protocol",
        ),
        (content, with_content(), status(101), "content-unread"),
        (layer(), tunnel(), status(200), "tunnel-not-accepted"),
    ] {
        let told = told_of(layer, request, answer).await;
        assert_eq!(told, ["offered /", &format!("refused {refused}")]);
    }
    // A declined tunnel is the twin.
    let told = told_of(layer(), tunnel(), status(404)).await;
    assert_eq!(told, ["offered /", "declined"]);
}

#[tokio::test]
async fn handlers_with_an_extractor_of_their_own() {
    // Rule 18: what comes after their answer is not seen by the layer; their permits return with it.
    let accepts = || {
        let mut response = Response::<Full<Bytes>>::default();
        *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
        response
    };
    let names_another = move || {
        let mut response = accepts();
        let other = HeaderValue::from_static("other");
        response.headers_mut().insert(UPGRADE, other);
        response
    };
    let answers = [
        (accepts(), 101, &["offered /"][..]),
        (Response::default(), 200, &["offered /", "declined"]),
        (
            names_another(),
            500,
            &["offered /", "refused other-protocol"],
        ),
    ];
    for (answer, code, told) in answers {
        let (record, limit, drain) = (Record::default(), Limit::total(1), Drain::new());
        let layer = UpgradeLayer::new(Policy::require(protocol()).hand_over_raw())
            .observe(record.clone())
            .drain(drain.clone())
            .limit(limit.clone());
        let (live, counted) = (limit.clone(), drain.clone());
        let service = service_fn(move |mut request: Request<hyper::body::Incoming>| {
            assert_eq!((live.live(), counted.live()), (1, 1));
            assert!(OnUpgrade::take(&mut request).is_none());
            let answer = answer.clone();
            async { Ok::<_, AnyError>(answer) }
        });
        let mut client = Client::over(server::serve(layer.layer(service)));
        let request = wire::Request::upgrade("/", "echo/1.0");
        client.offer(&request).await.is(code);
        assert_eq!(record.events(), told);
        assert_eq!((limit.live(), drain.live()), (0, 0));
    }
}

/// Keeps what it is told of connections.
#[derive(Clone, Default)]
struct Details(Arc<Mutex<Vec<String>>>);

impl Observer for Details {
    fn accepted(&self, connection: &Connection<'_>) {
        let Connection {
            protocol,
            subprotocol,
            version,
            ..
        } = connection;
        let details = format!("{protocol} {subprotocol:?} {version:?}");
        self.0.lock().unwrap().push(details);
    }
}

#[tokio::test]
async fn a_connection_is_told_by_what_was_agreed_on() {
    // In the policy's words, "nothing is the peer's text", over each version of HTTP.
    let details = Details::default();
    let spoken = WebSocket::new().subprotocols(["chat.v2", "chat.v1"]);
    let layer = UpgradeLayer::new(Policy::require(spoken).or(protocol())).observe(details.clone());
    let service = || layer.layer(crate::spy::Spy::default());
    let mut client = Client::over(server::serve(service()));
    let request = wire::Request::websocket("/").set("Upgrade", "WebSocket");
    let request = request.set("Sec-WebSocket-Protocol", "chat.v1, chat.v0");
    client.offer(&request).await.is(101);
    let mut client = Client::over(server::serve(service()));
    client
        .offer(&wire::Request::upgrade("/", "ECHO/1.0"))
        .await
        .is(101);
    let client = crate::http2::Client::of(service()).await;
    client.open(crate::http2::websocket("/")).await;
    let expected = [
        r#"websocket Some("chat.v1") HTTP/1.1"#,
        "echo/1.0 None HTTP/1.1",
        "websocket None HTTP/2.0",
    ];
    assert_eq!(*details.0.lock().unwrap(), expected);
}

#[tokio::test]
async fn every_observer_is_told_all_and_no_two_connections_are_one() {
    // "of several, each in turn", for as many connections as there are at once.
    let (one, other) = (Record::default(), Record::default());
    let layer = layer().observe(one.clone()).observe(other.clone());
    let mut live = Vec::new();
    for _ in 0..5 {
        live.push(open(&layer).await);
    }
    drop(live);
    let _client = serve(&layer, |_| async {}).await;
    settle().await;
    assert_eq!(one.events(), other.events());
    assert_eq!((one.connections(), one.closings().len()), (6, 6));
}
