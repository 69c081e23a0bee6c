//! The example `doctor` in front of proxies, as they should be configured and as they often are.
//!
//! The server behind them is the gallery, and all that is wrong is the proxy: the doctor must say which
//! hop it is, what it does, and by which line that is mended.

mod chain;
mod haproxy;
mod http2;
mod idle;
mod nginx;
mod others;
#[path = "../it/doctor/run.rs"]
#[expect(
    clippy::indexing_slicing,
    dead_code,
    reason = "a test may say what it means, and others need more"
)]
mod run;
mod terminal;

use self::run::{Told, doctor};
use crate::{
    process::Server,
    proxy::{Kind, Proxy},
};

/// What every nginx needs that is to pass an upgrade on.
const MAP: &str = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }";

/// A proxy with the gallery behind it.
struct Setup {
    proxy: Proxy,
    gallery: Server,
}

impl Setup {
    async fn of(kind: Kind, config: &str) -> Self {
        let gallery = Server::gallery(&[]).await;
        let proxy = Proxy::start(kind, config, &[port(&gallery)]).await;
        Self { proxy, gallery }
    }

    /// Of nginx, with these lines where it passes requests on.
    async fn of_nginx(lines: &str) -> Self {
        Self::of(Kind::Nginx, &nginx(lines)).await
    }

    /// Of HAProxy, with these lines where it listens.
    async fn of_haproxy(lines: &str) -> Self {
        Self::of(Kind::HaProxy, &haproxy(lines)).await
    }

    /// Asks at the proxy with `/ws`, and at the gallery behind it.
    async fn ask(&self, args: &[&str]) -> Told {
        let edge = format!("ws://127.0.0.1:{}/ws", self.proxy.port());
        let behind = self.gallery.http("/ws");
        let told = doctor(&[&[edge.as_str(), "--behind", &behind], args].concat()).await;
        // Whatever the proxy does, the gallery has no fault.
        told.finds(1, &[]);
        told
    }
}

fn port(gallery: &Server) -> u16 {
    let base = gallery.http("");
    let port = base.rsplit(':').next().map(str::parse);
    port.expect("an address has a colon").expect("a port")
}

fn nginx(lines: &str) -> String {
    format!(
        "{MAP}
server {{
    listen 8080;
    location / {{
        proxy_pass http://127.0.0.1:3001;
        {lines}
    }}
}}"
    )
}

fn haproxy(lines: &str) -> String {
    format!(
        "defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend edge
    bind :8080
    default_backend gallery
    {lines}
backend gallery
    server one 127.0.0.1:3001
"
    )
}

/// The lines that mend each other thing in nginx.
const RIGHT: &str = "proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header Host $http_host;";
