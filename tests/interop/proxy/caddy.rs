//! Caddy: the configuration is all but the global options.

use std::path::Path;

use tokio::process::Command;

use super::launch::write;

pub(super) fn command(folder: &Path, config: &str) -> Command {
    let config = format!(
        "{{
    admin off
    auto_https off
    default_bind 127.0.0.1
}}
{config}
"
    );
    let mut command = Command::new("caddy");
    command.args(["run", "--adapter", "caddyfile", "--config"]);
    command.arg(write(folder, &config));
    for home in ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"] {
        command.env(home, folder);
    }
    command
}
