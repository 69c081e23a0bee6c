//! The server as a process: what it says, and what the kernel says of it.

use std::{env, fs, net::SocketAddr, process::Stdio};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{self, ChildStdin, ChildStdout, Command},
};

use crate::server::{IS_SERVER, State};

/// Is killed, by its id, when the handle goes.
pub(crate) struct Child {
    pub(crate) address: SocketAddr,
    process: process::Child,
    stdin: ChildStdin,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Child {
    pub(crate) async fn start() -> Self {
        let program = env::current_exe().expect("a test knows its own path");
        let mut process = Command::new(program)
            .args(["--exact", "server::server", "--ignored", "--nocapture"])
            .env(IS_SERVER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("it starts");
        let stdin = process.stdin.take().expect("it is piped");
        let stdout = process.stdout.take().expect("it is piped");
        let mut stdout = BufReader::new(stdout).lines();
        let address = told(&mut stdout, "listening on ").await;
        Self {
            address: address.parse().expect("it tells an address"),
            process,
            stdin,
            stdout,
        }
    }

    /// Asks what it holds.
    pub(crate) async fn state(&mut self) -> State {
        self.say("state\n").await;
        let state = told(&mut self.stdout, "{").await;
        serde_json::from_str(&format!("{{{state}")).expect("it tells its state")
    }

    /// Tells it to end.
    pub(crate) async fn stop(&mut self) {
        self.say("stop\n").await;
    }

    /// Waits until it has ended, and returns its report.
    pub(crate) async fn end(mut self) -> String {
        let report = told(&mut self.stdout, "drained in ").await;
        let status = self.process.wait().await.expect("it can be waited for");
        assert!(status.success(), "{status}");
        report
    }

    async fn say(&mut self, line: &str) {
        let said = self.stdin.write_all(line.as_bytes()).await;
        said.expect("it listens");
    }

    /// How much memory it takes, in KiB.
    pub(crate) fn resident(&self) -> usize {
        let status = fs::read_to_string(self.proc("status")).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let size = line.and_then(|line| line.trim().strip_suffix(" kB"));
        let size = size.and_then(|size| size.parse().ok());
        size.unwrap_or_else(|| panic!("no VmRSS in {status}"))
    }

    /// How many files it has open, sockets included.
    pub(crate) fn files(&self) -> usize {
        fs::read_dir(self.proc("fd")).expect("it runs").count()
    }

    fn proc(&self, file: &str) -> String {
        let id = self.process.id().expect("it was not waited for");
        format!("/proc/{id}/{file}")
    }
}

/// Reads until a line begins so, and returns the rest of that: the harness talks too.
async fn told(lines: &mut Lines<BufReader<ChildStdout>>, prefix: &str) -> String {
    loop {
        let line = lines.next_line().await.expect("it is text");
        let line = line.unwrap_or_else(|| panic!("it ended without {prefix:?}"));
        if let Some(rest) = line.strip_prefix(prefix) {
            return rest.to_owned();
        }
    }
}
