//! The channels, over a WebSocket.

use std::{error::Error as _, time::Duration};

use axum::{Error, body::Bytes};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::Value;
use tokio::{
    io::AsyncWriteExt,
    process::ChildStdin,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tokio_tungstenite::tungstenite;
use tower_upgrade::ws::{CloseFrame, Heartbeat, Message, WebSocket, WebSocketUpgrade, close_code};

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
/// How often a client is pinged, and half of how long it may be silent: as `kubectl` itself has it.
const PING: Duration = Duration::from_secs(5);
const SILENCE: Duration = Duration::from_secs(30);
/// How long a client may take to make room for the status, or a command to end when its client has closed.
const LINGER: Duration = Duration::from_secs(10);
/// How long what came before a connection was lost is still read.
const MOMENT: Duration = Duration::from_secs(1);

type Sink = SplitSink<WebSocket, Message>;
type Messages = SplitStream<WebSocket>;

/// Why all ends.
enum Over {
    /// The command has ended, or was not started.
    Ended(Value),
    /// The client has closed, which was answered.
    Closed,
    /// The client is not there.
    Gone,
    /// It broke the protocol of WebSocket, or was given up.
    Failed(Error),
    /// It broke that of the channels.
    Broken(&'static str),
}

pub(crate) fn bounded(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(32 << 10)
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .heartbeat(Heartbeat::every(SILENCE))
}

/// Connects a client and a command, until one of them has ended.
pub(crate) async fn serve(socket: WebSocket, asked: Asked, allow_sh: bool) {
    let has_close = socket.protocol().is_some_and(|name| name == V5);
    let mut command = match asked.start(allow_sh) {
        Ok(command) => command,
        Err(forbidden) => return drop(part(socket, Over::Ended(forbidden)).await),
    };
    let stdin = command.stdin();
    let (mut sink, mut messages) = socket.split();
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
    let Ok(socket) = sink.reunite(messages) else {
        return end.await;
    };
    // The connection has the permit, which is given back when the command is gone too.
    let (_socket, ()) = tokio::join!(part(socket, over), end);
}

/// Feeds the command, until the client is gone or makes no sense.
async fn input(messages: &mut Messages, mut stdin: Option<ChildStdin>, has_close: bool) -> Over {
    let mut over = Over::Gone;
    while let Some(message) = messages.next().await {
        let message = match message {
            Ok(Message::Binary(message)) => message,
            // Python's client sends text as text.
            Ok(Message::Text(message)) => message.into(),
            Ok(Message::Close(_)) => {
                // And on to the end, for the answer may have to wait for room.
                (stdin, over) = (None, Over::Closed);
                continue;
            }
            Ok(_) => continue,
            Err(_) if matches!(over, Over::Closed) => return over,
            Err(error) => return Over::Failed(error),
        };
        match *message {
            [STDIN, ref data @ ..] => feed(&mut stdin, data).await,
            [CLOSE, STDIN] if has_close => stdin = None,
            [CLOSE, STDOUT..=RESIZE] if has_close => {}
            [CLOSE, ..] if has_close => return Over::Broken("no channel to close"),
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

/// Sends all there is, until the command has ended or the client is gone.
async fn output(sink: &mut Sink, command: &mut Running, asked: &Asked) -> Over {
    // The socket's own needs somebody who reads, and the command may take no more input.
    let mut heartbeat = interval_at(Instant::now() + PING, PING);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let first = match (asked.stdout, asked.stderr) {
        (true, _) => STDOUT,
        (false, true) => STDERR,
        (false, false) => STATUS,
    };
    let mut message = Some(on(first, &[]));
    loop {
        if let Some(message) = message.take() {
            let sent = sink.send(message).await;
            // Other errors tell that the client has closed, or is told what it did.
            if sent.is_err_and(|error| is_lost(&error)) {
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

fn is_lost(error: &Error) -> bool {
    let source = error.source().and_then(|source| source.downcast_ref());
    matches!(source, Some(tungstenite::Error::Io(_)))
}

fn on(channel: u8, data: &[u8]) -> Message {
    Message::binary([&[channel], data].concat())
}

/// Tells the client how it ended, and ends the connection so that it can read that.
async fn part(mut socket: WebSocket, over: Over) -> WebSocket {
    let (code, why) = match over {
        Over::Gone => return socket,
        Over::Failed(error) => {
            socket.fail(&error).await;
            return socket;
        }
        Over::Ended(status) => {
            let status = on(STATUS, status.to_string().as_bytes());
            if timeout(LINGER, socket.feed(status)).await.is_err() {
                return socket;
            }
            (close_code::NORMAL, "")
        }
        Over::Closed => (close_code::NORMAL, ""),
        Over::Broken(why) => (close_code::PROTOCOL, why),
    };
    let reason = why.into();
    socket.close_with(CloseFrame { code, reason }).await;
    socket
}
