//! What has to be so before anybody is served.

use std::{net::UdpSocket, path::Path, time::Duration};

use axum::Router;
use tower_upgrade_h3::Server;

use crate::soon;

async fn refusal(certificate: &Path, key: &Path) -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = Server::new(socket, certificate, key);
    let served = server.serve_until(Router::new(), async {}, Duration::ZERO);
    soon(served).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_certificate_is_there_and_its_keys() {
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name);
    for name in ["one", "two"] {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(path(&format!("{name}.pem")), made.cert.pem()).unwrap();
        let key = made.signing_key.serialize_pem();
        std::fs::write(path(&format!("{name}.key")), key).unwrap();
    }
    std::fs::write(path("none.pem"), "no certificate").unwrap();
    for (certificate, key, named) in [
        ("missing.pem", "one.key", "missing.pem: "),
        ("one.pem", "missing.key", "missing.key: "),
        ("none.pem", "one.key", "none.pem"),
        ("one.pem", "none.pem", "none.pem"),
        ("one.pem", "two.key", "two.key"),
    ] {
        let refusal = refusal(&path(certificate), &path(key)).await;
        assert!(refusal.contains(named), "{refusal}");
        let is_found = !named.starts_with("missing");
        assert_eq!(refusal.contains("must be"), is_found, "{refusal}");
    }
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let server = Server::new(socket, path("one.pem"), path("one.key"));
    let served = server.serve_until(Router::new(), async {}, Duration::ZERO);
    soon(served).await.unwrap();
}
