//! Clients that break the protocol: the code they are told (RFC 6455 7.4.1), and the end of all.

use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{CloseCode, Data, OpCode},
    },
};

use super::{
    ALL,
    client::{self, CLOSE, Client, Pod, STDIN, STDOUT, V5, path},
};

const MAX: usize = 1 << 20;

/// A command that says which process it is.
fn cat() -> String {
    path(&format!(
        "command=sh&command=-c&command=echo+$$;sleep+1000+%26+cat&{ALL}"
    ))
}

/// Checks that this is what it is told, and that the command is gone.
async fn is_told(mut client: Client, process: &str, code: CloseCode, why: &str) {
    assert_eq!(client.close().await, code, "{why}");
    client::until(|| client::is_gone(process)).await;
}

/// A message of 1 MiB is taken, and a byte more is 1009, in one frame or in many.
#[tokio::test]
async fn messages_are_bounded() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let piece = |opcode, length, is_last| {
        let frame = Frame::message(vec![STDIN; length], OpCode::Data(opcode), is_last);
        Message::Frame(frame)
    };
    for (name, excess) in [("one frame", 1), ("three frames", 1), ("32 MiB", 31 * MAX)] {
        let mut client = pod.exec(&cat(), V5).await;
        let process = client.process().await;
        let messages = |length| match name {
            "three frames" => vec![
                piece(Data::Binary, MAX / 2, false),
                piece(Data::Continue, MAX / 2 - 1, false),
                piece(Data::Continue, length - (MAX - 1), true),
            ],
            _ => vec![piece(Data::Binary, length, true)],
        };
        for message in messages(MAX) {
            client.send_message(message).await;
        }
        let mut back = 0;
        while back < MAX - 1 {
            let message = client.message().await;
            assert_eq!(message[0], STDOUT);
            back += message.len() - 1;
        }
        // All of it is taken, so that a client that reads later reads why.
        for message in messages(MAX + excess) {
            client.send_message(message).await;
        }
        is_told(client, &process, CloseCode::Size, name).await;
    }
}

/// Frames that make no sense are 1002, text that is none 1007, also as the reason of a close.
#[tokio::test]
async fn frames_are_checked() {
    let pod = Pod::start(&["--allow-sh"]).await;
    let masked = |first: u8, content: &[u8]| {
        let length = u8::try_from(content.len()).unwrap() | 0x80;
        [&[first, length, 0, 0, 0, 0], content].concat()
    };
    let (protocol, invalid) = (CloseCode::Protocol, CloseCode::Invalid);
    for (what, frame, code) in [
        ("not masked", vec![0x82, 1, STDIN], protocol),
        ("a reserved bit", masked(0xc2, &[STDIN]), protocol),
        ("a reserved opcode", masked(0x83, &[STDIN]), protocol),
        ("a reserved control", masked(0x8b, &[]), protocol),
        ("nothing to go on with", masked(0x80, &[STDIN]), protocol),
        ("a ping in pieces", masked(0x09, &[]), protocol),
        (
            "a new message within one",
            [masked(0x02, &[STDIN]), masked(0x82, &[STDIN])].concat(),
            protocol,
        ),
        (
            "a long ping",
            [&[0x89, 0xfe, 0, 126, 0, 0, 0, 0][..], &[0; 126]].concat(),
            protocol,
        ),
        ("half a code", masked(0x88, &[3]), protocol),
        (
            "a reason that is no text",
            masked(0x88, &[3, 0xe8, 0xff]),
            invalid,
        ),
        ("text that is none", masked(0x81, &[STDIN, 0xff]), invalid),
        ("no such channel", masked(0x82, &[CLOSE, 5]), protocol),
    ] {
        let mut client = pod.exec(&cat(), V5).await;
        let process = client.process().await;
        // What came before was sound.
        client.send(&[STDIN, b'a']).await;
        assert_eq!(client.message().await, [STDOUT, b'a']);
        client.send_raw(&frame).await;
        is_told(client, &process, code, what).await;
    }
}

/// The same over HTTP/2.
#[tokio::test]
async fn over_http2_they_are_told_too() {
    let pod = Pod::start(&["--allow-sh"]).await;
    for (message, code) in [
        (Message::binary(vec![STDIN; 4 * MAX]), CloseCode::Size),
        (Message::binary(vec![CLOSE, 5]), CloseCode::Protocol),
    ] {
        let mut client = pod.exec_over_http2(&cat(), V5).await;
        let process = client.process().await;
        client.send_message(message).await;
        is_told(client, &process, code, "over HTTP/2").await;
    }
}
