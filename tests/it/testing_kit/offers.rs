//! What an offer of the kit is, and how it can be broken.

use axum::extract::ConnectInfo;
use bytes::Bytes;
use futures_util::stream::empty;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body::Body as _;
use http_body_util::BodyExt;
use tower::{Layer, service_fn};
use tower_upgrade::{
    OnUpgrade, Policy, Protocol, RefusalKind, UpgradeLayer, WebSocket, negotiate::ConnectProtocol,
    testing::TestOffer,
};

use super::{Body, answer, behind, echo, panic_of, refuses, switches, websocket};
use crate::server::AnyError;

/// The request that an offer is sent as.
#[track_caller]
fn request<B>(offer: TestOffer<B>) -> Request<B> {
    let mut seen = None;
    let service = service_fn(|request: Request<B>| {
        seen = Some(request);
        std::future::ready(Ok(http::Response::new(())))
    });
    let _ = answer(offer, service);
    seen.unwrap()
}

#[track_caller]
fn has(headers: &HeaderMap, name: &str, lines: &[&str]) {
    let found = headers.get_all(name).iter();
    assert!(found.eq(lines.iter()), "{name}: {headers:?}");
}

#[test]
fn a_websocket_offer_is_a_whole_handshake() {
    // RFC 6455 4.1: GET, Host, Upgrade, Connection, version and key, and no field beside them.
    let request = request(TestOffer::websocket("/chat?room=1"));
    assert_eq!(*request.method(), Method::GET);
    assert_eq!(request.version(), Version::HTTP_11);
    assert_eq!(request.uri(), "/chat?room=1");
    let headers = request.headers();
    has(headers, "host", &["localhost"]);
    has(headers, "upgrade", &["websocket"]);
    has(headers, "connection", &["Upgrade"]);
    has(headers, "sec-websocket-version", &["13"]);
    assert!(headers.contains_key("sec-websocket-key"));
    assert_eq!(headers.len(), 5, "{headers:?}");
    assert_eq!(request.body().size_hint().exact(), Some(0));
}

#[tokio::test]
async fn a_key_is_fresh_and_that_of_a_clone_is_not() {
    // RFC 6455 4.1 item 7: "The nonce MUST be selected randomly for each connection."
    let key = |offer| request(offer).headers()["sec-websocket-key"].clone();
    let offer = TestOffer::websocket("/");
    assert_eq!(key(offer.clone()), key(offer.clone()));
    assert_ne!(key(offer), key(TestOffer::websocket("/")));
    for _ in 0..100 {
        switches(TestOffer::websocket("/"), behind(websocket()));
    }
}

#[test]
fn an_absolute_target_says_where_the_offer_is_sent() {
    // RFC 9112 3.2.1: the target is in origin-form, and its authority in `Host`.
    let offer = TestOffer::websocket("wss://a.example:8443/chat");
    let sent = request(offer.clone());
    assert_eq!(sent.uri(), "/chat");
    has(sent.headers(), "host", &["a.example:8443"]);
    let connect = request(offer.extended_connect());
    assert_eq!(connect.uri(), "https://a.example:8443/chat");
}

#[test]
fn an_extended_connect_asks_for_the_same() {
    // RFC 8441 4 and 5: CONNECT with `:protocol`, `:scheme`, `:path` and `:authority`, and without
    // the fields that stand for them in HTTP/1.1.
    let offer = TestOffer::websocket("/chat").subprotocols(["v2", "v1"]);
    let request = request(offer.origin("http://localhost").extended_connect());
    assert_eq!(*request.method(), Method::CONNECT);
    assert_eq!(request.version(), Version::HTTP_2);
    assert_eq!(request.uri(), "http://localhost/chat");
    let protocol = request.extensions().get();
    assert_eq!(protocol, Some(&ConnectProtocol::new("websocket")));
    let headers = request.headers();
    has(headers, "sec-websocket-version", &["13"]);
    has(headers, "sec-websocket-protocol", &["v2, v1"]);
    has(headers, "origin", &["http://localhost"]);
    assert_eq!(headers.len(), 3, "{headers:?}");
}

#[test]
fn header_fields_are_set_added_and_taken_out() {
    // `insert_header` replaces all lines, `append_header` none, `remove_header` takes all out.
    let offer = TestOffer::new("/", "a").append_header("upgrade", "b");
    has(request(offer.clone()).headers(), "upgrade", &["a", "b"]);
    let replaced = offer.clone().insert_header("upgrade", "c");
    has(request(replaced).headers(), "upgrade", &["c"]);
    let removed = offer.remove_header("upgrade");
    has(request(removed).headers(), "upgrade", &[]);
}

#[tokio::test]
async fn a_sound_offer_can_be_broken_in_one_thing() {
    // RFC 6455 4.2.1: each is refused for what was broken, and the offer it was made from switches.
    use RefusalKind::{
        HttpTooOld, MethodNotAllowed, NotConnectionBound, Origin, WebSocketKey, WebSocketVersion,
    };
    let offer = TestOffer::websocket("/").origin("http://localhost");
    switches(offer.clone(), behind(websocket()));
    let refuses = |kind, edit: fn(TestOffer) -> TestOffer| {
        refuses(kind, edit(offer.clone()), websocket());
    };
    refuses(WebSocketKey, |o| o.remove_header("sec-websocket-key"));
    refuses(WebSocketKey, |o| o.insert_header("sec-websocket-key", "x"));
    refuses(WebSocketVersion, |o| {
        o.insert_header("sec-websocket-version", "12")
    });
    refuses(NotConnectionBound, |o| {
        o.insert_header("connection", "keep-alive")
    });
    refuses(Origin, |o| o.origin("http://elsewhere.example"));
    refuses(MethodNotAllowed, |o| o.method(Method::POST));
    refuses(HttpTooOld, |o| {
        o.edit(|request| *request.version_mut() = Version::HTTP_10)
    });
}

#[test]
fn what_an_outer_layer_leaves_reaches_the_service() {
    // An extension is there as the server's own would be.
    let info = ConnectInfo("peer");
    let request = request(TestOffer::new("/", "a").extension(info));
    let found = request.extensions().get::<ConnectInfo<&str>>();
    assert_eq!(found.unwrap().0, "peer");
}

#[test]
fn content_is_told_by_its_length() {
    // RFC 9112 6: content is announced by `Content-Length`, or comes in chunks; over HTTP/2 by neither.
    let offer = TestOffer::new("/", "a");
    let sized = request(offer.clone().content("ls -l"));
    has(sized.headers(), "content-length", &["5"]);
    let chunks = || axum::body::Body::from_stream(empty::<Result<Bytes, AnyError>>());
    let chunked = offer.clone().content("ls").body(chunks());
    let sized = request(chunked.content("ls"));
    has(sized.headers(), "transfer-encoding", &[]);
    let chunked = request(offer.clone().content("ls").body(chunks()));
    has(chunked.headers(), "content-length", &[]);
    has(chunked.headers(), "transfer-encoding", &["chunked"]);
    for connect in [
        offer.clone().body(chunks()).extended_connect(),
        offer.clone().extended_connect().body(chunks()),
    ] {
        has(request(connect).headers(), "transfer-encoding", &[]);
    }
    let none = request(offer.content("ls").content(""));
    has(none.headers(), "content-length", &[]);
}

#[tokio::test]
async fn content_goes_to_the_service_where_the_policy_allows_it() {
    // Rule 12: content up to the limit is part of the request; one octet more is refused.
    let policy = || Policy::require(Protocol::new("echo/1.0").unwrap().content_limit(5));
    let layer = UpgradeLayer::new(policy());
    let service = layer.layer(service_fn(async |mut request: Request<Body>| {
        let on_upgrade = OnUpgrade::take(&mut request).ok_or("no offer")?;
        let content = on_upgrade.content(request.into_body()).collect().await?;
        assert_eq!(content.to_bytes(), "ls -l");
        Ok::<http::Response<Body>, AnyError>(on_upgrade.accept(crate::echo::echo))
    }));
    let offer = TestOffer::new("/", "echo/1.0");
    let sent = offer.clone().content("ls -l").send(service).await.unwrap();
    assert_eq!(sent.into_client().protocol(), "echo/1.0");
    refuses(
        RefusalKind::ContentTooLarge,
        offer.clone().content("ls -la"),
        policy(),
    );
    refuses(RefusalKind::ContentNotAllowed, offer.content("ls"), echo());
}

#[tokio::test]
async fn the_body_is_whatever_the_service_takes() {
    // A service of another body than the kit's gets it by `body`, of one that is none by `from`.
    let layer = UpgradeLayer::new(echo());
    fn accepts<B>(
        mut request: Request<B>,
    ) -> std::future::Ready<Result<http::Response<()>, std::convert::Infallible>> {
        let taken = OnUpgrade::take(&mut request).expect("an offer");
        std::future::ready(Ok(taken.accept(crate::echo::echo)))
    }
    let offer = TestOffer::new("/", "echo/1.0").body(Default::default());
    switches(offer, layer.layer(service_fn(accepts::<axum::body::Body>)));
    let request = request(TestOffer::new("/", "echo/1.0")).map(drop);
    switches(
        TestOffer::from(request),
        layer.layer(service_fn(accepts::<()>)),
    );
}

#[test]
fn a_request_is_made_an_offer_as_it_is() {
    // Nothing is added to a request but a connection: without fields it offers nothing.
    let plain = || Request::get("/").body(Body::default()).unwrap();
    assert!(request(TestOffer::from(plain())).headers().is_empty());
    refuses(RefusalKind::NotOffered, TestOffer::from(plain()), echo());
}

#[tokio::test]
async fn subprotocols_are_selected_as_they_were_offered() {
    // Rule 11: ours in our order against theirs; the client's end names the one.
    let policy = || Policy::require(WebSocket::new().subprotocols(["v3", "v2", "v1"]));
    let offer = TestOffer::websocket("/");
    let client = switches(offer.clone().subprotocols(["v1", "v2"]), behind(policy()));
    assert_eq!(client.subprotocol(), Some("v2"));
    let client = switches(offer.clone().subprotocols(["v4"]), behind(policy()));
    assert_eq!(client.subprotocol(), None);
    let client = switches(offer, behind(policy()));
    assert_eq!(client.subprotocol(), None);
}

#[test]
fn an_offer_that_cannot_be_made_panics_where_it_was_asked_for() {
    // The author of a test is told which of what they wrote cannot be.
    panics("this cannot be the target", || TestOffer::websocket("chat"));
    panics("this cannot be the target", || {
        TestOffer::new("echo/1.0", "tcp")
    });
    panics("this cannot be the protocol", || TestOffer::new("/", "h2c"));
    panics("this cannot be the protocol", || TestOffer::new("/", "/"));
    panics("this cannot be the field's name", || {
        TestOffer::websocket("/").remove_header("no name")
    });
    panics("this cannot be the field's value", || {
        TestOffer::websocket("/").origin("\n")
    });
    panics("nothing goes through", || {
        TestOffer::websocket("/").capacity(0)
    });
    panics("this cannot be the offer", || {
        TestOffer::websocket("/")
            .extended_connect()
            .extended_connect()
    });
}

#[track_caller]
fn panics(what: &str, make: impl FnOnce() -> TestOffer) {
    let said = panic_of(make);
    assert!(said.starts_with(what), "{said}");
}

#[test]
fn a_service_is_waited_for_until_it_is_ready() {
    // tower's contract: `call` only after `poll_ready` said so.
    let limited = tower::limit::ConcurrencyLimit::new(behind(echo()), 1);
    let response = answer(TestOffer::new("/", "other"), limited).response;
    assert_eq!(response.status(), StatusCode::UPGRADE_REQUIRED);
}
