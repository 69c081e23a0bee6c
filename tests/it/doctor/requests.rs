//! What is sent for a URL, and what is told of answers that never end.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    process::Command,
    time::{Duration, sleep},
};

use super::run::{command, doctor, run};
use crate::process::{self, within};

/// Returns the first line that is sent for a URL on this server, which hangs up.
async fn asked(scheme: &str, rest: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("{scheme}://{}{rest}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        loop {
            let (mut io, _) = listener.accept().await.unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\n") && io.read_buf(&mut read).await.unwrap() > 0 {}
            if !read.is_empty() {
                return String::from_utf8(read).unwrap();
            }
        }
    });
    doctor(&[&url]).await.exits(2);
    let sent = within(30, "a request", server).await.unwrap();
    sent.lines().next().unwrap().to_owned()
}

#[tokio::test]
async fn a_path_is_sent_as_browsers_send_it() {
    for (rest, path) in [
        ("", "/"),
        ("?x=1", "/?x=1"),
        ("/?x=1", "/?x=1"),
        ("/a%20b", "/a%20b"),
        ("/ä?ö=€", "/%C3%A4?%C3%B6=%E2%82%AC"),
        ("/a#fragment", "/a"),
    ] {
        let expected = format!("GET {path} HTTP/1.1");
        assert_eq!(asked("ws", rest).await, expected, "{rest}");
    }
    // Schemes are compared without case (RFC 3986 3.1).
    assert_eq!(asked("WS", "/").await, "GET / HTTP/1.1");
    assert_eq!(asked("Http", "/").await, "GET / HTTP/1.1");
}

#[tokio::test]
async fn arguments_are_not_repeated_at_length() {
    let long = format!("ws://a.example/{}", "a".repeat(70_000));
    for args in [
        &[long.as_str()][..],
        &["ws://a/", &long],
        &["--no-such", &long],
    ] {
        let ran = run(args, &[]).await;
        assert_eq!(ran.code, 64);
        assert!(ran.stderr.len() < 2_000, "{} bytes", ran.stderr.len());
    }
    for name in ["--idle", "--timeout", "--ca", "--origin"] {
        let ran = run(&["ws://a/", name, "1", name, "1"], &[]).await;
        assert_eq!(ran.code, 64, "{name}");
        let why = format!("doctor: {name}: once is enough\n");
        assert!(ran.stderr.starts_with(&why), "{ran:?}");
    }
}

async fn drip(mut io: TcpStream) {
    for byte in b"HTTP/1.1 404 Not Found\r\nX: "
        .iter()
        .chain([b'a'; 999].iter())
    {
        if io.write_all(&[*byte]).await.is_err() {
            return;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_slowly_is_not_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            tokio::spawn(drip(io));
        }
    });
    let told = doctor(&[&url, "--timeout", "0.5"]).await;
    told.exits(2).finds(0, &[("error", "answer-too-slow")]);
    told.says(0, "answer-too-slow", "saw", "began");
}

#[tokio::test]
async fn who_interrupts_it_is_told_what_was_found() {
    for args in [&[][..], &["--json"]] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let mut doctor = command(&[&[url.as_str(), "--timeout", "600"], args].concat());
        let child = doctor.spawn().unwrap();
        // The second is for a request, which stays unanswered.
        let _first = within(30, "a connection", listener.accept()).await;
        let _second = within(30, "another", listener.accept()).await;
        let kill = format!("kill -INT {}", child.id().unwrap());
        process::run(Command::new("sh").args(["-c", &kill])).await;
        let output = within(30, "its end", child.wait_with_output())
            .await
            .unwrap();
        assert_eq!(output.status.code(), Some(130), "{output:?}");
        let stdout = String::from_utf8(output.stdout).unwrap();
        if args.is_empty() {
            assert!(stdout.contains("\nok        tcp "), "{stdout}");
            assert!(stdout.contains("\ninterrupted: 0 errors, "), "{stdout}");
        } else {
            let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
            assert_eq!(json["verdict"], "interrupted", "{json:#}");
            assert_eq!(json["findings"][1]["id"], "tcp", "{json:#}");
        }
    }
}
