//! The channels, over a WebSocket.

use std::time::Duration;

use axum::body::Bytes;
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::Value;
use tokio::{
    io::{AsyncWriteExt, copy},
    process::ChildStdin,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};
use tower_upgrade::Upgraded;

use crate::{
    asked::Asked,
    command::{Piece, Running},
};

pub(crate) const V5: &str = "v5.channel.k8s.io";
pub(crate) const V4: &str = "v4.channel.k8s.io";

pub(crate) const STDIN: u8 = 0;
pub(crate) const STDOUT: u8 = 1;
pub(crate) const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// The longest message.
const MAX_MESSAGE: usize = 1 << 20;
/// How often a client is pinged, and how long it may be silent: as `kubectl` itself has it.
const HEARTBEAT: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(60);
/// How long a client may take to read the last of it and answer the close, or a command to end behind it.
const LINGER: Duration = Duration::from_secs(10);
/// How long what came before a connection was lost is still read.
const MOMENT: Duration = Duration::from_secs(1);

type Sink = SplitSink<WebSocketStream<Upgraded>, Message>;
type Messages = SplitStream<WebSocketStream<Upgraded>>;

/// Why all ends.
enum Over {
    /// The command has ended, or was not started.
    Ended(Value),
    /// The client has closed, which was answered.
    Closed,
    /// The client is not there.
    Gone,
    /// It broke the protocol.
    Broken(CloseCode, &'static str),
}

/// Connects a client and a command, until one of them has ended.
pub(crate) async fn serve(io: Upgraded, asked: Asked, allow_sh: bool) {
    let has_close = io.subprotocol() == Some(V5);
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(bounds())).await;
    let (mut sink, mut messages) = socket.split();
    let mut command = match asked.start(allow_sh) {
        Ok(command) => command,
        Err(forbidden) => return drop(part(sink, messages, Over::Ended(forbidden)).await),
    };
    let stdin = command.stdin();
    let over = tokio::select! {
        over = output(&mut sink, &mut command, &asked) => over,
        over = input(&mut messages, stdin, has_close) => over,
    };
    let may_finish = matches!(over, Over::Closed);
    let end = async {
        if may_finish {
            // What it was told.
            let _ = timeout(LINGER, command.finish()).await;
        }
        command.kill().await;
    };
    // The connection has the permit, which is given back when the command is gone too.
    let (_io, ()) = tokio::join!(part(sink, messages, over), end);
}

fn bounds() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(32 << 10)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}

/// Feeds the command, until the client is gone or makes no sense.
async fn input(messages: &mut Messages, mut stdin: Option<ChildStdin>, has_close: bool) -> Over {
    let mut over = Over::Gone;
    while let Ok(Some(message)) = timeout(SILENCE, messages.next()).await {
        let message = match message {
            Ok(Message::Binary(message)) => message,
            // Python's client sends text as text.
            Ok(Message::Text(message)) => message.into(),
            Ok(Message::Close(_)) => {
                // And on to the end, for the engine answers a close when it is asked for more.
                (stdin, over) = (None, Over::Closed);
                continue;
            }
            Ok(_) => continue,
            Err(error) => return broken(&error).unwrap_or(over),
        };
        match *message {
            [STDIN, ref data @ ..] => feed(&mut stdin, data).await,
            [CLOSE, STDIN] if has_close => stdin = None,
            [CLOSE, STDOUT..=RESIZE] if has_close => {}
            [CLOSE, ..] if has_close => {
                return Over::Broken(CloseCode::Protocol, "no channel to close");
            }
            _ => {}
        }
    }
    over
}

async fn feed(stdin: &mut Option<ChildStdin>, data: &[u8]) {
    if let Some(open) = stdin {
        // A command may end its input first; the rest is then read for nobody.
        if open.write_all(data).await.is_err() {
            *stdin = None;
        }
    }
}

/// Says what the client did wrong, if it did (RFC 6455 7.4.1).
fn broken(error: &Error) -> Option<Over> {
    let (code, why) = match error {
        Error::Capacity(_) => (CloseCode::Size, "a message is longer than 1 MiB"),
        Error::Utf8(_) => (CloseCode::Invalid, "text is not UTF-8"),
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => return None,
        Error::Protocol(_) => (CloseCode::Protocol, "a frame makes no sense"),
        _ => return None,
    };
    Some(Over::Broken(code, why))
}

/// Sends all there is, until the command has ended or the client is gone.
async fn output(sink: &mut Sink, command: &mut Running, asked: &Asked) -> Over {
    let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = match (asked.stdout, asked.stderr) {
        (true, _) => STDOUT,
        (false, true) => STDERR,
        (false, false) => STATUS,
    };
    let mut message = Some(on(first, &[]));
    loop {
        if let Some(message) = message.take() {
            // Other errors tell that the client has closed.
            if let Err(Error::Io(_)) = sink.send(message).await {
                // Who reads from it learns that too, unless it waits for the command to take more input.
                let finished = timeout(MOMENT, command.finish()).await;
                return finished.map_or(Over::Gone, Over::Ended);
            }
        }
        message = tokio::select! {
            piece = command.next() => match piece {
                // The end of that output, of which the client is told by the status.
                Piece::Output(_, []) => None,
                Piece::Output(channel, data) => Some(on(channel, data)),
                Piece::Ended(status) => return Over::Ended(status),
            },
            _ = heartbeat.tick() => Some(Message::Ping(Bytes::new())),
        };
    }
}

fn on(channel: u8, data: &[u8]) -> Message {
    Message::binary([&[channel], data].concat())
}

/// Tells the client how it ended, and ends the connection so that it can read that.
async fn part(sink: Sink, messages: Messages, over: Over) -> Option<Upgraded> {
    timeout(LINGER, say_goodbye(sink, messages, over))
        .await
        .ok()?
}

async fn say_goodbye(mut sink: Sink, mut messages: Messages, over: Over) -> Option<Upgraded> {
    let (code, why) = match over {
        Over::Gone | Over::Closed => (None, ""),
        Over::Ended(status) => {
            let _ = sink.send(on(STATUS, status.to_string().as_bytes())).await;
            (Some(CloseCode::Normal), "")
        }
        Over::Broken(code, why) => (Some(code), why),
    };
    if let Some(code) = code {
        let reason = why.into();
        let close = Message::Close(Some(CloseFrame { code, reason }));
        let _ = sink.send(close).await;
        // Its answer, if the engine still reads.
        while let Some(Ok(_)) = messages.next().await {}
    }
    let mut io = sink.reunite(messages).ok()?.into_inner();
    let _ = io.shutdown().await;
    // Closed with bytes unread, the connection would be reset, and the last of the output lost.
    let _ = copy(&mut io, &mut tokio::io::sink()).await;
    Some(io)
}
