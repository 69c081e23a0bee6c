//! The example as a program, with a certificate that its clients know.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::PublicKeyData;
use ring::digest::{SHA256, digest};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, ChildStdout, Command},
};

pub(crate) struct Example {
    pub(crate) port: u16,
    pub(crate) certificate: PathBuf,
    /// SHA-256 of its public key, as browsers are told of it.
    pub(crate) fingerprint: String,
    process: Child,
    said: BufReader<ChildStdout>,
    _files: TempDir,
}

impl Example {
    pub(crate) async fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let public_key = made.signing_key.subject_public_key_info();
        let fingerprint = STANDARD.encode(digest(&SHA256, &public_key));
        let [certificate, key] = ["chain.pem", "key.pem"].map(|name| files.path().join(name));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let mut process = Command::new(program())
            .args(["--addr", "127.0.0.1:0", "--cert"])
            .arg(&certificate)
            .arg("--key")
            .arg(&key)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        soon(said.read_line(&mut line)).await.unwrap();
        let port = line.trim().rsplit(':').next().unwrap().parse().unwrap();
        Self {
            port,
            certificate,
            fingerprint,
            process,
            said,
            _files: files,
        }
    }

    /// Sends SIGTERM.
    pub(crate) async fn terminate(&self) {
        let pid = self.process.id().unwrap().to_string();
        let kill = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(soon(kill).await.unwrap().success());
    }

    /// Waits until it has ended as it should, and returns what it said last.
    pub(crate) async fn ended(mut self) -> String {
        let mut last = String::new();
        soon(self.said.read_to_string(&mut last)).await.unwrap();
        let status = soon(self.process.wait()).await.unwrap();
        assert!(status.success(), "{status}: {last}");
        last
    }
}

/// Examples lie beside the folder of the test's own executable.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let program = profile.join("examples/http3");
    assert!(
        program.exists(),
        "{} is not there: `cargo test -p tower-upgrade-h3` builds it",
        program.display()
    );
    program
}

/// What `.ci/install` puts under `target/clients`, and what this crate brings for it.
pub(crate) fn python(script: &str) -> Command {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(here.join("../target/clients/venv/bin/python"));
    command
        .arg(here.join("tests/clients").join(script))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// No test waits for ever for what does not come.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    let waited = tokio::time::timeout(Duration::from_secs(60), future).await;
    waited.expect("it takes no minute")
}
