//! nginx and HAProxy, each in the foreground with a configuration of its own.

use std::{
    env, fs,
    io::{Error, ErrorKind, Result},
    net::{SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio, id},
    thread::sleep,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::memory::descriptors;

/// A program that is configured by a file.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// What the shell calls it.
    pub command: &'static str,
    /// How it is told to print its version.
    pub version: &'static str,
    /// The configuration, with places to fill in.
    pub template: &'static str,
    /// What stands before the configuration's path.
    pub arguments: &'static [&'static str],
    /// What stands in the configuration for splicing.
    pub splice: &'static str,
}

/// nginx, as one configures it for upgrades.
pub const NGINX: Program = Program {
    command: "nginx",
    version: "-v",
    template: include_str!("nginx.conf"),
    arguments: &["-e", "stderr", "-c"],
    splice: "",
};

/// HAProxy, as it comes.
pub const HAPROXY: Program = Program {
    command: "haproxy",
    version: "-v",
    template: include_str!("haproxy.cfg"),
    arguments: &["-q", "-db", "-f"],
    splice: "",
};

/// HAProxy, which may splice.
pub const HAPROXY_AUTO: Program = Program {
    splice: "option splice-auto",
    ..HAPROXY
};

/// HAProxy, which is to splice.
pub const HAPROXY_SPLICE: Program = Program {
    splice: "option splice-request\n    option splice-response",
    ..HAPROXY
};

/// A program that runs; it ends when this is dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    address: SocketAddr,
    directory: PathBuf,
}

impl Daemon {
    /// Starts the program before a backend, and waits until it listens; gives nothing if it is not installed.
    ///
    /// # Errors
    /// It ends, or does not listen within ten seconds.
    pub fn start(program: Program, backend: SocketAddr) -> Result<Option<Self>> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let name = format!("relay-bench-{}-{}", id(), address.port());
        let directory = env::temp_dir().join(name);
        fs::create_dir_all(&directory)?;
        let connections = (descriptors::raise()? / 3).saturating_sub(100).min(6_000);
        let configuration = program
            .template
            .replace("{{directory}}", &directory.to_string_lossy())
            .replace("{{listen}}", &address.to_string())
            .replace("{{backend}}", &backend.to_string())
            .replace("{{connections}}", &connections.to_string())
            .replace("{{files}}", &(connections * 2 + 200).to_string())
            .replace("{{splice}}", program.splice);
        let path = directory.join("configuration");
        fs::write(&path, configuration)?;
        let spawned = Command::new(program.command)
            .args(program.arguments)
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) => {
                let _left = fs::remove_dir_all(&directory);
                return match error.kind() {
                    ErrorKind::NotFound => Ok(None),
                    _ => Err(error),
                };
            }
        };
        let mut daemon = Self {
            child,
            address,
            directory,
        };
        daemon.wait_until_it_listens()?;
        Ok(Some(daemon))
    }

    fn wait_until_it_listens(&mut self) -> Result<()> {
        for _ in 0..500 {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(Error::other(format!("it ended: {status}")));
            }
            sleep(Duration::from_millis(20));
        }
        Err(Error::other("it does not listen"))
    }

    /// Returns where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the id of the process that was started.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Not a kill, by which nginx's worker would be left over.
        let _ended = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ended = self.child.wait();
        let _left = fs::remove_dir_all(&self.directory);
    }
}

impl Program {
    /// Returns what it says of its version, if it is installed.
    #[must_use]
    pub fn version(self) -> Option<String> {
        let output = Command::new(self.command).arg(self.version).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        let first = String::from_utf8_lossy(&said).lines().next()?.to_owned();
        Some(first)
    }
}
