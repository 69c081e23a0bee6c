//! The channels of `kubectl exec`: a command's input, output and end over one WebSocket.
//!
//! ```text
//! cargo run --example pod_exec --features tungstenite -- [--addr 127.0.0.1:3008] [--allow-sh]
//! ```
//!
//! One route, `/api/v1/namespaces/default/pods/demo/exec?command=cat&stdin=true&stdout=true`, speaks the subprotocols
//! `v5.channel.k8s.io` and `v4.channel.k8s.io`. The first byte of a message is its channel:
//!
//! | | |
//! |--:|---|
//! | 0 | input; in v5 `[255, 0]` ends it |
//! | 1, 2 | output; an empty message at the start says that the command runs |
//! | 3 | a `Status` at the end: success, or the exit code |
//! | 4 | the size of a terminal, of which there is none: with `tty` all output is on 1, and that is all |
//!
//! A client of v4 has no word for the end of input alone: it closes, and the command may finish for nobody, for ten
//! seconds. A client that vanishes takes the command with it. A message on a channel that is not read here is
//! dropped; `[255, ..]` that names none is an error of the protocol.
//!
//! A client that offers `SPDY/3.1`, by POST, is told 426 with `Upgrade: websocket`, one that has neither subprotocol
//! 400: what they try next is up to them. The pod contains nothing, so that there is a list of commands: `cat`,
//! `wc`, `echo`, and with `--allow-sh` also `sh -c`, which is everything.

use std::{
    error::Error,
    future::pending,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, RawQuery},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::any,
};
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::{Child, ChildStdin, Command},
    time::{sleep, timeout},
};
use tower_upgrade::{
    Limit, Policy, UpgradeLayer, WebSocket as Offered,
    ws::{CloseFrame, Heartbeat, Message, WebSocket, WebSocketUpgrade, close_code},
};

const V5: &str = "v5.channel.k8s.io";
const V4: &str = "v4.channel.k8s.io";

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const STATUS: u8 = 3;
const RESIZE: u8 = 4;
const CLOSE: u8 = 255;

/// How long a client may take to read the last of it and answer the close, or a command to end behind it.
const LINGER: Duration = Duration::from_secs(10);
const CHUNK: usize = 32 << 10;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (mut addr, mut allow_sh) = ("127.0.0.1:3008".to_owned(), false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match (argument.as_str(), &mut arguments) {
            ("--addr", rest) => addr = rest.next().ok_or("--addr HOST:PORT")?,
            ("--allow-sh", _) => allow_sh = true,
            _ => return Err("usage: pod_exec [--addr HOST:PORT] [--allow-sh]".into()),
        }
    }
    let listener = TcpListener::bind(addr).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app(allow_sh)).await?;
    Ok(())
}

fn app(allow_sh: bool) -> Router {
    let channels = Offered::new().subprotocols([V5, V4]).require_subprotocol();
    let layer = UpgradeLayer::new(Policy::require(channels)).limit(Limit::total(64));
    let exec = async move |upgrade, path, query| exec(upgrade, path, query, allow_sh);
    let path = "/api/v1/namespaces/{namespace}/pods/{name}/exec";
    Router::new().route(path, any(exec).layer(layer))
}

fn exec(
    upgrade: WebSocketUpgrade,
    Path((namespace, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    allow_sh: bool,
) -> Response {
    if (namespace.as_str(), name.as_str()) != ("default", "demo") {
        return refuse(StatusCode::NOT_FOUND, "NotFound", "the pod is `demo`");
    }
    let Some(asked) = Asked::read(&query.unwrap_or_default()) else {
        return refuse(StatusCode::BAD_REQUEST, "BadRequest", "the query is broken");
    };
    if !(asked.stdin || asked.stdout || asked.stderr) {
        let why = "you must specify at least 1 of stdin, stdout, stderr";
        return refuse(StatusCode::BAD_REQUEST, "BadRequest", why);
    }
    let heartbeat = Heartbeat::every(Duration::from_secs(30));
    upgrade
        .max_message_size(1 << 20)
        .heartbeat(heartbeat)
        .on_upgrade(move |socket| serve(socket, asked, allow_sh))
}

fn refuse(status: StatusCode, reason: &str, message: &str) -> Response {
    let told = failure(status.as_u16(), reason, message);
    (status, Json(told)).into_response()
}

fn failure(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

/// What a client asks for in the query.
#[derive(Default)]
struct Asked {
    command: Vec<String>,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    tty: bool,
}

impl Asked {
    fn read(query: &str) -> Option<Self> {
        let mut asked = Self::default();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_set = matches!(value, "true" | "1");
            match key {
                "command" => asked.command.push(decoded(value)?),
                "stdin" => asked.stdin = is_set,
                "stdout" => asked.stdout = is_set,
                "stderr" => asked.stderr = is_set,
                "tty" => asked.tty = is_set,
                _ => {}
            }
        }
        Some(asked)
    }

    /// Starts the command, if it is on the list. None of them opens a file by what it is told, but the shell.
    fn spawn(&self, allow_sh: bool) -> Result<Child, Value> {
        let words: Vec<_> = self.command.iter().map(String::as_str).collect();
        let counts = |flag: &&str| matches!(*flag, "-c" | "-l" | "-m" | "-w");
        let is_allowed = match words.as_slice() {
            ["cat"] | ["echo", ..] => true,
            ["wc", flags @ ..] => flags.iter().all(counts),
            ["sh", "-c", _] => allow_sh,
            _ => false,
        };
        let Some((name, arguments)) = words.split_first().filter(|_| is_allowed) else {
            let why = format!("{:?} is not on the list of commands", words.join(" "));
            return Err(failure(403, "Forbidden", &why));
        };
        let piped = |is| if is { Stdio::piped() } else { Stdio::null() };
        let is_both = self.tty && self.stdout;
        let mut command = Command::new(name);
        #[cfg(unix)]
        command.process_group(0);
        command
            .args(arguments)
            .stdin(piped(self.stdin))
            .stdout(piped(self.stdout))
            .stderr(piped(self.stderr || is_both))
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| failure(500, "InternalError", &error.to_string()))
    }
}

/// Undoes the escapes of a query.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => u8::try_from(digit()? << 4 | digit()?).ok()?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}

/// Connects a client and a command, until one of them has ended.
async fn serve(socket: WebSocket, asked: Asked, allow_sh: bool) {
    let has_close = socket.protocol().is_some_and(|name| name == V5);
    let (mut sink, mut messages) = socket.split();
    let ended = match asked.spawn(allow_sh) {
        Ok(mut child) => {
            let stdin = child.stdin.take();
            tokio::select! {
                status = output(&mut sink, &mut child, &asked) => Ok(status),
                over = input(&mut messages, stdin, has_close) => {
                    kill(&mut child).await;
                    Err(over)
                }
            }
        }
        Err(forbidden) => Ok(forbidden),
    };
    let part = async {
        match ended {
            Ok(status) => {
                let _ = sink.send(on(STATUS, status.to_string().as_bytes())).await;
                let _ = sink.send(goodbye(close_code::NORMAL, "")).await;
            }
            Err(Over::Gone) => return,
            Err(Over::Broken(why)) => {
                let _ = sink.send(goodbye(close_code::PROTOCOL, why)).await;
            }
        }
        // Closed with messages unread, the connection would be reset, and the last of the output lost.
        while let Some(Ok(_)) = messages.next().await {}
    };
    let _ = timeout(LINGER, part).await;
}

/// Why all ends before the command does.
enum Over {
    /// The client is not there.
    Gone,
    /// It broke the protocol.
    Broken(&'static str),
}

/// Feeds the command, and is ready only when the client is gone or makes no sense.
async fn input(
    messages: &mut (impl StreamExt<Item = Result<Message, axum::Error>> + Unpin),
    mut stdin: Option<ChildStdin>,
    has_close: bool,
) -> Over {
    let mut has_closed = false;
    // Read to the end, for the engine answers a close when it is asked for more.
    while let Some(Ok(message)) = messages.next().await {
        let message = match message {
            // Python's client sends text as text.
            Message::Binary(_) | Message::Text(_) => message.into_data(),
            Message::Close(_) => {
                // What the command was told, it may finish.
                (stdin, has_closed) = (None, true);
                continue;
            }
            _ => continue,
        };
        match *message {
            [STDIN, ref data @ ..] => feed(&mut stdin, data).await,
            [CLOSE, STDIN] if has_close => stdin = None,
            [CLOSE, STDOUT..=RESIZE] if has_close => {}
            [CLOSE, ..] if has_close => return Over::Broken("no channel to close"),
            _ => {}
        }
    }
    if has_closed {
        sleep(LINGER).await;
    }
    Over::Gone
}

async fn feed(stdin: &mut Option<ChildStdin>, data: &[u8]) {
    if let Some(open) = stdin {
        // A command may end its input first; the rest is then read for nobody.
        if open.write_all(data).await.is_err() {
            *stdin = None;
        }
    }
}

type Sink = SplitSink<WebSocket, Message>;

/// Sends all there is, and says what the command ended with.
///
/// What cannot be sent is dropped: whether the client is gone, who reads from it knows.
async fn output(sink: &mut Sink, child: &mut Child, asked: &Asked) -> Value {
    let error = if asked.tty { STDOUT } else { STDERR };
    let first = match (asked.stdout, asked.stderr) {
        (true, _) => STDOUT,
        (false, true) => STDERR,
        (false, false) => STATUS,
    };
    let _ = sink.send(on(first, &[])).await;
    let (mut stdout, mut stderr) = (child.stdout.take(), child.stderr.take());
    let mut buffers = (vec![0; CHUNK], vec![0; CHUNK]);
    loop {
        let is_over = stdout.is_none() && stderr.is_none();
        let message = tokio::select! {
            data = next(&mut stdout, &mut buffers.0) => on(STDOUT, data),
            data = next(&mut stderr, &mut buffers.1) => on(error, data),
            status = child.wait(), if is_over => return outcome(status),
        };
        // An empty one is the end of that output, of which the client is told by the status.
        if !matches!(&message, Message::Binary(bytes) if bytes.len() == 1) {
            let _ = sink.send(message).await;
        }
    }
}

/// Returns what came; nothing, once, at the end.
async fn next<'a>(from: &mut Option<impl AsyncRead + Unpin>, buffer: &'a mut [u8]) -> &'a [u8] {
    let Some(open) = from else {
        return pending().await;
    };
    let length = open.read(buffer).await.unwrap_or(0);
    if length == 0 {
        *from = None;
    }
    buffer.get(..length).unwrap_or_default()
}

fn on(channel: u8, data: &[u8]) -> Message {
    Message::binary([&[channel], data].concat())
}

fn goodbye(code: u16, reason: &'static str) -> Message {
    let reason = reason.into();
    Message::Close(Some(CloseFrame { code, reason }))
}

/// Says what a command ended with.
fn outcome(status: io::Result<ExitStatus>) -> Value {
    let status = match status {
        Ok(status) if status.success() => {
            return json!({ "metadata": {}, "status": "Success" });
        }
        Ok(status) => status,
        Err(error) => return failure(500, "InternalError", &error.to_string()),
    };
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status).unwrap_or(0);
    #[cfg(not(unix))]
    let signal = 0;
    let code = status.code().unwrap_or(128 + signal).to_string();
    json!({
        "metadata": {}, "status": "Failure", "reason": "NonZeroExitCode",
        "message": format!("command terminated with non-zero exit code: exit status {code}"),
        "details": { "causes": [{ "reason": "ExitCode", "message": code }] },
    })
}

/// Ends a command with all that it started, and waits until it is gone.
async fn kill(child: &mut Child) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process_group};

        let id = child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = id.and_then(Pid::from_raw) {
            // Fails if all of them have ended.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
    let _ = child.kill().await;
}
