//! The requests, as everyday clients send them.

use std::net::Ipv4Addr;

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version};

/// Who the requests are for.
pub const AUTHORITY: &str = "chat.example.com";

/// The path of every upgrade.
pub const CHAT: &str = "/chat/lobby";

/// The field in which a proxy names the client.
pub const FORWARDED_FOR: &str = "x-forwarded-for";

/// The eight ordinary fields of a browser's `GET`.
const ORDINARY: [(&str, &str); 8] = [
    ("host", AUTHORITY),
    ("connection", "keep-alive"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "https://chat.example.com/rooms"),
    ("cookie", "session=5f2b8c0e9d7a4416a3b1c2d3e4f50617"),
];

/// The fields of a browser's handshake that HTTP/1.1 and HTTP/2 have in common.
const HANDSHAKE: [(&str, &str); 10] = [
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    ("accept", "*/*"),
    ("accept-language", "en-GB,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("origin", "https://chat.example.com"),
    ("cookie", "session=5f2b8c0e9d7a4416a3b1c2d3e4f50617"),
    ("cache-control", "no-cache"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-protocol", "chat.v2, chat.v1"),
    (
        "sec-websocket-extensions",
        "permessage-deflate; client_max_window_bits",
    ),
];

/// The fields that HTTP/1.1 puts before them.
const UPGRADE: [(&str, &str); 4] = [
    ("host", AUTHORITY),
    ("connection", "keep-alive, Upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

/// Returns a `GET` with eight ordinary fields.
pub fn get<B: Default>(path: &'static str) -> Request<B> {
    let mut request = Request::new(B::default());
    *request.method_mut() = Method::GET;
    *request.version_mut() = Version::HTTP_11;
    *request.uri_mut() = path.parse().expect("the fixtures' paths are paths");
    let field = |(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    *request.headers_mut() = HeaderMap::from_iter(ORDINARY.map(field));
    request
}

/// Returns the same with the offer that curl and Java put into everyday requests.
pub fn h2c<B: Default>() -> Request<B> {
    let mut request = get("/service-42/items/7");
    let headers = request.headers_mut();
    headers.insert(
        CONNECTION,
        HeaderValue::from_static("Upgrade, HTTP2-Settings"),
    );
    headers.insert(http::header::UPGRADE, HeaderValue::from_static("h2c"));
    headers.insert(
        "http2-settings",
        HeaderValue::from_static("AAMAAABkAAQAoAAAAAIAAAAA"),
    );
    request
}

/// Returns a browser's WebSocket handshake, as bytes of HTTP/1.1.
pub fn handshake() -> Vec<u8> {
    head(UPGRADE.into_iter().chain(HANDSHAKE))
}

/// Returns the browser's handshake as a proxy passes it on, which says whose it is.
pub fn forwarded_handshake(client: Ipv4Addr) -> Vec<u8> {
    let client = client.to_string();
    let forwarded = [(FORWARDED_FOR, client.as_str())];
    head(UPGRADE.into_iter().chain(HANDSHAKE).chain(forwarded))
}

/// Returns a handshake of the five fields that must be there, as bytes of HTTP/1.1.
pub fn smallest_handshake() -> Vec<u8> {
    let version = [("sec-websocket-version", "13")];
    head(UPGRADE.into_iter().chain(version))
}

/// Returns the browser's request without the offer, after which the connection ends.
pub fn last_get() -> Vec<u8> {
    let closing = [("host", AUTHORITY), ("connection", "close")];
    head(closing.into_iter().chain(HANDSHAKE))
}

/// Returns the field lines of a browser's extended CONNECT for WebSocket.
pub fn connect() -> impl Iterator<Item = (&'static str, &'static str)> {
    let pseudo = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", CHAT),
        (":authority", AUTHORITY),
    ];
    pseudo.into_iter().chain(HANDSHAKE)
}

fn head<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<u8> {
    let mut head = format!("GET {CHAT} HTTP/1.1\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}
