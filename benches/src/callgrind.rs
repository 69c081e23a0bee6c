//! Counts instructions: the program runs itself once more, under callgrind.

use std::{
    env, fs,
    io::{Error, Result},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::span::{COLLECTED, MARK};

/// The argument that tells the program that it is being counted.
pub const COUNTED: &str = "--counted";

/// Says whether this process is the one that is being counted.
pub fn is_counted() -> bool {
    env::args().any(|argument| argument == COUNTED)
}

/// Returns the instructions of each part that the program [marks](crate::span::mark), in order, or none without valgrind.
///
/// The records stay in `directory`, for `callgrind_annotate`.
///
/// # Errors
/// Valgrind is installed but the counted run failed or left a record that cannot be read.
pub fn parts(directory: &Path) -> Result<Option<Vec<u64>>> {
    if !is_installed() {
        return Ok(None);
    }
    if directory.exists() {
        fs::remove_dir_all(directory)?;
    }
    fs::create_dir_all(directory)?;
    let status = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--toggle-collect={COLLECTED}"))
        .arg(format!("--dump-before={MARK}"))
        .arg(format!(
            "--callgrind-out-file={}",
            directory.join("part").display()
        ))
        .arg(env::current_exe()?)
        .arg(COUNTED)
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(Error::other(format!("the counted run ended with {status}")));
    }
    (1..)
        .map(|number| part(directory, number))
        .take_while(|path| path.exists())
        .map(|path| total(&path))
        .collect::<Result<_>>()
        .map(Some)
}

/// Returns where the record of a part is, counted from one.
pub fn part(directory: &Path, number: usize) -> PathBuf {
    directory.join(format!("part.{number}"))
}

fn is_installed() -> bool {
    let version = Command::new("valgrind")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    version.is_ok_and(|status| status.success())
}

fn total(record: &Path) -> Result<u64> {
    let text = fs::read_to_string(record)?;
    text.lines()
        .find_map(|line| line.strip_prefix("totals: ")?.trim().parse().ok())
        .ok_or_else(|| Error::other(format!("{} has no total", record.display())))
}
