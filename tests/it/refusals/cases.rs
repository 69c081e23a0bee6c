//! One offer a kind of refusal, and what spoils it.

use http::{HeaderMap, HeaderValue, Method, Request, Response, Version};
use http_body_util::BodyExt;
use tower::{Layer, ServiceExt};
use tower_upgrade::{
    Pending, Policy, Protocol, RefusalKind, UpgradeLayer, WebSocket, negotiate::ConnectProtocol,
};

use crate::{echo::Echo, wire::KEY};

/// An offer that is accepted, and the one thing that makes it refused.
pub(super) struct Case {
    pub(super) kind: RefusalKind,
    pub(super) policy: Policy,
    pub(super) accepted: Request<()>,
    pub(super) spoil: fn(&mut Request<()>),
    pub(super) status: u16,
    fields: &'static [(&'static str, &'static str)],
}

impl Case {
    pub(super) fn spoiled(&self) -> Request<()> {
        let mut request = self.accepted.clone();
        request.extensions_mut().insert(pending());
        (self.spoil)(&mut request);
        request
    }

    /// Answers the spoiled request, and checks that the service was not called.
    pub(super) async fn refuse(&self, accept: Option<&'static str>, layer: UpgradeLayer) -> Answer {
        let mut request = self.spoiled();
        if let Some(accept) = accept {
            request
                .headers_mut()
                .insert("accept", HeaderValue::from_static(accept));
        }
        let service = layer.layer(Echo::default());
        let answer = service.clone().oneshot(request).await.unwrap();
        assert_eq!(service.get_ref().calls(), 0, "{}", self.kind);
        let (head, body) = answer.into_parts();
        let content = body.collect().await.unwrap().to_bytes();
        Response::from_parts(head, String::from_utf8(content.into()).unwrap())
    }

    pub(super) fn layer(&self) -> UpgradeLayer {
        UpgradeLayer::new(self.policy.clone())
    }

    #[track_caller]
    pub(super) fn has_fields(&self, headers: &HeaderMap) {
        for (name, value) in self.fields {
            let lines: Vec<_> = headers.get_all(*name).iter().collect();
            assert_eq!(lines, [value], "{name} of {}", self.kind);
        }
    }
}

pub(super) type Answer = Response<String>;

/// A connection to come.
pub(super) fn pending() -> Pending {
    Pending::ready(tokio::io::duplex(64).0)
}

fn echo() -> Protocol {
    Protocol::new("echo/1.0").unwrap()
}

fn both() -> Policy {
    Policy::require(WebSocket::new().subprotocols(["v1"])).or(echo())
}

fn upgrade(protocol: &str) -> Request<()> {
    let request = Request::get("/").header("connection", "upgrade");
    request
        .header("upgrade", protocol)
        .header("host", "a.example")
        .body(())
        .unwrap()
}

fn websocket() -> Request<()> {
    let mut request = upgrade("websocket");
    set(&mut request, "sec-websocket-version", "13");
    set(&mut request, "sec-websocket-key", KEY);
    set(&mut request, "origin", "http://a.example");
    set(&mut request, "sec-websocket-protocol", "v1");
    request
}

fn connect(protocol: &str) -> Request<()> {
    let request = Request::connect("http://a.example/").version(Version::HTTP_2);
    let request = request.extension(ConnectProtocol::new(protocol));
    request
        .header("sec-websocket-version", "13")
        .body(())
        .unwrap()
}

fn post() -> Request<()> {
    let mut request = upgrade("echo/1.0");
    *request.method_mut() = Method::POST;
    set(&mut request, "content-length", "8");
    request
}

fn set(request: &mut Request<()>, name: &'static str, value: &str) {
    request.headers_mut().insert(name, value.parse().unwrap());
}

#[derive(Clone)]
struct Tls;

const BOTH: &[(&str, &str)] = &[
    ("upgrade", "websocket, echo/1.0"),
    ("connection", "upgrade"),
];
const ECHO: &[(&str, &str)] = &[("upgrade", "echo/1.0"), ("connection", "upgrade")];
const VERSION: &[(&str, &str)] = &[
    ("sec-websocket-version", "13"),
    ("upgrade", "websocket, echo/1.0"),
    ("connection", "upgrade"),
];
const TLS: &[(&str, &str)] = &[("upgrade", "TLS/1.2, HTTP/1.1"), ("connection", "upgrade")];
const HTTP2: &[(&str, &str)] = &[("upgrade", "HTTP/2.0"), ("connection", "upgrade")];

/// One a kind, and for some a second one over HTTP/2.
pub(super) fn cases() -> Vec<Case> {
    use RefusalKind as Kind;

    let mut cases = Vec::new();
    let mut case = |kind, status, fields, policy, mut accepted: Request<()>, spoil| {
        accepted.extensions_mut().insert(Tls);
        cases.push(Case {
            kind,
            policy,
            accepted,
            spoil,
            status,
            fields,
        });
    };
    let mut http1 = |kind, status, fields, spoil: fn(&mut Request<()>)| {
        case(kind, status, fields, both(), websocket(), spoil);
    };
    http1(Kind::NotOffered, 426, BOTH, |r| {
        drop(r.headers_mut().remove("upgrade"))
    });
    http1(Kind::NotConnectionBound, 426, BOTH, |r| {
        set(r, "connection", "xupgradey")
    });
    http1(Kind::HttpTooOld, 426, BOTH, |r| {
        *r.version_mut() = Version::HTTP_10
    });
    http1(Kind::NotSpoken, 426, BOTH, |r| set(r, "upgrade", "evil"));
    http1(Kind::TooManyMembers, 426, BOTH, |r| {
        set(r, "upgrade", &"evil,".repeat(200))
    });
    http1(Kind::MethodNotAllowed, 405, &[("allow", "GET")], |r| {
        *r.method_mut() = Method::POST
    });
    http1(Kind::Host, 400, &[], |r| set(r, "host", "evil/"));
    http1(Kind::WebSocketVersion, 426, VERSION, |r| {
        set(r, "sec-websocket-version", "8")
    });
    http1(Kind::WebSocketKey, 400, &[], |r| {
        set(r, "sec-websocket-key", "evil")
    });
    http1(Kind::Origin, 403, &[], |r| {
        set(r, "origin", "http://evil.example")
    });
    http1(Kind::MalformedSubprotocols, 400, &[], |r| {
        set(r, "sec-websocket-protocol", "evil, evil")
    });
    http1(Kind::ContentNotAllowed, 400, &[], |r| {
        set(r, "content-length", "1")
    });
    http1(Kind::ContentLength, 400, &[], |r| {
        set(r, "content-length", "evil")
    });
    http1(Kind::NotUpgradable, 501, &[], |r| {
        drop(r.extensions_mut().remove::<Pending>())
    });

    let one = Policy::require(WebSocket::new().subprotocols(["v1"]).require_subprotocol());
    let spoil = |r: &mut Request<()>| set(r, "sec-websocket-protocol", "evil");
    case(Kind::SubprotocolRequired, 400, &[], one, websocket(), spoil);
    let content = Policy::require(echo().content_limit(8).methods([Method::PUT, Method::POST]));
    let spoil = |r: &mut Request<()>| set(r, "content-length", "9");
    case(
        Kind::ContentTooLarge,
        413,
        &[],
        content.clone(),
        post(),
        spoil,
    );
    let spoil = |r: &mut Request<()>| *r.method_mut() = Method::GET;
    case(
        Kind::MethodNotAllowed,
        405,
        &[("allow", "PUT, POST")],
        content,
        post(),
        spoil,
    );
    let tls = Policy::require(echo()).require_tls(|head| head.extensions.get::<Tls>().is_some());
    let spoil = |r: &mut Request<()>| {
        r.extensions_mut().remove::<Tls>();
    };
    case(
        Kind::TlsRequired,
        426,
        TLS,
        tls.clone(),
        upgrade("echo/1.0"),
        spoil,
    );
    case(Kind::TlsRequired, 403, &[], tls, connect("echo/1.0"), spoil);

    let spoil = |r: &mut Request<()>| *r.method_mut() = Method::GET;
    case(
        Kind::ConnectRequired,
        405,
        &[("allow", "CONNECT")],
        both(),
        connect("echo/1.0"),
        spoil,
    );
    let spoil = |r: &mut Request<()>| drop(r.extensions_mut().insert(ConnectProtocol::new("evil")));
    case(
        Kind::ConnectNotSpoken,
        501,
        &[],
        both(),
        connect("echo/1.0"),
        spoil,
    );
    let spoil = |r: &mut Request<()>| set(r, "sec-websocket-version", "8");
    case(
        Kind::WebSocketVersion,
        400,
        &VERSION[..1],
        both(),
        connect("websocket"),
        spoil,
    );
    let http2 = Policy::require(echo()).require_http(Version::HTTP_2);
    let spoil = |r: &mut Request<()>| *r.version_mut() = Version::HTTP_11;
    case(
        Kind::HttpVersionRequired,
        426,
        HTTP2,
        http2,
        connect("echo/1.0"),
        spoil,
    );
    let mut http3 = connect("echo/1.0");
    *http3.version_mut() = Version::HTTP_3;
    let spoil = |r: &mut Request<()>| *r.version_mut() = Version::HTTP_2;
    let policy = Policy::require(echo()).require_http(Version::HTTP_3);
    case(Kind::HttpVersionRequired, 505, &[], policy, http3, spoil);
    let mut fields = upgrade("echo/1.0");
    set(&mut fields, "x-other", "1");
    let spoil = |r: &mut Request<()>| drop(r.headers_mut().remove("connection"));
    case(
        Kind::NotConnectionBound,
        426,
        ECHO,
        Policy::require(echo()),
        fields,
        spoil,
    );
    cases
}
