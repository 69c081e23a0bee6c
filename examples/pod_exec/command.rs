//! A command that runs: its outputs, and what it ended with.

use std::{
    future::pending,
    io,
    process::{ExitStatus, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, ChildStdin, Command},
};

use crate::{
    asked::Asked,
    channels::{STDERR, STDOUT},
    failure,
};

const CHUNK: usize = 32 << 10;

/// A command. Dropped before it ended, it is killed with all that it started.
pub(crate) struct Running {
    child: Child,
    stdout: Source,
    stderr: Source,
}

/// What comes of a command.
pub(crate) enum Piece<'a> {
    /// What it wrote, and on which channel that goes.
    Output(u8, &'a [u8]),
    /// How it ended, as a `Status`.
    Ended(Value),
}

impl Running {
    pub(crate) fn start(name: &str, arguments: &[&str], asked: &Asked) -> io::Result<Self> {
        let piped = |is| if is { Stdio::piped() } else { Stdio::null() };
        let mut command = Command::new(name);
        command
            .args(arguments)
            .stdin(piped(asked.stdin))
            .stdout(piped(asked.stdout))
            .stderr(piped(asked.stderr))
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let joined = match asked.tty && asked.stdout {
            true => join_outputs(&mut command)?,
            false => None,
        };
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().map(|open| Box::new(open) as Reader);
        let stderr = child.stderr.take().map(|open| Box::new(open) as Reader);
        Ok(Self {
            child,
            stdout: Source::new(joined.or(stdout)),
            stderr: Source::new(stderr),
        })
    }

    pub(crate) fn stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits for the next thing that it writes, and when that is all for its end.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has lost nothing.
    pub(crate) async fn next(&mut self) -> Piece<'_> {
        let is_over = self.stdout.has_ended() && self.stderr.has_ended();
        tokio::select! {
            data = self.stdout.read() => Piece::Output(STDOUT, data),
            data = self.stderr.read() => Piece::Output(STDERR, data),
            status = self.child.wait(), if is_over => Piece::Ended(outcome(status)),
        }
    }

    /// Lets it end by itself, and drops what it still writes.
    pub(crate) async fn finish(&mut self) -> Value {
        loop {
            if let Piece::Ended(status) = self.next().await {
                return status;
            }
        }
    }

    /// Kills it with all that it started, and waits until it is gone. That it ended before does not matter.
    pub(crate) async fn kill(mut self) {
        self.kill_group();
        let _ = self.child.kill().await;
    }

    /// What has ended and was waited for has no number any more, and that of another is not touched.
    #[cfg(unix)]
    fn kill_group(&self) {
        use rustix::process::{Pid, Signal, kill_process_group};

        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(leader) = id.and_then(Pid::from_raw) {
            // Fails if all of them have ended.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }

    #[cfg(not(unix))]
    fn kill_group(&self) {}
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_group();
    }
}

type Reader = Box<dyn AsyncRead + Send + Unpin>;

/// One of a command's outputs.
struct Source {
    from: Option<Reader>,
    buffer: Vec<u8>,
}

impl Source {
    fn new(from: Option<Reader>) -> Self {
        let buffer = vec![0; if from.is_some() { CHUNK } else { 0 }];
        Self { from, buffer }
    }

    fn has_ended(&self) -> bool {
        self.from.is_none()
    }

    /// Returns what came; nothing, once, at the end.
    async fn read(&mut self) -> &[u8] {
        let Some(from) = &mut self.from else {
            return pending().await;
        };
        let length = from.read(&mut self.buffer).await.unwrap_or(0);
        if length == 0 {
            self.from = None;
        }
        self.buffer.get(..length).unwrap_or_default()
    }
}

/// Makes one pipe of both outputs, so that what was written first arrives first, as from a terminal.
#[cfg(unix)]
fn join_outputs(command: &mut Command) -> io::Result<Option<Reader>> {
    let (writer, reader) = tokio::net::unix::pipe::pipe()?;
    let writer = writer.into_blocking_fd()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    Ok(Some(Box::new(reader)))
}

#[cfg(not(unix))]
fn join_outputs(_: &mut Command) -> io::Result<Option<Reader>> {
    Ok(None)
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
