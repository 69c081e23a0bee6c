//! Programs that a test starts: the examples it tests and the clients it tests them with.
//!
//! Each is killed, by its id, when its handle goes, and nothing is waited for without a bound.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

/// An example that listens on a port of its own.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    base: String,
    said: JoinHandle<Vec<String>>,
}

impl Server {
    pub(crate) async fn gallery(args: &[&str]) -> Self {
        Self::listening("gallery", args).await
    }

    pub(crate) async fn chat(args: &[&str]) -> Self {
        Self::listening("chat", args).await
    }

    pub(crate) async fn graceful() -> Self {
        Self::listening("graceful", &[]).await
    }

    pub(crate) async fn connect_udp(args: &[&str]) -> Self {
        Self::listening("connect_udp", args).await
    }

    pub(crate) async fn container_exec(args: &[&str]) -> Self {
        Self::listening("container_exec", args).await
    }

    pub(crate) async fn pod_exec(args: &[&str]) -> Self {
        Self::listening("pod_exec", args).await
    }

    pub(crate) async fn tls_upgrade() -> Self {
        Self::listening("tls_upgrade", &[]).await
    }

    /// The same on a port that was chosen, and more arguments.
    pub(crate) async fn graceful_on(port: u16, args: &[&str]) -> Self {
        let addr = format!("127.0.0.1:{port}");
        Self::started("graceful", ["--addr", &addr], args).await
    }

    pub(crate) async fn proxy(args: &[&str]) -> Self {
        Self::started("proxy", ["--listen", "127.0.0.1:0"], args).await
    }

    async fn listening(name: &str, args: &[&str]) -> Self {
        Self::started(name, ["--addr", "127.0.0.1:0"], args).await
    }

    async fn started(name: &str, at: [&str; 2], args: &[&str]) -> Self {
        let program = example(name);
        let mut command = Command::new(&program);
        command.args(at).args(args);
        let (child, stdout) = spawn(&mut command);
        let mut lines = BufReader::new(stdout).lines();
        let first = within(30, "the first line of the example", lines.next_line()).await;
        let first = first.expect("stdout is UTF-8").unwrap_or_default();
        let base = first
            .strip_prefix("listening on ")
            .unwrap_or_else(|| panic!("{name} said {first:?} and not where it listens"))
            .trim_end_matches('/')
            .to_owned();
        Self {
            child,
            base,
            said: drain(lines),
        }
    }

    /// Sends it a signal, `TERM` or `INT`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it still runs");
        // A shell has `kill`; a machine may have no other.
        let kill = format!("kill -{name} {id}");
        let finished = run(Command::new("sh").args(["-c", &kill])).await;
        assert!(finished.success, "{kill}: {}", finished.stderr);
    }

    /// Waits until it ends by itself, and returns its exit code and the last line it wrote.
    pub(crate) async fn end(self) -> (Option<i32>, String) {
        let (code, mut said) = self.end_with_all().await;
        (code, said.pop().unwrap_or_default())
    }

    /// The same, with all it wrote since it listened.
    pub(crate) async fn end_with_all(mut self) -> (Option<i32>, Vec<String>) {
        let status = within(30, "the end of the example", self.child.wait()).await;
        let said = within(30, "the rest of its output", self.said).await;
        let status = status.expect("it can be waited for");
        (status.code(), said.expect("nobody aborts that"))
    }

    /// Returns the port it listens on.
    pub(crate) fn port(&self) -> u16 {
        let port = self.base.rsplit(':').next().map(str::parse);
        port.expect("an address has a colon").expect("a port")
    }

    /// Returns the address of a path with the scheme that the server named.
    pub(crate) fn http(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Returns the address of a path as a WebSocket client writes it.
    pub(crate) fn ws(&self, path: &str) -> String {
        self.http(path).replacen("http", "ws", 1)
    }
}

/// What a program that ended left behind.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program to its end, within 60 seconds.
pub(crate) async fn run(command: &mut Command) -> Finished {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = start(command);
    // Silent, but open: wscat hangs up when its input ends.
    let _stdin = child.stdin.take();
    let output = within(60, "the end of a program", child.wait_with_output()).await;
    let output = output.expect("the output can be read");
    Finished {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Starts a program and gives what it writes.
pub(crate) fn spawn(command: &mut Command) -> (Child, ChildStdout) {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut child = start(command);
    let stdout = child.stdout.take().expect("stdout is piped");
    (child, stdout)
}

fn start(command: &mut Command) -> Child {
    command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"))
}

/// Reads on, so that a talkative program neither blocks nor meets a closed pipe.
pub(crate) fn drain(mut lines: Lines<BufReader<ChildStdout>>) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut read = Vec::new();
        while let Ok(Some(line)) = lines.next_line().await {
            read.push(line);
        }
        read
    })
}

/// Awaits no longer than so many seconds.
#[track_caller]
pub(crate) fn within<F: Future>(
    seconds: u64,
    what: &str,
    future: F,
) -> impl Future<Output = F::Output> {
    let at = std::panic::Location::caller();
    let timeout = tokio::time::timeout(Duration::from_secs(seconds), future);
    async move {
        timeout
            .await
            .unwrap_or_else(|_| panic!("{what} did not come in {seconds} s ({at})"))
    }
}

/// A program that `.ci/install` puts under `target/clients`.
pub(crate) fn client(path: &str) -> Command {
    let program = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("target/clients")
        .join(path);
    assert!(
        program.exists(),
        "{} is not there: run .ci/install",
        program.display()
    );
    Command::new(program)
}

/// Examples lie beside the folder of the test's own executable.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own path");
    let profile = test
        .ancestors()
        .nth(2)
        .expect("tests lie in target/<profile>/deps");
    let program = profile.join("examples").join(name);
    assert!(
        program.exists(),
        "{} is not there: run `cargo build --examples --all-features`, as `cargo test` does",
        program.display()
    );
    program
}
