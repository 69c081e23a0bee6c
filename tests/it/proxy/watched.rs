//! `Watched`: the proxy as a process, with what it writes to stderr.

use std::{env, net::SocketAddr, path::PathBuf, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, ChildStdout, Command},
};

use crate::process::{spawn, within};

/// It is killed when this goes.
pub(super) struct Watched {
    _child: Child,
    _stdout: Lines<BufReader<ChildStdout>>,
    stderr: Lines<BufReader<ChildStderr>>,
    pub(super) address: SocketAddr,
}

impl Watched {
    /// Starts it in front of these, the first of them asked first.
    pub(super) async fn before(upstreams: &[&str], args: &[&str]) -> Self {
        let mut command = program();
        command.args(["--listen", "127.0.0.1:0"]).args(args);
        command.args(upstreams.iter().flat_map(|url| ["--upstream", url]));
        let (mut child, stdout) = spawn(command.stderr(Stdio::piped()));
        let stderr = child.stderr.take().unwrap();
        let mut stdout = BufReader::new(stdout).lines();
        let first = within(30, "its address", stdout.next_line()).await;
        let first = first.unwrap().unwrap();
        Self {
            _child: child,
            _stdout: stdout,
            stderr: BufReader::new(stderr).lines(),
            address: first.rsplit('/').next().unwrap().parse().unwrap(),
        }
    }

    /// Returns the next line it complains with.
    pub(super) async fn complaint(&mut self) -> String {
        let line = within(30, "a line of stderr", self.stderr.next_line()).await;
        line.unwrap().unwrap()
    }
}

/// What it left behind.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs it to its end.
pub(super) async fn ran(args: &[&str]) -> Ran {
    let mut command = program();
    let output = command.args(args).kill_on_drop(true).output();
    let output = within(60, "its end", output).await.unwrap();
    Ran {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Examples lie beside the folder of the test's own executable.
fn program() -> Command {
    let test = env::current_exe().unwrap();
    let program: PathBuf = test.ancestors().nth(2).unwrap().join("examples/proxy");
    assert!(
        program.exists(),
        "run `cargo build --examples --all-features`"
    );
    Command::new(program)
}
