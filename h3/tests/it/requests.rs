//! Requests that are no offers.

use crate::{
    client::{Client, head},
    server,
    wire::{self, frame},
};

#[tokio::test]
async fn a_get_is_answered_with_its_content_and_who_asked() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.get("/").await;
    let answer = stream.answer().await;
    assert_eq!(answer.status, "200");
    assert_eq!(answer.field("content-length"), Some("6"));
    assert!(answer.field("date").is_some());
    assert_eq!(stream.read_to_end().await.unwrap(), b"a page");

    let mut stream = client.get("/peer").await;
    assert_eq!(stream.answer().await.status, "200");
    let peer = String::from_utf8(stream.read_to_end().await.unwrap()).unwrap();
    assert!(
        peer.starts_with("127.0.0.1:") && peer.ends_with("HTTP/3.0 Some(0)"),
        "{peer}"
    );
    assert_eq!(client.get("/nowhere").await.answer().await.status, "404");
}

#[tokio::test]
async fn a_head_has_no_content() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.request(&head("HEAD", "/")).await;
    stream.finish();
    let answer = stream.answer().await;
    assert_eq!(
        (&*answer.status, answer.field("content-length")),
        ("200", Some("6"))
    );
    assert_eq!(stream.next().await.unwrap(), None);
}

#[tokio::test]
async fn content_is_read_in_pieces_with_what_is_not_known_skipped() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.request(&head("POST", "/length")).await;
    stream.write(&[1; 70_000]).await;
    let reserved = frame(0x21, &[9; 3000]);
    stream.send.write_all(&reserved).await.unwrap();
    stream.write(b"").await;
    stream.write(&[2; 5]).await;
    // Trailers, which the handler does not ask for.
    let trailers = frame(wire::HEADERS, b"\0\0\x23foo\x03bar");
    stream.send.write_all(&trailers).await.unwrap();
    stream.finish();
    assert_eq!(stream.answer().await.status, "200");
    assert_eq!(stream.read_to_end().await.unwrap(), b"70005");
}

#[tokio::test]
async fn content_and_its_echo_stream_at_once() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.request(&head("POST", "/echo-content")).await;
    for round in 0..3 {
        stream.write(&[round; 1000]).await;
        if round == 0 {
            assert_eq!(stream.answer().await.status, "200");
        }
        assert_eq!(stream.read_exact(1000).await, [round; 1000]);
    }
    stream.finish();
    assert_eq!(stream.read_to_end().await.unwrap(), b"");
}

#[tokio::test]
async fn trailers_come_last_and_are_echoed() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.request(&head("POST", "/echo-content")).await;
    stream.write(b"content").await;
    let trailers = frame(wire::HEADERS, b"\0\0\x23foo\x03bar");
    stream.send.write_all(&trailers).await.unwrap();
    assert_eq!(stream.answer().await.status, "200");
    assert_eq!(stream.read_exact(7).await, b"content");
    assert_eq!(stream.next().await.unwrap(), Some(wire::HEADERS));
    let echoed = wire::decode(&stream.payload().await);
    assert_eq!(echoed, [("foo".to_owned(), "bar".to_owned())]);
    stream.finish();
    assert_eq!(stream.next().await.unwrap(), None);

    let mut stream = client.request(&head("POST", "/length")).await;
    stream.send.write_all(&trailers).await.unwrap();
    stream.write(b"more").await;
    assert_eq!(client.close_code().await, 0x105);
}

#[tokio::test]
async fn content_in_the_smallest_pieces_is_read_whole() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.request(&head("POST", "/length")).await;
    let octets = [0, 1, b'x'].repeat(100_000);
    stream.send.write_all(&octets).await.unwrap();
    stream.finish();
    assert_eq!(stream.answer().await.status, "200");
    assert_eq!(stream.read_to_end().await.unwrap(), b"100000");
}

#[tokio::test]
async fn content_of_another_length_than_announced_is_malformed() {
    let server = server::start();
    let client = Client::connect(&server).await;
    for (sent, status) in [(5, "200"), (4, "400"), (6, "400")] {
        let fields = [&head("POST", "/length")[..], &[("content-length", "5")]].concat();
        let mut stream = client.request(&fields).await;
        stream.write(&vec![0; sent]).await;
        stream.finish();
        assert_eq!(stream.answer().await.status, status, "{sent} octets");
    }
}

#[tokio::test]
async fn an_answer_that_fails_half_way_is_reset_not_ended() {
    let server = server::start();
    let client = Client::connect(&server).await;
    assert_eq!(client.get("/fails").await.reset_code().await, 0x102);
    assert_eq!(client.get("/panics").await.reset_code().await, 0x102);
    assert_eq!(client.get("/").await.answer().await.status, "200");
}

#[tokio::test]
async fn a_101_is_no_answer() {
    let server = server::start();
    let client = Client::connect(&server).await;
    let mut stream = client.get("/bare-101").await;
    assert_eq!(stream.answer().await.status, "500");
    assert_eq!(stream.read_to_end().await.unwrap(), b"");
}

#[tokio::test]
async fn a_client_need_not_wait_for_one_answer_to_ask_for_the_next() {
    let server = server::start_with(std::time::Duration::ZERO, |server| server.max_requests(4));
    let client = Client::connect(&server).await;
    let mut answers = Vec::new();
    for _ in 0..50 {
        let mut stream = client.get("/").await;
        answers.push(tokio::spawn(async move {
            assert_eq!(stream.answer().await.status, "200");
            stream.read_to_end().await.unwrap().len()
        }));
    }
    for answer in answers {
        assert_eq!(answer.await.unwrap(), 6);
    }
}
