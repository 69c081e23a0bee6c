//! Any policy on any request head. The oracle panics where a decision breaks a rule.
//!
//! An input is two octets for the policy, two for the request line, and lines: the first is
//! `:protocol` unless it is empty, each of the others begins with an octet that stands for a field.

#![no_main]
#![allow(dead_code, reason = "the oracle is that of the integration tests")]

use http::{HeaderName, HeaderValue, Method, Request, Uri, Version, header, request::Parts};
use libfuzzer_sys::fuzz_target;
use tower_upgrade::negotiate::ConnectProtocol;

#[path = "../../tests/it/oracle.rs"]
mod oracle;

use oracle::{Mode, Model, Tls};

fuzz_target!(|octets: &[u8]| {
    let [switches, spoken, start, uri, lines @ ..] = octets else {
        return;
    };
    let mut lines = lines.split(|b| *b == b'\n');
    let connect = lines.next().unwrap_or_default();
    let Some(mut head) = head(*start, *uri, connect) else {
        return;
    };
    for line in lines.take(300) {
        let Some((field, value)) = line.split_first() else {
            continue;
        };
        let name = FIELDS[usize::from(*field) % FIELDS.len()].clone();
        if let Ok(value) = HeaderValue::from_bytes(value) {
            head.headers.append(name, value);
        }
    }
    if switches & 0x20 != 0 {
        head.extensions.insert(Tls);
    }
    if switches & 0x40 != 0 {
        add_handshake(&mut head);
    }
    drop(model(*switches, *spoken).decide(&head));
});

/// What no fuzzer would guess: with a GET over HTTP/1.1 this is accepted, unless a line spoils it.
fn add_handshake(head: &mut Parts) {
    for (name, value) in [
        (header::CONNECTION, "upgrade"),
        (header::UPGRADE, "websocket, exec/1, echo/1.0"),
        (header::HOST, "a.example"),
        (header::SEC_WEBSOCKET_VERSION, "13"),
        (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        head.headers.append(name, HeaderValue::from_static(value));
    }
}

fn model(switches: u8, spoken: u8) -> Model {
    let mode = match switches & 0x03 {
        0 => Mode::Forbid,
        1 => Mode::Offer,
        _ => Mode::Require,
    };
    let orders: [&[usize]; 8] = [
        &[2],
        &[0, 1, 2],
        &[2, 1, 0],
        &[1, 2],
        &[2, 0],
        &[0],
        &[1, 0],
        &[0, 2],
    ];
    Model {
        mode,
        spoken: orders[usize::from(spoken) % orders.len()].to_vec(),
        server_order: switches & 0x04 != 0,
        tls: switches & 0x08 != 0,
        raw: switches & 0x10 != 0,
    }
}

fn head(start: u8, uri: u8, connect: &[u8]) -> Option<Parts> {
    let methods = [Method::GET, Method::POST, Method::CONNECT, Method::OPTIONS];
    let versions = [
        Version::HTTP_11,
        Version::HTTP_2,
        Version::HTTP_3,
        Version::HTTP_10,
        Version::HTTP_09,
    ];
    let uris = [
        "/",
        "*",
        "http://a.example/",
        "https://A.example:443/x?y",
        "a.example:80",
        "http://u@a.example/",
    ];
    let request = Request::builder()
        .method(methods[usize::from(start & 0x03)].clone())
        .version(versions[usize::from(start >> 2) % versions.len()])
        .uri(Uri::from_static(uris[usize::from(uri) % uris.len()]));
    let mut head = request.body(()).ok()?.into_parts().0;
    if !connect.is_empty() {
        let connect = ConnectProtocol::new(std::str::from_utf8(connect).ok()?);
        head.extensions.insert(connect);
    }
    Some(head)
}

const FIELDS: [HeaderName; 13] = [
    header::UPGRADE,
    header::CONNECTION,
    header::HOST,
    header::SEC_WEBSOCKET_VERSION,
    header::SEC_WEBSOCKET_KEY,
    header::SEC_WEBSOCKET_PROTOCOL,
    header::SEC_WEBSOCKET_EXTENSIONS,
    header::ORIGIN,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::ACCEPT,
    header::FORWARDED,
    header::TE,
];
