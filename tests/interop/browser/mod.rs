//! Chromium without a window, through the WebDriver protocol.

mod chat;
mod gallery;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::process::{drain, spawn, within};

/// What keeps Chromium to itself: no window, no sandbox (it may run as root), no talk with others.
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with a profile of its own.
#[derive(Debug)]
pub(crate) struct Browser {
    client: Client,
    /// The browser's own process: the driver, when killed, would leave it behind.
    process: u64,
    profile: PathBuf,
    _driver: Child,
}

impl Browser {
    /// Starts the driver on a port of its choice, and Chromium with these flags besides ours.
    pub(crate) async fn start(flags: &[&str]) -> Self {
        let (driver, url) = within(30, "the driver", start_driver()).await;
        let profile = new_profile();
        let mut args: Vec<String> = FLAGS.iter().chain(flags).map(ToString::to_string).collect();
        args.push(format!("--user-data-dir={}", profile.display()));
        let capabilities =
            json!({ "browserName": "chrome", "goog:chromeOptions": { "args": args } });
        let Value::Object(capabilities) = capabilities else {
            unreachable!()
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = within(
            60,
            "the browser",
            builder.capabilities(capabilities).connect(&url),
        )
        .await;
        let client = client.expect("the driver starts Chromium");
        let told = client
            .capabilities()
            .and_then(|told| told.get("goog:processID"))
            .and_then(Value::as_u64);
        Self {
            client,
            process: told.expect("the driver tells the browser's process"),
            profile,
            _driver: driver,
        }
    }

    /// Returns the session, to drive the browser with.
    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// Ends the session as a client should; a test that fails leaves it to the drop.
    pub(crate) async fn close(self) {
        within(30, "the end of the session", self.client.clone().close())
            .await
            .expect("the session ends");
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Gone already if the session was closed, then there is nobody to kill.
        let kill = std::process::Command::new("kill")
            .args(["-KILL", &self.process.to_string()])
            .output();
        drop((kill, std::fs::remove_dir_all(&self.profile)));
    }
}

async fn start_driver() -> (Child, String) {
    let (driver, stdout) = spawn(Command::new("chromedriver").arg("--port=0"));
    let mut lines = BufReader::new(stdout).lines();
    while let Some(line) = lines
        .next_line()
        .await
        .expect("the driver's output is UTF-8")
    {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            drain(lines);
            return (
                driver,
                format!("http://127.0.0.1:{}", port.trim_end_matches('.')),
            );
        }
    }
    panic!("the driver ended without a port")
}

fn new_profile() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "chromium-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
