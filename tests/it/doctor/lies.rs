//! Servers that break one rule each: the finding is about that one, and there is no other.

use super::{
    run::{Told, doctor},
    server::{After, HONEST, Lie, Server},
};

/// Asks a server that lies so.
pub(super) async fn ask(lie: Lie, args: &[&str]) -> Told {
    let server = Server::start(lie).await;
    let url = server.url("ws");
    doctor(&[&[&url, "--idle", "0.1"], args].concat()).await
}

pub(super) async fn finds(lie: Lie, level: &str, id: &str) {
    let told = ask(lie, &["--timeout", "2"]).await;
    told.finds(0, &[(level, id)]);
    told.exits(match level {
        "error" => 2,
        "warning" => 1,
        _ => 0,
    });
}

#[tokio::test]
async fn an_honest_server_is_fine() {
    let told = ask(HONEST, &["--subprotocol", "v2", "--subprotocol", "v1"]).await;
    told.exits(0).finds(0, &[]).is_fine_with(&[
        "resolve",
        "tcp",
        "plain-get",
        "handshake",
        "upgrade",
        "connection",
        "accept",
        "subprotocol",
        "ping",
        "idle",
        "close",
        "version",
        "key",
        "foreign-origin",
        "split-connection",
        "early-bytes",
    ]);
}

#[tokio::test]
async fn what_a_101_must_say() {
    let other = |id, tells| finds(Lie::telling(tells), "error", id);
    other("connection-not-upgrade", |answer| {
        answer.replace(
            "101 Switching Protocols\r\nConnection: upgrade",
            "101 Switching Protocols\r\nConnection: keep-alive",
        )
    })
    .await;
    other("upgrade-other", |answer| {
        answer.replace(
            "Upgrade: websocket\r\nSec-WebSocket-A",
            "Upgrade: h2c\r\nSec-WebSocket-A",
        )
    })
    .await;
    other("accept-missing", |answer| {
        answer.replace("Sec-WebSocket-Accept", "X-Accept")
    })
    .await;
    other("accept-wrong", |answer| {
        answer.replace("Sec-WebSocket-Accept: ", "Sec-WebSocket-Accept: s3")
    })
    .await;
    other("accept-wrong", |answer| {
        answer.replace(
            "Sec-WebSocket-Accept: ",
            "Sec-WebSocket-Accept: a\r\nSec-WebSocket-Accept: ",
        )
    })
    .await;
    other("version-old", |answer| {
        answer.replace("HTTP/1.1 101", "HTTP/1.0 101")
    })
    .await;
}

#[tokio::test]
async fn what_some_clients_refuse_in_a_101() {
    let other = |id, tells| finds(Lie::telling(tells), "warning", id);
    for tells in [
        (|answer: String| {
            answer.replace(
                "101 Switching Protocols\r\nConnection: upgrade",
                "101 Switching Protocols\r\nConnection: keep-alive, Upgrade",
            )
        }) as fn(String) -> String,
        |answer| {
            answer.replace(
                "101 Switching Protocols\r\nConnection: upgrade",
                "101 Switching Protocols\r\nConnection: upgrade, close",
            )
        },
        |answer| {
            answer.replace(
                "101 Switching Protocols\r\n",
                "101 Switching Protocols\r\nConnection: close\r\n",
            )
        },
    ] {
        other("connection-not-exact", tells).await;
    }
    other("upgrade-not-exact", |answer| {
        answer.replace(
            "Upgrade: websocket\r\nSec-WebSocket-A",
            "Upgrade: websocket, h2c\r\nSec-WebSocket-A",
        )
    })
    .await;
    for tells in [
        (|answer: String| {
            answer.replace(
                "Sec-WebSocket-Accept",
                "Content-Length: 0\r\nSec-WebSocket-Accept",
            )
        }) as fn(String) -> String,
        |answer| {
            answer.replace(
                "Sec-WebSocket-Accept",
                "Transfer-Encoding: chunked\r\nSec-WebSocket-Accept",
            )
        },
    ] {
        other("length-on-101", tells).await;
    }
}

#[tokio::test]
async fn a_101_is_read_however_it_is_written() {
    // Names without case, values without the space, lines without a carriage return.
    for tells in [
        (|answer: String| {
            answer
                .replace("Connection: ", "CONNECTION:")
                .replace("Upgrade: websocket", "upgrade:\t WebSocket ")
        }) as fn(String) -> String,
        |answer| answer.replace("\r\n", "\n"),
        |answer| format!("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n{answer}"),
    ] {
        ask(Lie::telling(tells), &[]).await.exits(0).finds(0, &[]);
    }
}

#[tokio::test]
async fn subprotocols_and_extensions() {
    let unasked = Lie::telling(|answer| {
        answer.replace(
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Protocol: v1\r\nSec-WebSocket-Accept",
        )
    });
    finds(unasked, "error", "subprotocol-unasked").await;
    let told = ask(unasked, &["--subprotocol", "v1"]).await;
    // Now there are two lines of it.
    told.finds(0, &[("error", "subprotocol-foreign")]).exits(2);
    let foreign = Lie::telling(|answer| answer.replace("Protocol: v1", "Protocol: V1"));
    let told = ask(foreign, &["--subprotocol", "v1"]).await;
    told.finds(0, &[("error", "subprotocol-foreign")]).exits(2);
    let told = ask(HONEST, &["--subprotocol", "v3"]).await;
    told.finds(0, &[("warning", "subprotocol-none")]).exits(1);
    let extension = Lie::telling(|answer| {
        answer.replace(
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept",
        )
    });
    finds(extension, "error", "extension-unasked").await;
}

#[tokio::test]
async fn what_a_server_should_refuse_or_understand() {
    let taken = |id, hears| finds(Lie::hearing(hears), "warning", id);
    taken("key-unchecked", |request| {
        request.replace("Key: AAAA\r", "Key: AAAAAAAAAAAAAAAAAAAAAA==\r")
    })
    .await;
    taken("version-unchecked", |request| {
        request.replace("Version: 99", "Version: 13")
    })
    .await;
    taken("origin-unchecked", |request| {
        request.replace("https://foreign.invalid", "null")
    })
    .await;
    taken("split-connection-misread", |request| {
        request.replace("keep-alive\r\nConnection: Upgrade", "keep-alive")
    })
    .await;
    let unnamed = Lie::telling(|answer| answer.replace("Sec-WebSocket-Version: 13\r\n", ""));
    finds(unnamed, "warning", "version-unnamed").await;
    let other = Lie::telling(
        |answer| match answer.contains("Sec-WebSocket-Version: 13") {
            true => answer.replace("426 Upgrade Required", "400 Bad Request"),
            false => answer,
        },
    );
    finds(other, "note", "version-not-426").await;
    finds(
        Lie::then(After::FramesButTheFirst),
        "note",
        "early-bytes-lost",
    )
    .await;
}

#[tokio::test]
async fn what_comes_behind_a_101() {
    let args = ["--timeout", "1"];
    for (after, id) in [
        (After::Nothing, "ping-unanswered"),
        (After::Leaves, "cut-at-once"),
        (After::Bytes(b"\x88\x02\x03\xf0"), "closed-at-once"),
        (After::Bytes(&[b'H'; 200]), "frames-broken"),
        // Of a server no frame is masked.
        (After::Bytes(b"\x81\x82abcdef"), "frames-broken"),
        // A message longer than anybody wants to keep.
        (
            After::Bytes(b"\x82\x7f\x00\xff\xff\xff\xff\xff\xff\xff"),
            "frames-broken",
        ),
    ] {
        let told = ask(Lie::then(after), &args).await;
        let expected = [("error", id), ("note", "early-bytes-lost")];
        told.exits(2).finds(0, &expected);
    }
}
