//! HTTP/2 at the edge: HAProxy speaks RFC 8441, nginx does not.

use std::{env, fs, path::PathBuf};

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    MAP, RIGHT, port,
    run::{Told, doctor},
};
use crate::{
    process::Server,
    proxy::{Kind, Proxy},
};

/// Asks at the TLS of a proxy, whose certificate is trusted.
async fn ask(kind: Kind, config: &str, args: &[&str]) -> Told {
    let gallery = Server::gallery(&[]).await;
    let proxy = Proxy::start(kind, config, &[port(&gallery)]).await;
    let ca = Pem::of(&proxy);
    let url = format!("wss://localhost:{}/ws", proxy.port());
    let told = doctor(&[&[&url, "--ca", ca.path(), "--idle", "0.1"], args].concat()).await;
    told.is_fine_with(&["tls", "alpn", "certificate", "handshake", "ping"]);
    told.says(0, "alpn", "saw", "h2 of h2");
    told
}

/// The certificate that a proxy shows, in a file that goes with it.
struct Pem(PathBuf);

impl Pem {
    fn of(proxy: &Proxy) -> Self {
        let name = format!(
            "tower-upgrade-doctor-{}-{}.pem",
            std::process::id(),
            proxy.port()
        );
        let path = env::temp_dir().join(name);
        let base64 = BASE64_STANDARD.encode(proxy.certificate());
        let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        fs::write(&path, pem).expect("a file can be written");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a path of ASCII")
    }
}

impl Drop for Pem {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn haproxy_speaks_it() {
    let config = "defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend edge
    bind :8443 ssl crt /etc/ssl/site.pem alpn h2,http/1.1
    default_backend gallery
backend gallery
    server one 127.0.0.1:3001
";
    let told = ask(Kind::HaProxy, config, &["--http2"]).await;
    told.exits(0).finds(0, &[("note", "http2-426")]);
    told.is_fine_with(&["http2-connect", "http2-ping", "http2-idle", "http2-close"]);
}

fn nginx(lines: &str) -> String {
    format!(
        "{MAP}
server {{
    listen 8443 ssl http2;
    ssl_certificate /etc/ssl/site.pem;
    ssl_certificate_key /etc/ssl/site.pem;
    location / {{
        {lines}
        proxy_pass http://127.0.0.1:3001;
        {RIGHT}
    }}
}}"
    )
}

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn nginx_does_not_and_that_is_no_fault() {
    let id = "http2-connection-fields";
    let told = ask(Kind::Nginx, &nginx(""), &[]).await;
    // Its 426 over HTTP/2 has the `Upgrade` that came from the server.
    told.exits(1).is_mended_in(0, id, &["nginx"]);
    let line = "if ($http_upgrade = '') { return 400; }";
    told.is_mended_by(0, id, "nginx", line);
    told.says(0, "http2-connect-off", "level", "note");
    // With the line that it names, the fault is gone.
    let told = ask(Kind::Nginx, &nginx(line), &[]).await;
    let notes = [("note", "plain-get-not-426"), ("note", "http2-connect-off")];
    told.exits(0).finds(0, &notes);
    // Who insists on HTTP/2 is told that it is not to be had.
    let told = ask(Kind::Nginx, &nginx(line), &["--http2"]).await;
    told.exits(2).says(0, "http2-connect-off", "level", "error");
}
