//! Apache httpd: the configuration is what stands in a virtual host.

use std::path::Path;

use tokio::process::Command;

use super::launch::{daemon, write};

/// What is loaded for every configuration; Debian's `a2enmod` is what a user has for it.
const MODULES: [&str; 11] = [
    "mpm_event",
    "authz_core",
    "socache_shmcb",
    "ssl",
    "http2",
    "proxy",
    "proxy_http",
    "proxy_http2",
    "proxy_wstunnel",
    "headers",
    "setenvif",
];

pub(super) fn command(folder: &Path, config: &str, port: u16) -> Command {
    let at = folder.display();
    let load: String = MODULES.iter().map(|module| load(module)).collect();
    let config = format!(
        "ServerRoot {at}
ServerName localhost
PidFile {at}/pid
ErrorLog {at}/error.log
DefaultRuntimeDir {at}
Mutex file:{at}
User daemon
Group daemon
{load}
Listen 127.0.0.1:{port}
<VirtualHost 127.0.0.1:{port}>
{config}
</VirtualHost>
"
    );
    let mut command = daemon("apache2");
    // One process, in the foreground, which has no children to leave behind when it is killed.
    command.arg("-X").arg("-f").arg(write(folder, &config));
    command
}

fn load(module: &str) -> String {
    format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
}
