//! `Decision`: what follows from a policy and a request's head.

use std::sync::Arc;

use super::{
    acceptance::{Acceptance, Agreed},
    content,
    offer::{Form, Offer},
    policy::Policy,
};
use crate::refusal::Refusal;

/// What becomes of a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Decision {
    /// It is an ordinary request; an offer in it is taken out.
    Pass,
    /// It may be switched, if the service says so too.
    Accept(Acceptance),
    /// It is answered with a refusal; the service does not see it.
    Refuse(Refusal),
}

impl Policy {
    /// Decides on a request: a pure function of the policy and the offer.
    ///
    /// # Examples
    ///
    /// A policy can be tested without a server:
    ///
    /// ```
    /// use std::sync::Arc;
    /// use http::Request;
    /// use tower_upgrade::{Policy, RefusalKind, WebSocket, negotiate::{Decision, Offer}};
    ///
    /// let policy = Arc::new(Policy::require(WebSocket::new()));
    /// let request = Request::get("/").body(())?;
    /// let Decision::Refuse(refusal) = policy.decide(&Offer::read(&request)) else {
    ///     panic!("a plain request has no business here");
    /// };
    /// assert_eq!(refusal.kind(), RefusalKind::NotOffered);
    /// # Ok::<(), http::Error>(())
    /// ```
    #[must_use]
    pub fn decide(self: &Arc<Self>, offer: &Offer<'_>) -> Decision {
        match self.accept(offer) {
            Ok(Some(acceptance)) => Decision::Accept(acceptance),
            Ok(None) => Decision::Pass,
            Err(refusal) => Decision::Refuse(self.complete(refusal)),
        }
    }

    /// The rules in their order; `Ok(None)` is a pass.
    fn accept(self: &Arc<Self>, offer: &Offer<'_>) -> Result<Option<Acceptance>, Refusal> {
        self.check_requirements(offer.head())?;
        if self.is_forbidden() || matches!(offer.form(), Form::Tunnel) {
            return Ok(None);
        }
        let Some((index, spoken)) = self.select(offer) else {
            return if self.is_required() {
                Err(self.refuse_offer(offer))
            } else {
                Ok(None)
            };
        };
        let (handshake, content) = spoken.check(offer)?;
        if self.is_raw() && content.is_some() {
            return Err(content::not_allowed());
        }
        let agreed = Agreed::new(self, index, handshake.as_ref(), offer.head().version);
        let key = handshake.and_then(|handshake| handshake.key);
        Ok(Some(Acceptance::new(
            agreed,
            offer.is_connect(),
            key,
            content,
        )))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{Method, Request, Version, request::Builder};

    use super::Decision;
    use crate::{
        negotiate::{ConnectProtocol, Offer, Policy},
        protocol::Protocol,
        refusal::RefusalKind::{self, *},
        websocket::WebSocket,
    };

    fn decide(policy: &Policy, request: Builder) -> Decision {
        let request = request.body(()).unwrap();
        Arc::new(policy.clone()).decide(&Offer::read(&request))
    }

    #[track_caller]
    fn accepts(policy: &Policy, protocol: &str, request: Builder) {
        match decide(policy, request) {
            Decision::Accept(acceptance) => assert_eq!(acceptance.protocol().as_str(), protocol),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn passes(policy: &Policy, request: Builder) {
        let decision = decide(policy, request);
        assert!(matches!(decision, Decision::Pass), "{decision:?}");
    }

    #[track_caller]
    fn refuses(policy: &Policy, kind: RefusalKind, status: u16, request: Builder) {
        match decide(policy, request) {
            Decision::Refuse(refusal) => {
                assert_eq!((refusal.kind(), refusal.status().as_u16()), (kind, status));
                let names = |name| refusal.fields().contains_key(name);
                assert_eq!(names("upgrade") && names("connection"), status == 426);
                assert_eq!(names("allow"), status == 405);
            }
            other => panic!("{other:?}"),
        }
    }

    fn get() -> Builder {
        Request::get("/").header("host", "a.example")
    }

    fn offer(upgrade: &str) -> Builder {
        get()
            .header("connection", "upgrade")
            .header("upgrade", upgrade)
    }

    fn websocket() -> Builder {
        offer("websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
    }

    fn connect(protocol: &str) -> Builder {
        Request::connect("https://a.example/")
            .version(Version::HTTP_2)
            .header("sec-websocket-version", "13")
            .extension(ConnectProtocol::new(protocol))
    }

    fn several() -> Policy {
        let protocol = |text| Protocol::new(text).unwrap();
        Policy::require(protocol("echo/2.0"))
            .or(protocol("echo/1.0")
                .methods([Method::POST])
                .content_limit(5))
            .or(WebSocket::new().subprotocols(["v2", "v1"]))
    }

    #[test]
    fn the_three_policies() {
        let (require, offers) = (
            Policy::require(WebSocket::new()),
            Policy::offer(WebSocket::new()),
        );
        for policy in [&require, &offers] {
            accepts(policy, "websocket", websocket());
            accepts(policy, "websocket", connect("WebSocket"));
        }
        passes(&Policy::forbid(), websocket());
        passes(&Policy::forbid(), connect("websocket"));
        for request in [
            get,
            || offer("h2c"),
            || offer("websocket/13"),
            || connect("h2c"),
        ] {
            passes(&offers, request());
            assert!(matches!(decide(&require, request()), Decision::Refuse(_)));
        }
    }

    #[test]
    fn what_is_required_and_not_offered() {
        let policy = several();
        refuses(&policy, NotOffered, 426, get());
        refuses(&policy, NotOffered, 426, offer(" , "));
        refuses(
            &policy,
            NotOffered,
            426,
            get().header("sec-websocket-version", "13"),
        );
        refuses(
            &policy,
            NotConnectionBound,
            426,
            get().header("upgrade", "websocket"),
        );
        refuses(
            &policy,
            HttpTooOld,
            426,
            websocket().version(Version::HTTP_10),
        );
        refuses(&policy, NotSpoken, 426, offer("echo, echo/3.0, h2c"));
        refuses(
            &policy,
            TooManyMembers,
            426,
            offer(&("x,".repeat(200) + "websocket")),
        );
        refuses(
            &policy,
            ConnectRequired,
            405,
            get().version(Version::HTTP_2),
        );
        refuses(&policy, ConnectNotSpoken, 501, connect("connect-udp"));
    }

    #[test]
    fn whose_order_decides() {
        let post = || offer("foo, echo/1.0, echo/2.0").method(Method::POST);
        accepts(&several(), "echo/1.0", post());
        accepts(&several().server_order(), "echo/2.0", post());
    }

    #[test]
    fn what_is_selected_is_checked_whatever_else_was_offered() {
        let policy = several();
        refuses(&policy, MethodNotAllowed, 405, offer("echo/1.0, echo/2.0"));
        refuses(&policy, WebSocketVersion, 426, offer("websocket, echo/2.0"));
        accepts(&policy, "echo/1.0", connect("echo/1.0"));
    }

    #[test]
    fn content_is_for_those_protocols_that_allow_it() {
        let policy = several();
        let post = |length: &str| {
            offer("echo/1.0")
                .method(Method::POST)
                .header("content-length", length)
        };
        accepts(&policy, "echo/1.0", post("5"));
        refuses(&policy, ContentTooLarge, 413, post("6"));
        refuses(&policy, ContentLength, 400, post("5, 6"));
        refuses(
            &policy,
            ContentNotAllowed,
            400,
            websocket().header("content-length", "1"),
        );
        accepts(
            &policy,
            "websocket",
            websocket().header("content-length", "0"),
        );
        let raw = several().hand_over_raw();
        refuses(&raw, ContentNotAllowed, 400, post("5"));
    }

    #[test]
    fn a_handshake_is_checked_in_the_order_of_the_rfc() {
        let policy = several();
        let both = |name, value: &str| websocket().header(name, value);
        refuses(
            &policy,
            MethodNotAllowed,
            405,
            both("host", "b").method(Method::POST),
        );
        refuses(
            &policy,
            Host,
            400,
            both("host", "b").header("sec-websocket-version", "8"),
        );
        let version = || both("sec-websocket-version", "8");
        refuses(
            &policy,
            WebSocketVersion,
            426,
            version().header("sec-websocket-key", "x"),
        );
        let key = || both("sec-websocket-key", "x");
        refuses(&policy, WebSocketKey, 400, key().header("origin", "null"));
        let origin = || both("origin", "null");
        refuses(
            &policy,
            Origin,
            403,
            origin().header("sec-websocket-protocol", "a, a"),
        );
        let names = || both("sec-websocket-protocol", "a, a");
        refuses(
            &policy,
            MalformedSubprotocols,
            400,
            names().header("content-length", "1"),
        );
        let required = Policy::require(WebSocket::new().subprotocols(["v1"]).require_subprotocol());
        refuses(&required, SubprotocolRequired, 400, websocket());
    }

    #[test]
    fn requirements_come_before_all_else() {
        let tls = Policy::forbid().require_tls(|head| head.headers.contains_key("x-tls"));
        passes(&tls, get().header("x-tls", ""));
        refuses(&tls, TlsRequired, 426, get());
        refuses(&tls, TlsRequired, 403, get().version(Version::HTTP_2));
        let tunnel = || Request::connect("a.example:443");
        refuses(&tls, TlsRequired, 426, tunnel());
        passes(&several(), tunnel());

        let http2 = Policy::forbid().require_http(Version::HTTP_2);
        passes(&http2, get().version(Version::HTTP_2));
        refuses(&http2, HttpVersionRequired, 426, get());
        let http3 = Policy::forbid().require_http(Version::HTTP_3);
        refuses(
            &http3,
            HttpVersionRequired,
            505,
            get().version(Version::HTTP_2),
        );
    }
}
