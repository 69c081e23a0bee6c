//! Answers that are no 101: to a page, and to an offer.

use super::{
    lies::{ask, finds},
    run::{Told, doctor},
    server::{HONEST, Lie, Server},
};

#[tokio::test]
async fn what_a_page_is_answered() {
    /// Of the answers to a page alone, for the one to another version is a 426 as well.
    fn page(answer: String, change: impl Fn(&str) -> String) -> String {
        match answer.starts_with("HTTP/1.1 426") && !answer.contains("Sec-WebSocket-Version") {
            true => change(&answer),
            false => answer,
        }
    }
    let other = |level, id, tells| finds(Lie::telling(tells), level, id);
    other("warning", "upgrade-required-unnamed", |answer| {
        page(answer, |a| a.replace("Upgrade: websocket\r\n", ""))
    })
    .await;
    other("warning", "upgrade-required-unnamed", |answer| {
        page(answer, |a| {
            a.replace("Upgrade: websocket\r\n", "Upgrade: h2c\r\n")
        })
    })
    .await;
    other("warning", "upgrade-required-unbound", |answer| {
        page(answer, |a| a.replace("Connection: upgrade\r\n", ""))
    })
    .await;
    other("note", "plain-get-not-426", |answer| {
        page(answer, |a| {
            a.replace("426 Upgrade Required", "404 Not Found")
        })
    })
    .await;
    other("warning", "plain-get-5xx", |answer| {
        page(answer, |a| a.replace("426 Upgrade Required", "500 Oh"))
    })
    .await;
    other("error", "switched-unasked", |answer| {
        page(answer, |a| {
            a.replace("426 Upgrade Required", "101 Switching Protocols")
        })
    })
    .await;
    let told = ask(
        Lie::telling(|answer| page(answer, |a| a.replace("426 Upgrade Required", "200 OK"))),
        &[],
    )
    .await;
    told.exits(0)
        .finds(0, &[])
        .says(0, "plain-get", "saw", "200");
}

#[tokio::test]
async fn what_is_right_over_http2_is_right_behind_a_proxy() {
    // A proxy passes on what the server says to its HTTP/2.
    let http2 = Lie::telling(|answer| {
        let (page, version) = (
            "405 Method Not Allowed\r\nAllow: CONNECT",
            "400 Bad Request",
        );
        match answer.contains("Sec-WebSocket-Version") {
            true => answer.replace("426 Upgrade Required", version),
            false => answer.replace("426 Upgrade Required", page),
        }
    });
    let told = ask(http2, &[]).await;
    told.exits(0).finds(0, &[]);
    told.is_fine_with(&["plain-get", "version"]);
    // A 405 alone is not of HTTP/2.
    let told = ask(
        Lie::telling(|answer| answer.replace("426 Upgrade Required", "405 Method Not Allowed")),
        &[],
    )
    .await;
    let notes = [("note", "plain-get-not-426"), ("note", "version-not-426")];
    told.exits(0).finds(0, &notes);
}

#[tokio::test]
async fn a_refusal_is_named_by_its_status() {
    for (status, id) in [
        ("200 OK", "not-a-websocket"),
        ("301 Moved Permanently", "redirected"),
        ("400 Bad Request", "handshake-refused"),
        ("401 Unauthorized", "credentials-wanted"),
        ("403 Forbidden", "forbidden"),
        ("404 Not Found", "no-such-path"),
        ("405 Method Not Allowed", "method-refused"),
        ("426 Upgrade Required", "upgrade-dropped"),
        ("429 Too Many Requests", "over-limit"),
        ("500 Internal Server Error", "server-error"),
        ("502 Bad Gateway", "backend-unavailable"),
        ("504 Gateway Timeout", "backend-unavailable"),
    ] {
        let told = refused_with(status, "").await;
        told.exits(2).says(0, id, "saw", status);
        told.says(0, id, "level", "error");
    }
    let told = refused_with("301 Moved Permanently", "Location: https://a.example/\r\n").await;
    told.says(0, "redirected", "means", "https://a.example/");
}

/// Asks a server that answers every offer so.
async fn refused_with(status: &'static str, fields: &'static str) -> Told {
    let text = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\n\r\n");
    let server = Server::saying(text.leak().as_bytes(), false).await;
    doctor(&[&server.url("ws")]).await
}

#[tokio::test]
async fn a_403_for_the_origin_is_told_from_another() {
    let told = ask(HONEST, &["--origin", "https://foreign.example"]).await;
    told.exits(2).finds(0, &[("error", "origin-refused")]);
    told.is_mended_by(
        0,
        "origin-refused",
        "nginx",
        "proxy_set_header Host $http_host;",
    );
    let told = ask(
        Lie::hearing(|request| request.replace("Origin: ", "Origin: foreign")),
        &[],
    )
    .await;
    told.exits(2).finds(0, &[("error", "origin-refused")]);
}
