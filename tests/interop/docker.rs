//! Docker's own client, `docker exec` and `docker attach`, against the example `container_exec`.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::Command;

use crate::it::wire::{Client, Request};
use crate::process::{Server, run, spawn, within};

/// What is sent to `cat` comes back, to the last byte of ten megabytes, after the input has ended.
#[tokio::test]
#[ignore = "needs docker: .ci/install"]
async fn ten_megabytes_come_back() {
    let server = Server::container_exec(&[]).await;
    // No period that a lost or doubled chunk could hide in.
    let next = |seed: &mut u64| {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        Some(seed.to_be_bytes()[0])
    };
    let bytes: Vec<u8> = std::iter::repeat_n((), 10_000_000)
        .scan(1, |seed, ()| next(seed))
        .collect();
    let finished = docker(&server, &["exec", "-i", "demo", "cat"], &bytes).await;
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    assert_eq!(finished.stdout.len(), bytes.len());
    assert!(finished.stdout == bytes, "other bytes of the same number");
    // Input that the command does not read takes nothing away from its output.
    let finished = docker(&server, &["exec", "-i", "demo", "echo", "hello"], &bytes).await;
    finished.is(0, "hello\n", "");
}

/// Output, errors and exit codes are those of the command.
#[tokio::test]
#[ignore = "needs docker: .ci/install"]
async fn a_command_runs_as_if_it_were_here() {
    let server = Server::container_exec(&["--allow-sh"]).await;
    let sh = |script| ["exec", "-i", "demo", "sh", "-c", script];
    let run = async |args: &[&str]| docker(&server, args, b"").await;
    run(&["exec", "demo", "echo", "hello"])
        .await
        .is(0, "hello\n", "");
    run(&sh("echo a; echo b >&2")).await.is(0, "a\n", "b\n");
    run(&sh("exit 7")).await.is(7, "", "");
    run(&sh("kill -KILL $$")).await.is(137, "", "");
    run(&["exec", "-t", "demo", "sh", "-c", "echo a"])
        .await
        .is(0, "a\n", "");
    // Longer than the server waits until it asks whether somebody is there.
    run(&sh("cat; sleep 5; echo late"))
        .await
        .is(0, "late\n", "");
}

/// A client in a terminal tells its size, and need not complain about the answer.
#[tokio::test]
#[ignore = "needs docker: .ci/install"]
async fn a_terminal_has_a_size() {
    let server = Server::container_exec(&["--allow-sh"]).await;
    let address = server.http("").replacen("http", "tcp", 1);
    // It tries several times, and says after a while that it failed.
    let exec = format!("docker -H {address} exec -it demo sh -c 'sleep 2; echo a; echo b >&2'");
    let mut script = Command::new("script");
    let in_terminal = format!("stty rows 24 cols 80; {exec}");
    script.args(["-qec", &in_terminal, "/dev/null"]);
    let finished = run(without_settings(&mut script)).await;
    assert!(finished.success, "{finished:?}");
    assert_eq!(finished.stdout, "a\nb\n", "{finished:?}");
}

/// `attach` speaks to the container's own command, and exits as it does.
#[tokio::test]
#[ignore = "needs docker: .ci/install"]
async fn the_container_is_attached_to() {
    let server = Server::container_exec(&["--allow-sh"]).await;
    let script = b"echo hello; echo not >&2; exit 5";
    let finished = docker(&server, &["attach", "demo"], script).await;
    finished.is(5, "hello\n", "not\n");
    let server = Server::container_exec(&[]).await;
    let finished = docker(&server, &["attach", "demo"], b"to cat").await;
    finished.is(0, "to cat", "");
}

/// Who is refused reads why, and exits with an error.
#[tokio::test]
#[ignore = "needs docker: .ci/install"]
async fn refusals_are_shown() {
    let server = Server::container_exec(&["--limit", "0"]).await;
    for (args, why) in [
        // The upgrade itself, over a limit.
        (
            &["exec", "demo", "echo"][..],
            "unable to upgrade to tcp, received 503",
        ),
        (
            &["attach", "demo"],
            "unable to upgrade to tcp, received 503",
        ),
        // No upgrade at all.
        (
            &["exec", "-d", "demo", "echo"],
            "send `Upgrade` and `Connection: upgrade`",
        ),
        (&["exec", "demo", "ls", "/"], "\"ls /\": not allowed here"),
        (&["exec", "demo", "sh", "-c", "true"], "not allowed here"),
        (
            &["exec", "-u", "root", "demo", "cat"],
            "commands run here as they are",
        ),
        (&["exec", "other", "cat"], "No such container: other"),
        (&["attach", "other"], "No such container: other"),
    ] {
        let finished = docker(&server, args, b"").await;
        assert_eq!(finished.code, Some(1), "{args:?}: {finished:?}");
        assert!(finished.stderr.contains(why), "{args:?}: {finished:?}");
        assert!(finished.stdout.is_empty(), "{args:?}: {finished:?}");
    }
}

/// Who kills the client ends the command, and what that has started.
#[tokio::test]
#[ignore = "needs docker: .ci/install"]
async fn the_command_ends_with_the_client() {
    let server = Server::container_exec(&["--allow-sh"]).await;
    // Without input the client ends its half at once.
    for args in [&["exec", "-i"][..], &["exec"]] {
        let script = "sleep 1000 & echo $!; wait";
        let mut command = client(&server);
        command.args(args).args(["demo", "sh", "-c", script]);
        let (mut child, stdout) = spawn(&mut command);
        let mut lines = BufReader::new(stdout).lines();
        let process = within(30, "the command's first line", lines.next_line()).await;
        let process = process.expect("it is UTF-8").expect("a line");
        assert!(is_alive(&process), "{process}");
        child.kill().await.expect("it still runs");
        let gone = async {
            while is_alive(&process) {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        };
        within(60, "the end of the command", gone).await;
    }
    for id in ["1", "2"] {
        assert_eq!(exit_code(&server, id).await, 137, "{id}");
    }
}

#[derive(Debug)]
struct Finished {
    code: Option<i32>,
    stdout: Vec<u8>,
    stderr: String,
}

impl Finished {
    #[track_caller]
    fn is(&self, code: i32, stdout: &str, stderr: &str) {
        let seen = (self.code, self.stdout.as_slice(), self.stderr.as_str());
        assert_eq!(seen, (Some(code), stdout.as_bytes(), stderr), "{self:?}");
    }
}

/// Runs Docker's client with this input to its end.
async fn docker(server: &Server, args: &[&str], input: &[u8]) -> Finished {
    let mut command = client(server);
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("docker is there: .ci/install");
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let fed = async move {
        // A client that was refused reads nothing.
        let _ = stdin.write_all(input).await;
    };
    let ended = futures_util::future::join(fed, child.wait_with_output());
    let ((), output) = within(60, "the end of docker", ended).await;
    let output = output.expect("its output can be read");
    Finished {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn client(server: &Server) -> Command {
    let address = server.http("").replacen("http", "tcp", 1);
    let mut command = Command::new("docker");
    command.args(["-H", &address]).kill_on_drop(true);
    without_settings(&mut command);
    command
}

/// Leaves out whatever the machine's user has set.
fn without_settings(command: &mut Command) -> &mut Command {
    for name in [
        "DOCKER_CONTEXT",
        "DOCKER_HOST",
        "DOCKER_TLS",
        "DOCKER_TLS_VERIFY",
        "DOCKER_API_VERSION",
    ] {
        command.env_remove(name);
    }
    let nowhere = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("no-docker-config");
    command.env("DOCKER_CONFIG", nowhere)
}

/// Whether it runs: who has ended and was not waited for does not.
fn is_alive(process: &str) -> bool {
    let told = std::fs::read_to_string(format!("/proc/{process}/stat"));
    told.is_ok_and(|told| !told.contains(") Z "))
}

/// What an exec ended with, by the number it was given.
async fn exit_code(server: &Server, id: &str) -> i64 {
    let address = format!("127.0.0.1:{}", server.port());
    let request = Request::get(&format!("/exec/{id}/json"));
    let ended = async {
        loop {
            let mut client = Client::connect(address.parse().expect("an address")).await;
            let answer = client.ask(&request).await;
            let told: Value = serde_json::from_str(&answer.content).expect("JSON");
            if let Some(code) = told.get("ExitCode").and_then(Value::as_i64) {
                return code;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    within(30, "an exit code", ended).await
}
