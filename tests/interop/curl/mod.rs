//! curl, which shows the bytes of an answer as they came.

mod content;
mod h2c;
mod http1;
mod http2;
mod offers;
mod tls;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

use crate::process::{run, spawn, within};
use crate::rows::Row;

/// A request that curl is to send.
#[derive(Debug)]
pub(crate) struct Curl {
    command: Command,
}

impl Curl {
    /// A request over HTTP/1.1.
    pub(crate) fn http1(url: &str) -> Self {
        Self::new("--http1.1", url)
    }

    /// A request over HTTP/1.1 that offers `h2c` beside what it asks for.
    pub(crate) fn h2c(url: &str) -> Self {
        Self::new("--http2", url)
    }

    /// A request over HTTP/2 from the first byte on, in clear text.
    pub(crate) fn http2(url: &str) -> Self {
        Self::new("--http2-prior-knowledge", url)
    }

    fn new(version: &str, url: &str) -> Self {
        let mut command = Command::new("curl");
        // `-D -` shows a head at once, `-i` only when content follows, which a 101 need not have.
        command.args([
            "-sS",
            "-N",
            "-D",
            "-",
            "--noproxy",
            "*",
            "--max-time",
            "30",
            version,
            url,
        ]);
        Self { command }
    }

    /// Takes whatever certificate the server made up.
    pub(crate) fn insecure(mut self) -> Self {
        self.command.arg("--insecure");
        self
    }

    /// Adds a field, `Name: value`.
    pub(crate) fn field(mut self, line: &str) -> Self {
        self.command.args(["-H", line]);
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        self.command.args(["-X", method]);
        self
    }

    /// Sends content; the method becomes POST if none is named.
    pub(crate) fn content(mut self, content: &str) -> Self {
        self.command.args(["--data-raw", content]);
        self
    }

    /// Offers protocols, as a client of RFC 9110 7.8 does.
    pub(crate) fn offer(self, protocols: &str) -> Self {
        self.field("Connection: Upgrade")
            .field(&format!("Upgrade: {protocols}"))
    }

    /// Offers WebSocket with the fields of RFC 6455 1.3.
    pub(crate) fn websocket(self) -> Self {
        self.offer("websocket")
            .field("Sec-WebSocket-Version: 13")
            .field("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
    }

    /// Sends the request and reads the answer to its end.
    pub(crate) async fn send(mut self) -> Answer {
        let finished = run(&mut self.command).await;
        assert!(
            !finished.stdout.is_empty(),
            "{:?} got no answer: {}",
            self.command,
            finished.stderr
        );
        Answer::parse(&finished.stdout)
    }

    /// Sends the request and reads until the answer contains a text, then hangs up.
    pub(crate) async fn send_until(mut self, text: &str) -> Answer {
        let (_child, mut stdout) = spawn(&mut self.command);
        let mut read = Vec::new();
        within(30, "what curl shall read", async {
            while !String::from_utf8_lossy(&read).contains(text) {
                let count = stdout
                    .read_buf(&mut read)
                    .await
                    .expect("curl's output can be read");
                assert!(
                    count > 0,
                    "the answer ended without {text:?}: {}",
                    String::from_utf8_lossy(&read)
                );
            }
        })
        .await;
        Answer::parse(&String::from_utf8_lossy(&read))
    }

    /// Sends the request and reads the head of a 101.
    pub(crate) async fn switches(self) -> Answer {
        let answer = self.send_until("\r\n\r\n").await;
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(
            answer.field("connection"),
            "upgrade",
            "rule 15: exactly that and nothing else"
        );
        assert_eq!(answer.all("content-length"), [""; 0]);
        assert_eq!(answer.all("transfer-encoding"), [""; 0]);
        answer
    }
}

/// The last answer of an exchange, without interim ones.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `HTTP/1.1` or `HTTP/2`.
    pub(crate) version: String,
    pub(crate) status: u16,
    fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    fn parse(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no head in {text:?}"));
        let (start, lines) = head.split_once("\r\n").unwrap_or((head, ""));
        let mut words = start.split(' ');
        let version = words.next().unwrap_or_default().to_owned();
        let status = words.next().and_then(|word| word.parse().ok());
        if status == Some(100) {
            return Self::parse(body);
        }
        let field = |line: &str| {
            line.split_once(':')
                .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        };
        Self {
            version,
            status: status.unwrap_or_else(|| panic!("no status in {start:?}")),
            fields: lines.split("\r\n").filter_map(field).collect(),
            body: body.to_owned(),
        }
    }

    /// Returns every line of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|(this, _)| this == name)
            .map(|(_, value)| value.as_str())
            .collect()
    }

    /// Returns a field's one value, or nothing if it is absent.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let lines = self.all(name);
        assert!(lines.len() <= 1, "{name} has several lines: {self:?}");
        lines.first().copied().unwrap_or_default()
    }

    /// Asserts what a route answers over HTTP/1.1 to a request that it is not to switch for.
    #[track_caller]
    pub(crate) fn is(&self, path: &str, row: Row) {
        match row {
            Row::Passes(status, body) => {
                assert_eq!(self.status, status, "{path}: {self:?}");
                assert!(self.body.contains(body), "{path}: {self:?}");
            }
            Row::Requires(protocols) => self.requires(path, protocols),
        }
    }

    /// Asserts rule 8 for HTTP/1.1.
    #[track_caller]
    pub(crate) fn requires(&self, path: &str, protocols: &str) {
        assert_eq!(self.status, 426, "{path}: {self:?}");
        assert_eq!(self.all("upgrade").join(", "), protocols, "{path}");
        assert_eq!(self.field("connection"), "upgrade", "{path}");
        assert!(!self.body.trim().is_empty(), "{path}: a refusal says why");
    }

    /// Asserts a refusal and the sentence that goes with it.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        assert!(!self.body.trim().is_empty(), "a refusal says why: {self:?}");
        self
    }
}
