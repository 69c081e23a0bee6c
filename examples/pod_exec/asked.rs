//! What a client asks for, in the query.

use serde_json::Value;

use crate::{command::Running, failure};

#[derive(Default)]
pub(crate) struct Asked {
    command: Vec<String>,
    pub(crate) stdin: bool,
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) tty: bool,
}

impl Asked {
    pub(crate) fn read(query: &str) -> Option<Self> {
        let mut asked = Self::default();
        for pair in query.split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let is_set = matches!(value, "true" | "1");
            match key {
                "command" => asked.command.push(decoded(value)?),
                "stdin" => asked.stdin = is_set,
                "stdout" => asked.stdout = is_set,
                "stderr" => asked.stderr = is_set,
                "tty" => asked.tty = is_set,
                _ => {}
            }
        }
        // A terminal has but one output.
        asked.stderr &= !asked.tty;
        Some(asked)
    }

    /// Starts the command, if it is on the list. None of them opens a file by what it is told, but the shell.
    pub(crate) fn start(&self, allow_sh: bool) -> Result<Running, Value> {
        let words: Vec<_> = self.command.iter().map(String::as_str).collect();
        let counts = |flag: &&str| matches!(*flag, "-c" | "-l" | "-m" | "-w");
        let is_allowed = match words.as_slice() {
            ["cat"] | ["echo", ..] => true,
            ["wc", flags @ ..] => flags.iter().all(counts),
            ["sh", "-c", _] => allow_sh,
            _ => false,
        };
        let Some((name, arguments)) = words.split_first().filter(|_| is_allowed) else {
            let why = format!("{:?} is not on the list of commands", words.join(" "));
            return Err(failure(403, "Forbidden", &why));
        };
        Running::start(name, arguments, self)
            .map_err(|error| failure(500, "InternalError", &error.to_string()))
    }
}

/// Undoes the escapes of a query.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let mut digit = || char::from(bytes.next()?).to_digit(16);
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => u8::try_from(digit()? << 4 | digit()?).ok()?,
            other => other,
        });
    }
    String::from_utf8(decoded).ok()
}
