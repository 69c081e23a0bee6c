//! The fields that every handshake has: `Host`, `Sec-WebSocket-Version`, `Sec-WebSocket-Key`.

use super::{refused_unlike, refused_with, sound, websocket};
use crate::{
    outcome::switches,
    wire::{ACCEPT, KEY, Request},
};

#[tokio::test]
async fn there_is_one_host() {
    // 4.2.1 item 2: "A |Host| header field containing the server's authority."
    refused_unlike(&sound(), &sound().without("Host"), 400, "`Host` is missing").await;
    let twice = sound().add("Host", "a.example");
    refused_unlike(&sound(), &twice, 400, "`Host` came more than once").await;
    for host in [
        "",
        ":80",
        "a.example:x",
        "a.example:99999",
        "u@a.example",
        "a.example/x",
        "a b",
        "::1",
    ] {
        refused_with("Host", host, 400, "`Host` is not a host").await;
    }
    for host in ["a", "a.example:8080", "[::1]:80", "127.0.0.1"] {
        switches(websocket(), &sound().set("Host", host), "websocket").await;
    }
}

#[tokio::test]
async fn a_target_with_an_authority_needs_a_host_too() {
    // 4.2.1 item 1: "or an absolute HTTP/HTTPS URI containing the /resource name/".
    let absolute = Request::websocket("http://a.example/");
    let without = absolute.clone().without("Host");
    refused_unlike(&absolute, &without, 400, "`Host` is missing").await;
}

#[tokio::test]
async fn there_is_one_version_and_it_is_13() {
    // 4.2.2 item 4: "If this version does not match a version understood by the server, the server
    // MUST abort the WebSocket handshake [..] and instead send an appropriate HTTP error code (such
    // as 426 Upgrade Required) and a |Sec-WebSocket-Version| header field".
    let name = "Sec-WebSocket-Version";
    refused_unlike(&sound(), &sound().without(name), 426, "is missing").await;
    refused_unlike(&sound(), &sound().add(name, "13"), 426, "more than once").await;
    for version in [
        "12", "8", "", "013", "13, 8", "13,13", "+13", "1 3", "\"13\"",
    ] {
        refused_with(name, version, 426, "is not 13").await;
    }
}

#[tokio::test]
async fn there_is_one_key_of_16_octets() {
    // 4.2.1 item 5: "A |Sec-WebSocket-Key| header field with a base64-encoded value that, when
    // decoded, is 16 bytes in length."
    let name = "Sec-WebSocket-Key";
    refused_unlike(&sound(), &sound().without(name), 400, "is missing").await;
    refused_unlike(&sound(), &sound().add(name, KEY), 400, "more than once").await;
    refused_with(name, "", 400, "decodes to 0 octets").await;
    refused_with(name, "AAAA", 400, "decodes to 3 octets").await;
    refused_with(
        name,
        "AAAAAAAAAAAAAAAAAAAAAAAA",
        400,
        "decodes to 18 octets",
    )
    .await;
    refused_with(name, &"A".repeat(4000), 400, "far too long").await;
    for key in [
        "dGhlIHNhbXBsZSBub25jZR==",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBs ZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "____________________-A==",
        "!",
    ] {
        refused_with(name, key, 400, "canonical base64").await;
    }
}

#[tokio::test]
async fn other_keys_are_answered_by_other_values() {
    // 4.2.2 item 5.4: "The value of this header field is constructed by concatenating /key/ [..] with
    // the string "258EAFA5-E914-47DA-95CA-C5AB0DC85B11", taking the SHA-1 hash".
    for (key, accept) in [
        (KEY, ACCEPT),
        ("AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
        ("x3JJHMbDL1EzLkh9GBhXDw==", "HSmrc0sMlYUkAGmm5OPpG2HaGWk="),
    ] {
        let request = sound().set("Sec-WebSocket-Key", key);
        let (head, _) = switches(websocket(), &request, "websocket").await;
        head.has("sec-websocket-accept", accept);
    }
}
