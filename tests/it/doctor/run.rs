//! Running the doctor, and reading what it says.

use std::{env, path::PathBuf, process::Stdio};

use serde_json::Value;
use tokio::process::Command;

use crate::process::within;

/// What it said to machines.
#[derive(Debug)]
pub(crate) struct Told {
    json: Value,
}

/// Runs it with `--json`, and checks that its exit code is the one it says.
pub(crate) async fn doctor(args: &[&str]) -> Told {
    doctor_with(args, &[]).await
}

/// The same with variables in its environment.
pub(crate) async fn doctor_with(args: &[&str], variables: &[(&str, &str)]) -> Told {
    let ran = run(&[args, &["--json"]].concat(), variables).await;
    let json: Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{args:?}: {error}: {ran:?}"));
    assert_eq!(json["exit"], ran.code, "{args:?}: {ran:?}");
    Told { json }
}

/// What it left behind.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs it to its end.
pub(crate) async fn run(args: &[&str], variables: &[(&str, &str)]) -> Ran {
    let child = command(args)
        .envs(variables.iter().copied())
        .spawn()
        .expect("the doctor starts");
    let output = within(60, "the doctor's end", child.wait_with_output()).await;
    let output = output.expect("its output can be read");
    Ran {
        code: output.status.code().expect("it ends by itself"),
        stdout: String::from_utf8(output.stdout).expect("it writes text"),
        stderr: String::from_utf8(output.stderr).expect("it writes text"),
    }
}

/// Returns it ready to be started.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Examples lie beside the folder of the test's own executable.
fn program() -> PathBuf {
    let test = env::current_exe().expect("a test knows its own path");
    let profile = test.ancestors().nth(2);
    let profile = profile.expect("tests lie in target/<profile>/deps");
    let program = profile.join("examples/doctor");
    assert!(
        program.exists(),
        "{} is not there: run `cargo build --examples --all-features`, as `cargo test` does",
        program.display()
    );
    program
}

impl Told {
    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn exits(&self, code: u8) -> &Self {
        assert_eq!(self.json["exit"], code, "{:#}", self.json);
        self
    }

    /// Checks that this is all it found beyond what is as it should be: level and id, of this hop.
    #[track_caller]
    pub(crate) fn finds(&self, hop: usize, expected: &[(&str, &str)]) -> &Self {
        let found: Vec<_> = self
            .findings(hop)
            .map(|finding| (text(finding, "level"), text(finding, "id")))
            .filter(|(level, _)| *level != "ok")
            .collect();
        assert_eq!(found, expected, "{:#}", self.json);
        self
    }

    /// Checks that these checks, among others, found all as it should be.
    #[track_caller]
    pub(crate) fn is_fine_with(&self, ids: &[&str]) -> &Self {
        for id in ids {
            let finding = self.finding(0, id);
            assert_eq!(finding["level"], "ok", "{finding:#}");
        }
        self
    }

    /// Checks that this and nothing else is to blame: hop and id.
    #[track_caller]
    pub(crate) fn blames(&self, expected: &[(usize, &str)]) -> &Self {
        let by = self.json["broken_by"].as_array().expect("a list");
        let by: Vec<_> = by.iter().map(|by| (hop_of(by), text(by, "id"))).collect();
        assert_eq!(by, expected, "{:#}", self.json);
        self
    }

    /// Checks that a finding has this line for this proxy.
    #[track_caller]
    pub(crate) fn is_mended_by(&self, hop: usize, id: &str, proxy: &str, line: &str) -> &Self {
        let remedies = self.remedies(hop, id);
        let has = remedies
            .iter()
            .any(|(name, lines)| name == proxy && lines.iter().any(|l| l == line));
        assert!(has, "no {line:?} of {proxy} in {remedies:#?}");
        self
    }

    /// Checks that a finding has lines for these proxies and no other.
    #[track_caller]
    pub(crate) fn is_mended_in(&self, hop: usize, id: &str, proxies: &[&str]) -> &Self {
        let remedies = self.remedies(hop, id);
        let names: Vec<_> = remedies.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, proxies, "{:#}", self.json);
        self
    }

    /// Checks what was seen, or what else stands in a finding.
    #[track_caller]
    pub(crate) fn says(&self, hop: usize, id: &str, member: &str, part: &str) -> &Self {
        let finding = self.finding(hop, id);
        assert!(text(finding, member).contains(part), "{finding:#}");
        self
    }

    /// Returns what a hop answered, by the name of the fact.
    pub(crate) fn seen(&self, hop: usize, fact: &str) -> &Value {
        &self.json["hops"][hop]["seen"][fact]
    }

    fn remedies(&self, hop: usize, id: &str) -> Vec<(String, Vec<String>)> {
        let remedies = self.finding(hop, id)["remedies"].as_array();
        let lines = |remedy: &Value| -> Vec<String> {
            let lines = remedy["lines"].as_array().expect("a list");
            lines
                .iter()
                .map(|l| l.as_str().expect("text").into())
                .collect()
        };
        remedies
            .into_iter()
            .flatten()
            .map(|remedy| (text(remedy, "proxy").into(), lines(remedy)))
            .collect()
    }

    #[track_caller]
    fn finding(&self, hop: usize, id: &str) -> &Value {
        let found = self.findings(hop).find(|finding| finding["id"] == id);
        found.unwrap_or_else(|| panic!("no {id} of hop {hop} in {:#}", self.json))
    }

    fn findings(&self, hop: usize) -> impl Iterator<Item = &Value> {
        let findings = self.json["findings"].as_array().expect("a list");
        findings
            .iter()
            .filter(move |finding| hop_of(finding) == hop)
    }
}

fn hop_of(value: &Value) -> usize {
    let hop = value["hop"].as_u64().expect("a number");
    usize::try_from(hop).expect("a small one")
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}
