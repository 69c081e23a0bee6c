//! nginx: the configuration is what stands in `http { .. }`.

use std::path::Path;

use tokio::process::Command;

use super::launch::{daemon, write};

pub(super) fn command(folder: &Path, config: &str) -> Command {
    let at = folder.display();
    let config = config.replace("listen ", "listen 127.0.0.1:");
    // One process, which has no children to leave behind when it is killed, and which stays who it is.
    let config = format!(
        "daemon off;
master_process off;
pid {at}/pid;
error_log {at}/error.log;
events {{}}
http {{
access_log off;
client_body_temp_path {at}/body;
proxy_temp_path {at}/proxy;
fastcgi_temp_path {at}/fastcgi;
uwsgi_temp_path {at}/uwsgi;
scgi_temp_path {at}/scgi;
{config}
}}
"
    );
    let mut command = daemon("nginx");
    command.arg("-e").arg(folder.join("error.log"));
    command.arg("-p").arg(folder).arg("-c");
    command.arg(write(folder, &config));
    command
}
