//! The terminal: how wide it is, whether it wants colours, and what goes on meanwhile.

use std::{
    env,
    fs::File,
    io::{self, IsTerminal},
    process::Command,
};

use crate::text::shorten;

/// Colours are for terminals, and for those who did not turn them off (no-color.org).
pub(crate) fn wants_colours() -> bool {
    let is_off = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !is_off
}

/// Returns how many columns stdout has, or `None` where it is no terminal.
pub(crate) fn width() -> Option<usize> {
    io::stdout().is_terminal().then(columns)
}

fn columns() -> usize {
    let told = env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    told.or_else(asked).unwrap_or(80).max(NARROWEST)
}

/// `stty` knows, without any code of ours that would have to be unsafe.
fn asked() -> Option<usize> {
    let terminal = File::open("/dev/tty").ok()?;
    let output = Command::new("stty").arg("size").stdin(terminal).output();
    let size = String::from_utf8(output.ok()?.stdout).ok()?;
    let columns = size.split_whitespace().nth(1)?.parse().ok();
    columns.filter(|columns| *columns > 0)
}

/// Narrower, it would be one word a line.
const NARROWEST: usize = 60;

/// A line of stderr, where that is a terminal, that says what is waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    width: Option<usize>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        let width = io::stderr().is_terminal().then(columns);
        Self { width }
    }

    /// Says what a hop is asked for now.
    pub(crate) fn say(self, url: &str, what: &str) {
        if let Some(width) = self.width {
            let line = format!("{what}: {}", shorten(url, width / 2));
            eprint!("{CLEAR}{}", shorten(&line, width - 1));
        }
    }

    /// Takes the line away.
    pub(crate) fn end(self) {
        if self.width.is_some() {
            eprint!("{CLEAR}");
        }
    }
}

const CLEAR: &str = "\r\x1b[2K";
