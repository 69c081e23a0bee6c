//! HAProxy: the configuration is the whole.

use std::path::Path;

use tokio::process::Command;

use super::launch::{daemon, write};

pub(super) fn command(folder: &Path, config: &str) -> Command {
    let config = config.replace("bind :", "bind 127.0.0.1:");
    let mut command = daemon("haproxy");
    // In the foreground, and one process.
    command.arg("-db").arg("-f").arg(write(folder, &config));
    command
}
