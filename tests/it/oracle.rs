//! When an offer may be accepted, read off the RFCs a second time: slowly, naively, and by no code
//! of the crate. The fuzz target `decide` uses it too.

use std::sync::Arc;

use http::{HeaderMap, Method, Uri, Version, header, request::Parts, uri::Authority};
use tower_upgrade::{
    Policy, Protocol, WebSocket,
    grammar::MAX_MEMBERS,
    negotiate::{Acceptance, ConnectProtocol, Decision, Offer, Spoken},
};

/// A policy, in a form that can be looked into.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    pub(crate) mode: Mode,
    /// Of `PROTOCOLS`, by index and in order; one at least.
    pub(crate) spoken: Vec<usize>,
    pub(crate) server_order: bool,
    pub(crate) tls: bool,
    pub(crate) raw: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Require,
    Offer,
    Forbid,
}

/// What a model may speak: the first with content up to `LIMIT` and by POST only.
pub(crate) const PROTOCOLS: [&str; 3] = ["exec/1", "echo/1.0", "websocket"];
pub(crate) const LIMIT: u64 = 64;
/// Of the WebSocket.
pub(crate) const SUBPROTOCOLS: [&str; 2] = ["v2", "v1"];

/// The mark that a connection is TLS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tls;

impl Model {
    pub(crate) fn policy(&self) -> Arc<Policy> {
        let mut spoken = self.spoken.iter().map(|index| spoken(*index));
        let first = spoken.next().expect("a model speaks something");
        let mut policy = match self.mode {
            Mode::Forbid => Policy::forbid(),
            Mode::Require => Policy::require(first),
            Mode::Offer => Policy::offer(first),
        };
        for less_wanted in spoken {
            policy = policy.or(less_wanted);
        }
        if self.server_order {
            policy = policy.server_order();
        }
        if self.tls {
            policy = policy.require_tls(|head| head.extensions.get::<Tls>().is_some());
        }
        if self.raw {
            policy = policy.hand_over_raw();
        }
        Arc::new(policy)
    }

    /// Decides, and panics if the decision breaks a rule.
    pub(crate) fn decide(&self, head: &Parts) -> Decision {
        let decision = self.policy().decide(&Offer::read(head));
        match &decision {
            Decision::Accept(acceptance) => self.check_acceptance(acceptance, head),
            Decision::Refuse(refusal) => check_refusal(refusal, head.version),
            _ => assert!(
                self.mode != Mode::Require || is_tunnel(head),
                "passed where an upgrade is required"
            ),
        }
        decision
    }

    fn check_acceptance(&self, acceptance: &Acceptance, head: &Parts) {
        assert_ne!(self.mode, Mode::Forbid);
        assert!(!self.tls || head.extensions.get::<Tls>().is_some());
        assert!(is_offer(head), "nothing was offered");
        let protocol = acceptance.protocol().as_str();
        let offered = offered(head);
        assert!(
            offered.iter().any(|o| names(o, protocol)),
            "{protocol} of {offered:?}"
        );
        self.check_order(protocol, head);
        let is_http1 = head.version < Version::HTTP_2;
        assert_eq!(acceptance.is_connect(), !is_http1);
        assert_eq!(acceptance.version(), head.version);
        if protocol == "websocket" {
            check_websocket(acceptance.subprotocol(), head, is_http1);
        }
        if protocol == "exec/1" && is_http1 {
            assert_eq!(head.method, Method::POST);
        }
        let may_have_content = protocol == "exec/1" && is_http1 && !self.raw;
        check_content(&head.headers, if may_have_content { LIMIT } else { 0 });
    }

    /// Rule 6, where a naive reader sees the same: no quotes, and no more than is read.
    fn check_order(&self, protocol: &str, head: &Parts) {
        let lines = lines(&head.headers, "upgrade");
        let octets = || lines.iter().copied().flatten();
        let members = lines.len() + octets().filter(|b| **b == b',').count();
        if members > MAX_MEMBERS || octets().any(|b| *b == b'"') {
            return;
        }
        let offered = offered(head);
        let index = |name: &str| self.spoken.iter().position(|i| names(name, PROTOCOLS[*i]));
        let mut known = offered.iter().filter_map(|member| index(member));
        let expected = if self.server_order {
            known.min()
        } else {
            known.next()
        };
        assert_eq!(expected, index(protocol), "{protocol} of {offered:?}");
    }
}

fn spoken(index: usize) -> Spoken {
    let protocol = |text| Protocol::new(text).unwrap();
    match PROTOCOLS[index] {
        "websocket" => WebSocket::new().subprotocols(SUBPROTOCOLS).into(),
        "exec/1" => protocol("exec/1")
            .methods([Method::POST])
            .content_limit(LIMIT),
        other => protocol(other).into(),
    }
}

fn is_tunnel(head: &Parts) -> bool {
    let extended = head.extensions.get::<ConnectProtocol>().is_some();
    head.method == Method::CONNECT && !(extended && head.version >= Version::HTTP_2)
}

/// Rules 1 to 5.
fn is_offer(head: &Parts) -> bool {
    if head.version >= Version::HTTP_2 {
        return head.method == Method::CONNECT && !is_tunnel(head);
    }
    let connection = members(&head.headers, "connection");
    head.version == Version::HTTP_11
        && head.method != Method::CONNECT
        && connection
            .iter()
            .any(|member| member.eq_ignore_ascii_case("upgrade"))
}

fn offered(head: &Parts) -> Vec<String> {
    if head.version >= Version::HTTP_2 {
        let connect = head.extensions.get::<ConnectProtocol>();
        return connect.map(|c| c.as_str().to_owned()).into_iter().collect();
    }
    members(&head.headers, "upgrade")
}

/// Name without case, version exactly.
fn names(offered: &str, own: &str) -> bool {
    let split = |text: &str| {
        let (name, version) = text.split_once('/').unwrap_or((text, "-none-"));
        (name.to_lowercase(), version.to_owned())
    };
    offered.is_ascii() && split(offered) == split(own)
}

/// Rules 9 to 11, for the default of same-origin.
fn check_websocket(subprotocol: Option<&str>, head: &Parts, is_http1: bool) {
    let headers = &head.headers;
    assert_eq!(lines(headers, "sec-websocket-version"), [b"13"]);
    if is_http1 {
        assert_eq!(head.method, Method::GET);
        assert_eq!(lines(headers, "host").len(), 1);
        let key = lines(headers, "sec-websocket-key");
        assert!(matches!(key[..], [key] if is_key(key)), "{key:?}");
    }
    match lines(headers, "origin")[..] {
        [] => {}
        [origin] => assert_eq!(host_of_origin(origin), host(head, origin), "{origin:?}"),
        _ => panic!("more than one origin"),
    }
    let theirs = members(headers, "sec-websocket-protocol");
    let mut ours = SUBPROTOCOLS.iter().copied();
    assert_eq!(
        subprotocol,
        ours.find(|own| theirs.iter().any(|t| t == own))
    );
    let mut unique = theirs.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), theirs.len(), "{theirs:?}");
}

/// 16 octets in canonical base64: 21 free digits, one with four free bits at its top, two pads.
fn is_key(key: &[u8]) -> bool {
    let is_digit = |b: &u8| b.is_ascii_alphanumeric() || b"+/".contains(b);
    key.len() == 24
        && key[..21].iter().all(is_digit)
        && b"AQgw".contains(&key[21])
        && key.ends_with(b"==")
}

fn host_of_origin(origin: &[u8]) -> Option<(String, u16)> {
    let origin: Uri = std::str::from_utf8(origin).ok()?.parse().ok()?;
    let port = origin.port_u16().or(default_port(origin.scheme_str()?))?;
    Some((origin.host()?.to_lowercase(), port))
}

/// Where the request was sent; without a port it is the default one of `https` if the request was
/// sent there, else of the page that sent it.
fn host(head: &Parts, origin: &[u8]) -> Option<(String, u16)> {
    let scheme = std::str::from_utf8(origin).ok()?.split_once("://")?.0;
    let written: Authority = match head.uri.authority() {
        Some(authority) => authority.clone(),
        None => Authority::try_from(*lines(&head.headers, "host").first()?).ok()?,
    };
    let scheme = head
        .uri
        .scheme_str()
        .filter(|sent_to| *sent_to == "https")
        .unwrap_or(scheme);
    let port = written.port_u16().or(default_port(scheme))?;
    Some((written.host().to_lowercase(), port))
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme.to_lowercase().as_str() {
        "http" | "ws" => Some(80),
        "https" | "wss" => Some(443),
        _ => None,
    }
}

/// Rule 12.
fn check_content(headers: &HeaderMap, limit: u64) {
    assert!(limit > 0 || lines(headers, "transfer-encoding").is_empty());
    if lines(headers, "transfer-encoding").is_empty() {
        for length in members(headers, "content-length") {
            assert!(length.parse::<u64>().unwrap() <= limit, "{length}");
        }
    }
}

/// RFC 9110 15.5.6 and 15.5.22, RFC 9113 8.2.2.
fn check_refusal(refusal: &tower_upgrade::Refusal, version: Version) {
    let fields = refusal.fields();
    let is_426 = refusal.status() == 426;
    assert!(!is_426 || version < Version::HTTP_2);
    assert_eq!(is_426, fields.contains_key(header::UPGRADE));
    assert_eq!(is_426, fields.contains_key(header::CONNECTION));
    assert_eq!(refusal.status() == 405, fields.contains_key(header::ALLOW));
    assert!(refusal.status().is_client_error() || refusal.status().is_server_error());
    assert!(!refusal.kind().is_service_fault());
    let hint = refusal.hint();
    assert!(
        !hint.is_empty() && hint.chars().all(|c| !c.is_control()),
        "{hint:?}"
    );
}

fn lines<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a [u8]> {
    headers
        .get_all(name)
        .iter()
        .map(|line| line.as_bytes())
        .collect()
}

/// Members as they are without a thought for quotes: all that a careful reader finds, and more.
fn members(headers: &HeaderMap, name: &str) -> Vec<String> {
    let lines = lines(headers, name).join(&b","[..]);
    let members = lines.split(|b| *b == b',').map(|m| m.trim_ascii());
    members
        .filter(|m| !m.is_empty())
        .map(|m| String::from_utf8_lossy(m).into_owned())
        .collect()
}
