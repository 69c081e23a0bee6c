//! A command's input and output over an upgraded connection.

use std::{
    future::pending,
    io,
    pin::pin,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, copy, sink, split},
    process::ChildStdin,
    time::{sleep, timeout},
};
use tower_upgrade::Upgraded;

use crate::process::Process;

/// How long a client from which nothing is read hears nothing before it is asked whether it is there.
const SILENCE: Duration = Duration::from_secs(2);
/// How long a client may take to end its half when it was told that all is over.
const LINGER: Duration = Duration::from_secs(5);
const CHUNK: usize = 32 << 10;
/// The length of a frame's header: the stream, three zeros, and the length in four bytes.
const HEADER: usize = 8;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;

/// Which of a command's streams go over the connection, and how.
#[derive(Clone, Copy)]
pub(crate) struct Streams {
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    /// What it writes to either arrives as one.
    pub(crate) tty: bool,
    /// Without frames.
    pub(crate) raw: bool,
}

impl Streams {
    pub(crate) const fn content_type(self) -> &'static str {
        if self.raw {
            "application/vnd.docker.raw-stream"
        } else {
            "application/vnd.docker.multiplexed-stream"
        }
    }
}

/// Connects a client and a command, until one of them has ended.
pub(crate) async fn serve(io: Upgraded, mut process: Process, streams: Streams) {
    let draining = io.draining();
    let (mut reader, mut writer) = split(io);
    let (stdin, stdout, stderr) = process.streams();
    let mut output = Output {
        stdout: Source::new(STDOUT, stdout),
        stderr: Source::new(STDERR, stderr),
        is_raw: streams.raw,
        is_unread: &AtomicBool::new(false),
    };
    let is_unread = output.is_unread;
    let ended = tokio::select! {
        ended = output.send(&mut writer, &mut process) => ended,
        () = input(&mut reader, stdin, draining, is_unread) => Err(gone()),
    };
    if ended.is_err() {
        return process.kill().await;
    }
    let _ = writer.shutdown().await;
    // Closed with input unread, the connection would be reset, and the last of the output lost.
    let _ = timeout(LINGER, copy(&mut reader, &mut sink())).await;
}

fn gone() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

/// Feeds the command, and is ready only when the client is known to be gone.
async fn input(
    reader: &mut ReadHalf<Upgraded>,
    mut stdin: Option<ChildStdin>,
    draining: impl Future<Output = ()>,
    is_unread: &AtomicBool,
) {
    let fed = tokio::select! {
        fed = feed(reader, &mut stdin, is_unread) => fed,
        // The way to say goodbye to a command.
        () = draining => {
            stdin = None;
            feed(reader, &mut None, is_unread).await
        }
    };
    drop(stdin);
    if fed.is_ok() {
        // An end of its half says nothing of the other.
        is_unread.store(true, Ordering::Relaxed);
        pending().await
    }
}

/// Feeds the command until the client ends its half.
async fn feed(
    reader: &mut ReadHalf<Upgraded>,
    stdin: &mut Option<ChildStdin>,
    is_unread: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        is_unread.store(false, Ordering::Relaxed);
        let length = reader.read(&mut buffer).await?;
        let Some(read @ [_, ..]) = buffer.get(..length) else {
            return Ok(());
        };
        if let Some(open) = stdin {
            // While the command takes no more, nobody would learn that the client is gone.
            is_unread.store(true, Ordering::Relaxed);
            // A command may end its input first; the rest is then read for nobody.
            if open.write_all(read).await.is_err() {
                *stdin = None;
            }
        }
    }
}

struct Output<'a, O, E> {
    stdout: Source<O>,
    stderr: Source<E>,
    is_raw: bool,
    /// Whether nothing is read from the client, so that its end would not be seen.
    is_unread: &'a AtomicBool,
}

impl<O: AsyncRead + Unpin, E: AsyncRead + Unpin> Output<'_, O, E> {
    /// Sends all there is until the command has ended, or fails where the client is gone.
    async fn send(
        &mut self,
        writer: &mut (impl AsyncWrite + Unpin),
        process: &mut Process,
    ) -> io::Result<()> {
        let header = if self.is_raw { HEADER } else { 0 };
        loop {
            let is_over = self.stdout.has_ended() && self.stderr.has_ended();
            let frame = tokio::select! {
                frame = self.stdout.frame() => frame?,
                frame = self.stderr.frame() => frame?,
                ended = process.ended(), if is_over => return ended,
                // Writing is then the one way to learn that it is gone. Raw, there is nothing that means nothing.
                () = sleep(SILENCE) => match self.is_unread.load(Ordering::Relaxed) {
                    true => &[STDOUT, 0, 0, 0, 0, 0, 0, 0],
                    false => continue,
                },
            };
            writer
                .write_all(frame.get(header..).unwrap_or_default())
                .await?;
            writer.flush().await?;
        }
    }
}

/// One of the command's two outputs.
struct Source<R> {
    stream: u8,
    from: Option<R>,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Source<R> {
    fn new(stream: u8, from: Option<R>) -> Self {
        let buffer = vec![0; HEADER + CHUNK];
        Self {
            stream,
            from,
            buffer,
        }
    }

    const fn has_ended(&self) -> bool {
        self.from.is_none()
    }

    /// Returns what came, in a frame; nothing, once, at the end.
    async fn frame(&mut self) -> io::Result<&[u8]> {
        let Some(from) = &mut self.from else {
            return pending().await;
        };
        let (header, content) = self.buffer.split_at_mut(HEADER);
        let length = pin!(from).read(content).await?;
        if length == 0 {
            self.from = None;
            return Ok(&[]);
        }
        let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        header.copy_from_slice(&[self.stream, 0, 0, 0, a, b, c, d]);
        Ok(self.buffer.get(..HEADER + length).unwrap_or_default())
    }
}
