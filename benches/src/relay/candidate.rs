//! The ways to carry an upgraded connection that are compared.

use std::{io::Result, net::SocketAddr};

use super::{
    backend,
    daemon::{Daemon, HAPROXY, HAPROXY_AUTO, HAPROXY_SPLICE, NGINX, Program},
    own, processes,
};
use crate::loopback::{child::Server, processor};

/// A way to carry an upgraded connection.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// The table's word for it.
    pub name: &'static str,
    /// The command line's word for it.
    pub key: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Direct,
    Own,
    Daemon(Program),
}

/// All of them, as they stand in the tables.
#[must_use]
pub fn all() -> Vec<Candidate> {
    [
        ("direct", "direct", Kind::Direct),
        (OWN, "ours", Kind::Own),
        ("tower-upgrade spliced", "ours-splice", Kind::Own),
        ("tokio copy 8 KiB", "copy8", Kind::Own),
        ("tokio copy 64 KiB", "copy64", Kind::Own),
        (NGINX_NAME, "nginx", Kind::Daemon(NGINX)),
        (BASE, "haproxy", Kind::Daemon(HAPROXY)),
        (
            "HAProxy splice-auto",
            "haproxy-auto",
            Kind::Daemon(HAPROXY_AUTO),
        ),
        (
            "HAProxy spliced",
            "haproxy-splice",
            Kind::Daemon(HAPROXY_SPLICE),
        ),
    ]
    .map(|(name, key, kind)| Candidate { name, key, kind })
    .to_vec()
}

/// Serves what stands in front of the backend, by its key.
///
/// # Errors
/// There is no such server, or it cannot serve.
pub fn serve(key: &str, backend: Option<SocketAddr>) -> Result<()> {
    let unknown = || std::io::Error::other(format!("there is no server {key:?}"));
    if key == BACKEND {
        return backend::serve();
    }
    let backend = backend.ok_or_else(unknown)?;
    match key {
        "ours" => own::tunnel(backend),
        "ours-splice" => own::spliced(backend),
        "copy8" => own::copy(backend),
        "copy64" => own::copy_with(backend, 64 << 10),
        _ => Err(unknown()),
    }
}

/// A proxy that runs, with a backend of its own behind it.
#[derive(Debug)]
pub struct Proxy {
    running: Running,
    /// Dropped after the proxy.
    backend: Server,
    processes: Vec<u32>,
}

#[derive(Debug)]
enum Running {
    Direct,
    Own(Server),
    Daemon(Daemon),
}

impl Candidate {
    /// Starts it; gives nothing if it is not installed.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(&self) -> Result<Option<Proxy>> {
        processor::keep_to(ENDS);
        let backend = Server::start(BACKEND)?;
        processor::keep_to(PROXY);
        let running = match self.kind {
            Kind::Direct => Some(Running::Direct),
            Kind::Own => Some(Running::Own(Server::start_before(
                self.key,
                backend.address(),
            )?)),
            Kind::Daemon(program) => {
                Daemon::start(program, backend.address())?.map(Running::Daemon)
            }
        };
        processor::keep_to(ENDS);
        let Some(running) = running else {
            return Ok(None);
        };
        let processes = match &running {
            Running::Direct => Vec::new(),
            Running::Own(server) => processes::tree(server.process())?,
            Running::Daemon(daemon) => processes::tree(daemon.process())?,
        };
        Ok(Some(Proxy {
            running,
            backend,
            processes,
        }))
    }
}

impl Proxy {
    /// Returns where clients are to connect to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        match &self.running {
            Running::Direct => self.backend.address(),
            Running::Own(server) => server.address(),
            Running::Daemon(daemon) => daemon.address(),
        }
    }

    /// Returns the processes of both ends: the backend, and this one.
    #[must_use]
    pub fn ends(&self) -> [u32; 2] {
        [self.backend.process(), std::process::id()]
    }

    /// Returns its processes, none if there is no proxy.
    #[must_use]
    pub fn processes(&self) -> &[u32] {
        &self.processes
    }
}

/// The name of the tunnel.
pub const OWN: &str = "tower-upgrade";

/// The name of nginx.
pub const NGINX_NAME: &str = "nginx";

/// The name of the one that the others are compared with.
pub const BASE: &str = "HAProxy";

const BACKEND: &str = "backend";

/// The processor that a proxy has for itself.
const PROXY: usize = 0;

/// The processor that the clients and the backend share.
const ENDS: usize = 1;
