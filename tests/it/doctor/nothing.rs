//! Where there is no server, or none that answers; and the command line.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures_util::future::join_all;

use super::{
    run::{doctor, run},
    server::{HONEST, Lie, Server},
};

#[tokio::test]
async fn nothing_to_try() {
    let told = doctor(&["ws://nohost.invalid/ws"]).await;
    told.exits(3).finds(0, &[("error", "name-not-found")]);
    // Bound, and not listened on: nobody else gets the port either.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("wss://{}/", socket.local_addr().unwrap());
    let told = doctor(&[&url]).await;
    told.exits(3).finds(0, &[("error", "connection-refused")]);
}

#[tokio::test]
async fn a_server_that_never_answers() {
    // The system takes the connection, and nobody reads it.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let told = doctor(&[&format!("ws://{address}/"), "--timeout", "0.3"]).await;
    told.exits(2).finds(0, &[("error", "no-answer")]);
    let told = doctor(&[&format!("wss://{address}/"), "--timeout", "0.3"]).await;
    told.exits(2).finds(0, &[("error", "tls-failed")]);
}

#[tokio::test]
async fn a_server_that_hangs_up() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hanging_up = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let told = doctor(&[&format!("ws://{address}/")]).await;
    told.exits(2)
        .finds(0, &[("error", "closed-without-answer")]);
    hanging_up.abort();
}

#[tokio::test]
async fn a_server_of_another_protocol() {
    for (bytes, id) in [
        (&b"220 mail.example ESMTP\r\n"[..], "not-http"),
        (b"\xff\xfd\x18\x1b[2J\x07garbage\r\n\r\n", "not-http"),
        (b"HTTP/1.1 abc\r\n\r\n", "not-http"),
        (
            b"\x00\x00\x12\x04\x00\x00\x00\x00\x00\x00\x03",
            "speaks-http2",
        ),
    ] {
        let server = Server::saying(bytes, false).await;
        let told = doctor(&[&server.url("ws"), "--timeout", "1"]).await;
        told.exits(2).finds(0, &[("error", id)]);
    }
}

#[tokio::test]
async fn answers_without_an_end_are_read_to_a_bound() {
    // A head, provisional answers, content and messages that go on and on.
    for (bytes, id) in [
        (&b"HTTP/1.1 200 OK\r\nX: "[..], "endless-head"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "endless-head"),
        (b"HTTP/1.1 404 Not Found\r\n\r\naaaaaaa", "not-http"),
    ] {
        let server = Server::saying(bytes, true).await;
        let told = doctor(&[&server.url("ws"), "--timeout", "2"]).await;
        told.exits(2);
        if id == "endless-head" {
            told.finds(0, &[("error", id)]);
        } else {
            told.says(0, "no-such-path", "level", "error");
        }
    }
}

#[tokio::test]
async fn nothing_of_a_peer_reaches_the_terminal_as_it_is() {
    let bytes = b"HTTP/1.1 400 \x1b[31mred\x07\r\nServer: \x1b]0;title\x07\r\n\
        Content-Type: text/plain\r\nContent-Length: 25\r\n\r\n\x1b[2J\xe2\x80\xaerevo \xff\xfe\x9b1mmore\r\n\r\n";
    let server = Server::saying(bytes, false).await;
    for args in [&[][..], &["--json"]] {
        let ran = run(&[&[server.url("ws").as_str()], args].concat(), &[]).await;
        assert_eq!(ran.code, 2, "{ran:?}");
        let is_plain = |c: char| c == '\n' || c == '…' || matches!(c, ' '..='~');
        assert!(ran.stdout.chars().all(is_plain), "{ran:?}");
        assert!(ran.stdout.contains("x1b[2J"), "{ran:?}");
    }
}

/// A server that is honest, but for a byte of each answer.
fn spoiling(answer: String) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut bytes = answer.into_bytes();
    let at = count.wrapping_mul(7919) % bytes.len();
    bytes[at] = u8::try_from(count.wrapping_mul(31) % 128).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn no_answer_makes_it_panic() {
    let server = Server::start(Lie::telling(spoiling)).await;
    let url = server.url("ws");
    let args = [
        &url,
        "--idle",
        "0",
        "--timeout",
        "0.5",
        "--subprotocol",
        "v1",
    ];
    // Some 15 answers each.
    for _ in 0..4 {
        let ran = join_all((0..5).map(|_| run(&args, &[]))).await;
        for ran in ran {
            assert!(
                (0..=2).contains(&ran.code) && ran.stderr.is_empty(),
                "{ran:?}"
            );
        }
    }
}

#[tokio::test]
async fn wrong_usage_is_64() {
    for args in [
        &[][..],
        &["http2://a/"],
        &["/path"],
        &["ws://"],
        &["ws://user:secret@a/"],
        &["ws://a/ b"],
        &["ws://a:0/"],
        &["ws://a:65536/"],
        &["ws://a/", "ws://b/"],
        &["ws://a/", "--no-such"],
        &["ws://a/", "--idle"],
        &["ws://a/", "--idle", "-1"],
        &["ws://a/", "--idle", "nan"],
        &["ws://a/", "--idle", "1e300"],
        &["ws://a/", "--timeout", "0"],
        &["ws://a/", "--subprotocol", "a b"],
        &["ws://a/", "--origin", "a\r\nb"],
        &["ws://a/", "--behind", "mailto:a"],
        &["ws://a/", "--ca", "/nonexistent/file"],
        &["ws://a/", "--ca", "/dev/null"],
    ] {
        let ran = run(args, &[]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{args:?}");
        assert!(ran.stderr.contains("usage: doctor"), "{args:?}: {ran:?}");
    }
    let ran = run(&["ws://nohost.invalid/#\x1b[2J"], &[]).await;
    assert!(!ran.stdout.contains('\x1b'), "{ran:?}");
    let ran = run(&["--help"], &[]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    assert!(ran.stdout.starts_with("usage: doctor"), "{ran:?}");
}

#[tokio::test]
async fn the_table_is_aligned_and_without_colours_where_there_is_no_terminal() {
    let server = Server::start(HONEST).await;
    let ran = run(&[&server.url("ws"), "--idle", "0"], &[]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Vec<_> = ran
        .stdout
        .lines()
        .filter(|line| line.starts_with("ok "))
        .collect();
    assert_eq!(rows.len(), 15, "{}", ran.stdout);
    for row in rows {
        let (before, saw) = row.split_at(38);
        assert!(before.ends_with("  ") && !saw.starts_with(' '), "{row:?}");
    }
    assert!(
        ran.stdout
            .ends_with("\nfine: 0 errors, 0 warnings, 0 notes\n"),
        "{}",
        ran.stdout
    );
}

#[tokio::test]
async fn who_stops_reading_is_no_reason_to_panic() {
    let server = Server::start(HONEST).await;
    let doctor = super::run::command(&[&server.url("ws"), "--idle", "0"]);
    let mut child = { doctor }.spawn().unwrap();
    drop(child.stdout.take());
    let ended = tokio::time::timeout(Duration::from_secs(60), child.wait_with_output()).await;
    let output = ended.expect("it ends").unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(
        !String::from_utf8_lossy(&output.stderr).contains("panic"),
        "{output:?}"
    );
}
