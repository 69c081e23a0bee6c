//! The configurations, each in front of a server.

use std::fs;
use std::path::Path;

use crate::process::Server;
use crate::proxy::{Kind, Proxy};

/// A proxy with its configuration.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    pub(super) name: &'static str,
    kind: Kind,
    pub(super) config: &'static str,
}

macro_rules! front {
    ($kind:ident, $name:literal) => {
        Front {
            name: $name,
            kind: Kind::$kind,
            config: include_str!(concat!("../configs/", $name)),
        }
    };
}

pub(super) const NGINX: Front = front!(Nginx, "nginx.conf");
pub(super) const NGINX_TLS: Front = front!(Nginx, "nginx-tls.conf");
pub(super) const NGINX_MISCONFIGURED: Front = front!(Nginx, "nginx-misconfigured.conf");
pub(super) const HAPROXY: Front = front!(HaProxy, "haproxy.cfg");
pub(super) const HAPROXY_TLS: Front = front!(HaProxy, "haproxy-tls.cfg");
pub(super) const HAPROXY_H2: Front = front!(HaProxy, "haproxy-h2.cfg");
pub(super) const APACHE: Front = front!(Apache, "apache-http.conf");
pub(super) const APACHE_WSTUNNEL: Front = front!(Apache, "apache-wstunnel.conf");
pub(super) const APACHE_H2: Front = front!(Apache, "apache-h2.conf");
pub(super) const APACHE_H2C: Front = front!(Apache, "apache-h2c.conf");
pub(super) const CADDY: Front = front!(Caddy, "Caddyfile");
pub(super) const CADDY_TLS: Front = front!(Caddy, "Caddyfile-tls");
pub(super) const CADDY_H2C: Front = front!(Caddy, "Caddyfile-h2c");

/// HTTP/1.1 in clear text on both sides.
pub(super) const PLAIN: [Front; 5] = [NGINX, HAPROXY, APACHE, APACHE_WSTUNNEL, CADDY];

impl Front {
    /// Starts it in front of a gallery.
    pub(super) async fn gallery(self) -> (Proxy, Server) {
        let server = Server::gallery(&[]).await;
        (self.before(server.port()).await, server)
    }

    /// Starts it in front of a port.
    pub(super) async fn before(self, backend: u16) -> Proxy {
        self.before_with(backend, str::to_owned).await
    }

    /// Starts it with its configuration changed, which must change it.
    pub(super) async fn before_with(
        self,
        backend: u16,
        change: impl FnOnce(&str) -> String,
    ) -> Proxy {
        let config = change(self.config);
        Proxy::start(self.kind, &config, &[backend]).await
    }
}

/// Replaces what must be there.
#[track_caller]
pub(super) fn replace(config: &str, from: &str, to: &str) -> String {
    assert!(config.contains(from), "no {from:?} in {config}");
    config.replace(from, to)
}

/// The README prints what was tested: whole files, of some only the lines that make the difference.
#[test]
fn the_readme_prints_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("it can be read");
    let readme = read("README.md");
    let rolling = read("tests/interop/configs/haproxy-rolling.cfg");
    let wholes = [NGINX, HAPROXY, APACHE, APACHE_WSTUNNEL, APACHE_H2, CADDY];
    for config in wholes.map(|front| front.config).iter().chain([&&*rolling]) {
        assert!(readme.contains(&format!("\n{config}```\n")), "{config}");
    }
    let printed: Vec<_> = HAPROXY.config.lines().chain(readme.lines()).collect();
    for line in [HAPROXY_TLS, HAPROXY_H2]
        .iter()
        .flat_map(|front| front.config.lines())
    {
        assert!(printed.contains(&line), "{line}");
    }
}
