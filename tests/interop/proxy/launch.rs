//! Starting a proxy, waiting until it accepts, and its end with the test.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream as BlockingStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::process::{Child, Command};
use tokio_rustls::rustls::pki_types::CertificateDer;

use super::{apache, caddy, haproxy, nginx};
use crate::process::within;

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Apache,
    Caddy,
    HaProxy,
    Nginx,
}

/// A proxy that accepts connections. It is killed when this goes.
#[derive(Debug)]
pub(crate) struct Proxy {
    child: Child,
    port: Reserved,
    certificate: CertificateDer<'static>,
    folder: Folder,
}

impl Proxy {
    /// Starts it in front of these ports on 127.0.0.1, which stand for 3001, 3002 and so on.
    pub(crate) async fn start(kind: Kind, config: &str, backends: &[u16]) -> Self {
        let port = Reserved::free();
        let folder = Folder::new();
        let certificate = folder.write_certificate();
        let config = folder.fit(config, port.port(), backends);
        let mut command = match kind {
            Kind::Apache => apache::command(folder.path(), &config, port.port()),
            Kind::Caddy => caddy::command(folder.path(), &config),
            Kind::HaProxy => haproxy::command(folder.path(), &config),
            Kind::Nginx => nginx::command(folder.path(), &config),
        };
        let mut proxy = Self {
            child: folder.spawn(&mut command),
            port,
            certificate,
            folder,
        };
        within(30, "a proxy that accepts", proxy.accepts()).await;
        proxy
    }

    /// Returns the port on 127.0.0.1 where it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port.port()
    }

    /// Returns where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port()).into()
    }

    /// Returns the certificate that it shows as `localhost`, where its configuration has TLS.
    pub(crate) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    async fn accepts(&mut self) {
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the proxy ended with {status}: {}", self.folder.said());
            }
            if BlockingStream::connect(self.address()).is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A port on 127.0.0.1 that nobody gets but who asks for it by number, as long as this is kept.
///
/// It is bound and never listens: the system gives it to nobody who takes any port, and a server
/// that sets `SO_REUSEADDR`, as they all do, can listen there, and again after it ended.
#[derive(Debug)]
pub(crate) struct Reserved(TcpSocket);

impl Reserved {
    pub(crate) fn free() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_reuseaddr(true).expect("an option");
        let any = (Ipv4Addr::LOCALHOST, 0).into();
        socket.bind(any).expect("a free port");
        Self(socket)
    }

    pub(crate) fn port(&self) -> u16 {
        self.0.local_addr().expect("it is bound").port()
    }
}

/// A folder for one proxy, which goes with it.
#[derive(Debug)]
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tower-upgrade-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        // A process that was killed may have had the same number.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder can be made");
        Self(path)
    }

    fn path(&self) -> &Path {
        &self.0
    }

    /// Puts the ports and the certificate of this test into a configuration.
    fn fit(&self, config: &str, port: u16, backends: &[u16]) -> String {
        let mut fitted = config.to_owned();
        for (named, backend) in (3001..).zip(backends) {
            let named: u16 = named;
            // In two steps, for a port of this test may be one that a configuration names.
            fitted = fitted.replace(&format!("127.0.0.1:{named}"), &format!("@{backend}@"));
        }
        for listener in ["8080", "8443"] {
            fitted = fitted.replace(listener, &port.to_string());
        }
        for backend in backends {
            fitted = fitted.replace(&format!("@{backend}@"), &format!("127.0.0.1:{backend}"));
        }
        let certificate = self.0.join("site.pem").display().to_string();
        fitted.replace("/etc/ssl/site.pem", &certificate)
    }

    /// Writes a certificate with its key, as one file.
    fn write_certificate(&self) -> CertificateDer<'static> {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let path = self.0.join("site.pem");
        fs::write(path, certificate + &key).expect("the folder can be written to");
        made.cert.into()
    }

    fn spawn(&self, command: &mut Command) -> Child {
        let log = fs::File::create(self.0.join("said")).expect("the folder can be written to");
        let copy = log.try_clone().expect("a file can be had twice");
        command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(copy)
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}: run .ci/install"))
    }

    fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.0.join(name)).unwrap_or_default();
        read("said") + &read("error.log")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A program that Debian keeps where only root looks.
pub(super) fn daemon(name: &str) -> Command {
    let path = Path::new("/usr/sbin").join(name);
    if path.exists() {
        Command::new(path)
    } else {
        Command::new(name)
    }
}

/// Writes the configuration and returns its path.
pub(super) fn write(folder: &Path, config: &str) -> PathBuf {
    let path = folder.join("config");
    fs::write(&path, config).expect("the folder can be written to");
    path
}
