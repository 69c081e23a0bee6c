//! `Conversation`: requests and responses of HTTP/1.1, byte by byte.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use super::{Fault, Head, Stream, within};

/// A connection on which one request is sent.
pub(crate) struct Conversation {
    io: Stream,
    read: Vec<u8>,
    patience: Duration,
}

/// What is read of a head, and of content.
const LONGEST_HEAD: usize = 64 << 10;
const LONGEST_CONTENT: usize = 16 << 10;
/// How many 1xx may come before the answer.
const MOST_INTERIM: usize = 8;

impl Conversation {
    pub(crate) fn new(io: Stream, patience: Duration) -> Self {
        Self {
            io,
            read: Vec::new(),
            patience,
        }
    }

    /// Sends these bytes, in one segment if they fit in one.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let io = &mut self.io;
        within(self.patience, async {
            io.write_all(bytes).await?;
            io.flush().await
        })
        .await
    }

    /// Reads the head of the answer, past all that is provisional.
    pub(crate) async fn head(&mut self) -> Result<Head, Fault> {
        let deadline = Instant::now() + self.patience;
        for interim in 0..MOST_INTERIM {
            let head = match self.next_head(deadline).await {
                Err(Fault::Silent(patience)) if interim > 0 || !self.read.is_empty() => {
                    return Err(Fault::Slow(patience));
                }
                head => Head::parse(&head?)?,
            };
            if head.status == 101 || head.status >= 200 {
                return Ok(head);
            }
        }
        Err(Fault::TooLong)
    }

    async fn next_head(&mut self, deadline: Instant) -> Result<Vec<u8>, Fault> {
        loop {
            if let Some(end) = head_end(&self.read) {
                return Ok(self.read.drain(..end).collect());
            }
            if self.read.len() > LONGEST_HEAD {
                return Err(Fault::TooLong);
            }
            // Garbage need not have lines, and then no empty one ever comes.
            if !could_be_http(&self.read) {
                return Err(Fault::NotHttp(std::mem::take(&mut self.read)));
            }
            if !self.read_more(deadline).await? {
                return Err(if self.read.is_empty() {
                    Fault::Closed
                } else {
                    Fault::NotHttp(std::mem::take(&mut self.read))
                });
            }
        }
    }

    /// Reads the content, or its beginning; what is wrong with it does not matter here.
    pub(crate) async fn content(&mut self, head: &Head) -> Vec<u8> {
        let length = head.joined("content-length");
        let length = length.and_then(|length| length.parse().ok());
        let is_chunked = head.members("transfer-encoding").contains("chunked");
        let deadline = Instant::now() + self.patience;
        loop {
            let (content, is_whole) = if is_chunked {
                unchunk(&self.read)
            } else {
                let end = length.unwrap_or(usize::MAX).min(self.read.len());
                let content = self.read.get(..end).unwrap_or_default();
                (content.to_vec(), length.is_some_and(|length| end >= length))
            };
            let is_enough = self.read.len() > LONGEST_CONTENT;
            if is_whole || is_enough || !self.read_more(deadline).await.unwrap_or(false) {
                return content;
            }
        }
    }

    /// Gives the connection away, with what was read beyond the head.
    pub(crate) fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.io, self.read)
    }

    /// Reads once; `false` at the end.
    async fn read_more(&mut self, deadline: Instant) -> Result<bool, Fault> {
        let mut buffer = [0; 4 << 10];
        let left = deadline.saturating_duration_since(Instant::now());
        let length = match within(left, self.io.read(&mut buffer)).await {
            Err(Fault::Silent(_)) => return Err(Fault::Silent(self.patience)),
            Err(Fault::Closed) => 0,
            read => read?,
        };
        let read = buffer.get(..length).unwrap_or_default();
        self.read.extend_from_slice(read);
        Ok(length > 0)
    }
}

/// Returns where the first head ends; bare line feeds end lines too (RFC 9112 2.2).
fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = bytes.get(line_start..at)?;
        if line.trim_ascii_end().is_empty() && line_start > 0 {
            return Some(at + 1);
        }
        line_start = at + 1;
    }
    None
}

fn could_be_http(bytes: &[u8]) -> bool {
    b"HTTP/"
        .iter()
        .zip(bytes)
        .all(|(expected, byte)| expected == byte)
}

/// Returns what came of chunked content, and whether that is all.
fn unchunk(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut content = Vec::new();
    loop {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            return (content, false);
        };
        let (line, rest) = bytes.split_at(end + 1);
        let size = std::str::from_utf8(line).unwrap_or_default();
        let size = size.split(';').next().unwrap_or_default().trim();
        // What is no size ends it as well.
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        if size == 0 {
            return (content, true);
        }
        let Some(chunk) = rest.get(..size) else {
            content.extend_from_slice(rest);
            return (content, false);
        };
        content.extend_from_slice(chunk);
        let rest = rest.get(size..).unwrap_or_default();
        let rest = rest.strip_prefix(b"\r").unwrap_or(rest);
        bytes = rest.strip_prefix(b"\n").unwrap_or(rest);
    }
}
