//! What the properties are tried on: policies, lists as they might be written, and whole heads.

use http::{HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts};
use proptest::{collection::vec, prelude::*, sample::select};
use tower_upgrade::negotiate::ConnectProtocol;

use crate::{
    oracle::{Mode, Model, Tls},
    wire::KEY,
};

/// Members that the lists of an offer are made of, some of which count.
pub(super) const NAMES: [&str; 12] = [
    "websocket",
    "echo/1.0",
    "exec/1",
    "websocket/13",
    "echo/2",
    "h2c",
    "TLS/1.2",
    "foo",
    "upgrade",
    "keep-alive",
    "close",
    "xupgrade",
];
/// The same for subprotocols.
pub(super) const SUBPROTOCOLS: [&str; 5] = ["v1", "v2", "v3", "V1", "v1.0"];

pub(super) fn models() -> impl Strategy<Value = Model> {
    let mode = select(vec![Mode::Require, Mode::Offer, Mode::Forbid]);
    let spoken = Just(vec![0, 1, 2])
        .prop_shuffle()
        .prop_flat_map(|all| (1..=3_usize).prop_map(move |n| all[..n].to_vec()));
    (mode, spoken, any::<bool>(), any::<bool>(), any::<bool>()).prop_map(
        |(mode, spoken, server_order, tls, raw)| Model {
            mode,
            spoken,
            server_order,
            tls,
            raw,
        },
    )
}

/// Members of a list, and the same list as it might be written: over lines, with blanks, with empty
/// members, and in other cases if `without_case`.
pub(super) fn written(
    names: &'static [&'static str],
    without_case: bool,
) -> impl Strategy<Value = (String, Vec<String>)> {
    let before = select(vec!["", " ", "\t", ",", " , ", ",,\t"]);
    let behind = select(vec!["", " ", "\t ", ",", " ,"]);
    let member = (select(names), before, behind, any::<bool>(), any::<u32>());
    vec(member, 0..6).prop_map(move |members| {
        let plain: Vec<&str> = members.iter().map(|m| m.0).collect();
        let mut lines = vec![String::new()];
        for (name, before, behind, new_line, case) in &members {
            if *new_line {
                lines.push(String::new());
            }
            let line = lines.last_mut().unwrap();
            if !line.is_empty() {
                line.push(',');
            }
            line.push_str(before);
            // A version is compared exactly.
            let (name, version) = name.split_at(name.find('/').unwrap_or(name.len()));
            let change = |(at, c): (usize, char)| match case >> (at % 32) & 1 {
                1 if without_case && c.is_ascii_lowercase() => c.to_ascii_uppercase(),
                1 if without_case => c.to_ascii_lowercase(),
                _ => c,
            };
            line.extend(name.chars().enumerate().map(change));
            line.push_str(version);
            line.push_str(behind);
        }
        (plain.join(", "), lines)
    })
}

/// A sound offer of a WebSocket but for these lists.
pub(super) fn head(
    method: &Method,
    upgrade: &[String],
    connection: &[String],
    subprotocols: &[String],
) -> Parts {
    let mut request = Request::builder()
        .method(method)
        .uri("/")
        .header("host", "a.example")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", KEY)
        .extension(Tls);
    for (name, lines) in [
        ("upgrade", upgrade),
        ("connection", connection),
        ("sec-websocket-protocol", subprotocols),
    ] {
        for line in lines {
            request = request.header(name, line);
        }
    }
    request.body(()).unwrap().into_parts().0
}

fn values() -> impl Strategy<Value = Vec<u8>> {
    let sound = vec![
        "websocket",
        "WebSocket, echo/1.0",
        "exec/1",
        "upgrade",
        "close, Upgrade",
        "\"upgrade\"",
        "13",
        "8",
        KEY,
        "dGhlIHNhbXBsZSBub25jZR==",
        "a.example",
        "a.example:443",
        "http://a.example",
        "https://a.example",
        "null",
        "0",
        "5",
        "65",
        "5, 5",
        "chunked",
        "v1, v2",
        "v1, v1",
        "",
    ];
    prop_oneof![
        4 => select(sound).prop_map(|text| text.as_bytes().to_vec()),
        1 => vec(select(b"\t \",;=\\/aA1\xff".to_vec()), 0..12),
        1 => vec(any::<u8>(), 0..40),
    ]
}

/// The parts of a head that are no fields: method, version, target, `:protocol`.
type Start = (Method, Version, &'static str, Option<String>);

fn starts() -> impl Strategy<Value = Start> {
    let protocol = || {
        prop_oneof![4 => select(vec!["websocket", "WebSocket", "exec/1", "echo/1.0"])
        .prop_map(str::to_owned), 1 => "\\PC*"]
    };
    let http1 = select(vec![Method::GET, Method::GET, Method::POST])
        .prop_map(|method| (method, Version::HTTP_11, "/", None));
    let connect = (select(vec![Version::HTTP_2, Version::HTTP_3]), protocol()).prop_map(
        |(version, protocol)| {
            (
                Method::CONNECT,
                version,
                "https://a.example/",
                Some(protocol),
            )
        },
    );
    let any = (
        select(vec![
            Method::GET,
            Method::POST,
            Method::CONNECT,
            Method::OPTIONS,
        ]),
        select(vec![
            Version::HTTP_09,
            Version::HTTP_10,
            Version::HTTP_11,
            Version::HTTP_2,
            Version::HTTP_3,
        ]),
        select(vec![
            "/",
            "*",
            "https://A.example:443/x",
            "a.example:80",
            "http://u@a.example/",
        ]),
        proptest::option::of(protocol()),
    );
    prop_oneof![3 => http1, 2 => connect, 2 => any]
}

/// Any head at all, most of them near to an offer.
pub(super) fn heads() -> impl Strategy<Value = Parts> {
    let names = vec![
        "upgrade",
        "connection",
        "host",
        "origin",
        "sec-websocket-version",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-extensions",
        "content-length",
        "transfer-encoding",
        "x-other",
    ];
    let upgrade = vec![
        "websocket",
        "exec/1",
        "echo/1.0, exec/1",
        "foo, WebSocket, echo/1.0",
    ];
    let sound = select(upgrade).prop_flat_map(|upgrade| {
        let sound = vec![
            ("upgrade", upgrade),
            ("connection", "upgrade"),
            ("host", "a.example"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
            ("origin", "https://a.example"),
        ];
        proptest::sample::subsequence(sound, 5..=6)
    });
    let fields = vec((select(names), values()), 0..3);
    (starts(), sound, fields, any::<bool>()).prop_map(|(start, sound, fields, tls)| {
        let (mut head, ()) = Request::new(()).into_parts();
        let protocol;
        (head.method, head.version, head.uri, protocol) =
            (start.0, start.1, Uri::from_static(start.2), start.3);
        let sound = sound
            .into_iter()
            .map(|(name, value)| (name, value.as_bytes().to_vec()));
        for (name, value) in sound.chain(fields) {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                head.headers.append(HeaderName::from_static(name), value);
            }
        }
        if let Some(protocol) = protocol {
            head.extensions.insert(ConnectProtocol::new(protocol));
        }
        if tls {
            head.extensions.insert(Tls);
        }
        head
    })
}
