//! A command that runs, and that nobody has to remember to end.

use std::{
    io,
    process::{ExitStatus, Stdio},
};

use tokio::{
    io::AsyncRead,
    process::{Child, ChildStdin, Command},
};

use crate::stream::Streams;

/// What a command that was killed ended with.
const KILLED: i32 = 128 + 9;

/// A command. Dropped before it ended, it is killed with all that it started.
pub(crate) struct Process {
    child: Child,
    /// Both outputs in one, if it has that.
    joined: Option<Reader>,
    ended: Option<Box<dyn FnOnce(i32) + Send>>,
}

impl Process {
    /// Starts a command; `ended` is told, once, what it ended with.
    pub(crate) fn spawn(
        command: &[String],
        streams: Streams,
        ended: impl FnOnce(i32) + Send + 'static,
    ) -> io::Result<Self> {
        let (name, arguments) = command
            .split_first()
            .ok_or_else(|| io::Error::other("it has no name"))?;
        let piped = |is| if is { Stdio::piped() } else { Stdio::null() };
        let mut command = Command::new(name);
        command
            .args(arguments)
            .stdin(piped(streams.stdin))
            .stdout(piped(streams.stdout))
            .stderr(piped(streams.stderr))
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let joined = match streams.tty && streams.stdout {
            true => join_outputs(&mut command)?,
            false => None,
        };
        Ok(Self {
            child: command.spawn()?,
            joined,
            ended: Some(Box::new(ended)),
        })
    }

    /// Gives its input and its two outputs, each once.
    pub(crate) fn streams(&mut self) -> (Option<ChildStdin>, Option<Reader>, Option<Reader>) {
        let child = &mut self.child;
        let stdout = child.stdout.take().map(|open| Box::new(open) as Reader);
        let stderr = child.stderr.take().map(|open| Box::new(open) as Reader);
        (child.stdin.take(), self.joined.take().or(stdout), stderr)
    }

    /// Waits until it ends by itself.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has lost nothing.
    pub(crate) async fn ended(&mut self) -> io::Result<()> {
        let status = self.child.wait().await?;
        self.tell(exit_code(status));
        Ok(())
    }

    /// Kills it with all that it started, and waits until it is gone.
    pub(crate) async fn kill(mut self) {
        self.start_kill();
        // Where it cannot be waited for, dropping it tells what it should have ended with.
        let _ = self.ended().await;
    }

    fn start_kill(&mut self) {
        // It has no id any more when it was waited for.
        #[cfg(unix)]
        if let Some(id) = self.child.id() {
            kill_group(id);
        }
        #[cfg(not(unix))]
        let _ = self.child.start_kill();
    }

    fn tell(&mut self, code: i32) {
        if let Some(ended) = self.ended.take() {
            ended(code);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.start_kill();
        self.tell(KILLED);
    }
}

pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;

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

#[cfg(unix)]
fn kill_group(leader: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};

    let leader = i32::try_from(leader).ok().and_then(Pid::from_raw);
    if let Some(leader) = leader {
        // Fails if all of them have ended.
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

/// As a shell says it.
fn exit_code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    let signal = std::os::unix::process::ExitStatusExt::signal(&status);
    #[cfg(not(unix))]
    let signal = None;
    status
        .code()
        .or_else(|| signal.map(|signal: i32| 128 + signal))
        .unwrap_or(KILLED)
}
