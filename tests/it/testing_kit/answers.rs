//! What of an answer the kit does not let through: it checks a head as a client does.

use std::{
    convert::Infallible,
    future::{Ready, ready},
};

use http::{HeaderValue, Request, Response, StatusCode};
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_upgrade::{
    OnUpgrade, Policy, Protocol, UpgradeLayer, WebSocket,
    testing::{Client, NotSwitched, TestOffer},
};

use self::Change::{Add, Nothing, Remove, Set, Status};
use super::{Body, answer, behind, echo, switches, websocket};

/// What happens to the head of an answer behind the layer's back.
#[derive(Clone, Copy, Debug)]
enum Change {
    Nothing,
    Set(&'static str, &'static str),
    Add(&'static str, &'static str),
    Remove(&'static str),
    Status(u16),
}

impl Change {
    fn apply(self, response: &mut Response<()>) {
        let value = HeaderValue::from_static;
        let fields = response.headers_mut();
        match self {
            Nothing => {}
            Set(name, text) => drop(fields.insert(name, value(text))),
            Add(name, text) => drop(fields.append(name, value(text))),
            Remove(name) => drop(fields.remove(name)),
            Status(status) => *response.status_mut() = StatusCode::from_u16(status).unwrap(),
        }
    }
}

/// An offer whose answers come changed.
struct Case {
    offer: TestOffer,
    policy: Policy,
}

impl Case {
    fn outcome(&self, change: Change) -> Result<Client, NotSwitched> {
        let service = behind(self.policy.clone());
        let service = ServiceExt::<Request<Body>>::map_response(service, move |answer| {
            let mut answer = Response::map(answer, drop);
            change.apply(&mut answer);
            answer
        });
        answer(self.offer.clone(), service).client
    }

    #[track_caller]
    fn follows(&self, change: Change) -> Client {
        self.outcome(change).unwrap()
    }

    #[track_caller]
    fn flawed(&self, flaw: &str, change: Change) {
        is_flawed(self.outcome(change), flaw);
    }
}

#[track_caller]
fn is_flawed(outcome: Result<Client, NotSwitched>, flaw: &str) {
    let why = outcome.expect_err(flaw);
    assert!(why.is_flawed() && why.refusal().is_none(), "{why:?}");
    assert!(why.to_string().contains(flaw), "{why}");
}

#[tokio::test]
async fn the_head_of_a_101_must_be_whole_and_exact() {
    // Rule 15 and RFC 9110 7.8, 8.6: the first of these is the twin of all others.
    let case = Case {
        offer: TestOffer::new("/", "echo/1.0"),
        policy: echo(),
    };
    case.follows(Nothing);
    case.follows(Set("x-request-id", "1"));

    let connection = "`Connection` is not `upgrade`";
    case.flawed(connection, Remove("connection"));
    case.flawed(connection, Add("connection", "close"));
    case.flawed(connection, Set("connection", "upgrade, close"));
    case.follows(Set("connection", "Upgrade"));
    let one = "does not name one protocol";
    case.flawed(one, Remove("upgrade"));
    case.flawed(one, Add("upgrade", "echo/1.0"));
    case.flawed(one, Set("upgrade", "echo/1.0, a"));
    case.flawed("was not offered", Set("upgrade", "echo/1.1"));
    case.follows(Set("upgrade", "ECHO/1.0"));
    let content = "content follows";
    case.flawed(content, Set("content-length", "1"));
    case.flawed(content, Set("transfer-encoding", "chunked"));
    case.follows(Set("content-length", "0"));
}

#[tokio::test]
async fn any_protocol_that_was_offered_may_be_selected() {
    // RFC 9110 7.8: over all lines of the field, and all members of a line.
    let offer = TestOffer::new("/", "a").append_header("upgrade", "b, echo/1.0");
    let policy = echo();
    let client = Case { offer, policy }.follows(Nothing);
    assert_eq!(client.protocol(), "echo/1.0");
}

#[tokio::test]
async fn a_websocket_must_answer_the_key_and_what_was_offered() {
    // RFC 6455 4.1: what "the client MUST validate" of the server's response.
    let case = Case {
        offer: TestOffer::websocket("/")
            .subprotocols(["v2", "v1"])
            .append_header("sec-websocket-extensions", "a; x=1, b"),
        policy: websocket(),
    };
    case.follows(Nothing);

    let accept = "`Sec-WebSocket-Accept` does not answer the key";
    case.flawed(accept, Remove("sec-websocket-accept"));
    case.flawed(accept, Set("sec-websocket-accept", ACCEPT));
    case.flawed(accept, Add("sec-websocket-accept", ACCEPT));

    let subprotocol = "`Sec-WebSocket-Protocol` is not one";
    for name in ["v3", "V1", "v1, v2", ""] {
        case.flawed(subprotocol, Set("sec-websocket-protocol", name));
    }
    let client = case.follows(Set("sec-websocket-protocol", "v1"));
    assert_eq!(client.subprotocol(), Some("v1"));

    let extension = "`Sec-WebSocket-Extensions` names one";
    case.flawed(extension, Set("sec-websocket-extensions", "c"));
    case.flawed(extension, Set("sec-websocket-extensions", "a, c; x=1"));
    case.follows(Set("sec-websocket-extensions", "b; y, a"));
}

#[tokio::test]
async fn the_example_of_rfc_6455_is_answered() {
    // RFC 6455 1.3: this key is answered by this value, and by no other.
    let key = "dGhlIHNhbXBsZSBub25jZQ==";
    let case = Case {
        offer: TestOffer::websocket("/").insert_header("sec-websocket-key", key),
        policy: websocket(),
    };
    case.follows(Set("sec-websocket-accept", ACCEPT));
    let other = "s3pPLMBiTxaQ9kYGzzhZRbK+xOp=";
    case.flawed("does not answer", Set("sec-websocket-accept", other));
}

#[tokio::test]
async fn what_is_no_websocket_is_not_held_to_its_rules() {
    // RFC 6455's fields mean nothing to another protocol.
    let case = Case {
        offer: TestOffer::new("/", "echo/1.0"),
        policy: echo(),
    };
    let client = case.follows(Set("sec-websocket-protocol", "v3"));
    assert_eq!(client.subprotocol(), None);
}

#[tokio::test]
async fn a_200_to_an_extended_connect_has_no_fields_of_http_1() {
    // RFC 9113 8.2.2 and 8.6: neither fields of the connection, nor a 101.
    let case = Case {
        offer: TestOffer::websocket("/").extended_connect(),
        policy: websocket(),
    };
    case.follows(Nothing);
    let no_place = "have no place in HTTP/2 and 3";
    case.flawed(no_place, Set("connection", "upgrade"));
    case.flawed(no_place, Set("upgrade", "websocket"));
    case.flawed("HTTP/2 and 3 know no such status", Status(101));
    case.flawed("content follows", Set("content-length", "1"));
    case.flawed("content follows", Set("transfer-encoding", "chunked"));
    let subprotocol = "`Sec-WebSocket-Protocol` is not one";
    case.flawed(subprotocol, Set("sec-websocket-protocol", "v1"));
    case.follows(Status(201));
}

/// A service that knows nothing of the layer, and answers with this status as if it did.
fn unasked(
    status: u16,
) -> impl Service<
    Request<Body>,
    Response = Response<()>,
    Error = Infallible,
    Future = Ready<Result<Response<()>, Infallible>>,
> {
    service_fn(move |request: Request<Body>| {
        let mut response = Response::builder().status(status);
        if status == 101 {
            response = response.header("connection", "upgrade");
            response = response.header("upgrade", request.headers()["upgrade"].clone());
        }
        ready(Ok(response.body(()).unwrap()))
    })
}

#[test]
fn a_service_that_switches_by_itself_has_no_connection() {
    // Without the layer a 101 or a 200 is but a status: nobody holds the connection's other end.
    let offer = TestOffer::new("/", "echo/1.0");
    is_flawed(
        answer(offer.clone(), unasked(101)).client,
        "no `UpgradeLayer`",
    );
    let connect = offer.extended_connect();
    is_flawed(
        answer(connect.clone(), unasked(204)).client,
        "no `UpgradeLayer`",
    );
    // A 2xx to what is no extended CONNECT opens nothing.
    let why = answer(TestOffer::new("/", "echo/1.0"), unasked(200)).client;
    assert!(!why.unwrap_err().is_flawed());
    let why = answer(connect, unasked(302)).client;
    assert!(!why.unwrap_err().is_flawed());
}

#[tokio::test]
async fn the_layer_answers_for_a_service_that_switches_by_itself() {
    // Rules 16 and 17: 500 and 501, which the kit shows as refusals.
    let layer = UpgradeLayer::new(echo());
    let offer = TestOffer::new("/", "echo/1.0");
    let answered = answer(offer.clone(), layer.layer(unasked(101)));
    assert_eq!(answered.refusal().status(), 500);
    let answered = answer(offer.extended_connect(), layer.layer(unasked(200)));
    assert_eq!(answered.refusal().status(), 501);
}

#[test]
fn a_handler_that_declines_gives_no_connection() {
    // Rule 18: its own answer comes as it is, and what it held yields nothing.
    let mut held = None;
    let layer =
        UpgradeLayer::new(Policy::require(WebSocket::new()).or(Protocol::new("a").unwrap()));
    let service = layer.layer(service_fn(|mut request: Request<Body>| {
        held = OnUpgrade::take(&mut request);
        ready(Ok::<_, Infallible>(
            Response::builder().status(403).body("no").unwrap(),
        ))
    }));
    let answer = answer(TestOffer::websocket("/"), service);
    let why = answer.client.unwrap_err();
    assert_eq!(why.status(), 403);
    assert!(why.refusal().is_none() && !why.is_flawed());
    let yielded = futures_util::FutureExt::now_or_never(held.unwrap());
    assert!(yielded.unwrap().unwrap_err().is_declined());
}

#[test]
fn a_panic_says_what_became_of_the_offer() {
    // `into_client` is for tests, and its panic is read by their authors.
    let offer = TestOffer::websocket("/").origin("https://elsewhere.example");
    let said = super::panic_of(|| switches(offer, behind(websocket())));
    let status = "the connection was not switched: answered 403 Forbidden: ";
    assert!(said.starts_with(status), "{said}");
    assert!(said.contains("`Origin`"), "{said}");
}

/// The value that accepts the key of RFC 6455 1.3.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
