//! Timeouts of proxies that are shorter than the silence.

use super::{RIGHT, Setup, haproxy};
use crate::proxy::Kind;

/// It cuts a silence of five seconds, and one of a tenth of a second it does not.
async fn cuts(setup: Setup, proxy: &str, line: &str) {
    let id = "proxy-cuts-idle";
    let told = setup.ask(&["--idle", "5"]).await;
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_in(0, id, &[proxy]);
    told.is_mended_by(0, id, proxy, line);
    told.says(0, "idle-cut", "level", "error");
    let told = setup.ask(&["--idle", "0.1"]).await;
    told.exits(0).blames(&[]);
}

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn proxy_read_timeout_of_nginx() {
    let setup = Setup::of_nginx(&format!("{RIGHT} proxy_read_timeout 2s;")).await;
    cuts(setup, "nginx", "proxy_read_timeout 1h;").await;
}

#[tokio::test]
#[ignore = "needs haproxy: .ci/install"]
async fn each_timeout_of_haproxy() {
    let config = haproxy("");
    for (long, short) in [
        ("timeout tunnel 1h", "timeout tunnel 2s"),
        // Without `tunnel`, the shorter of these two holds.
        (
            "timeout client 60s\n    timeout server 60s\n    timeout tunnel 1h",
            "timeout client 2s\n    timeout server 60s",
        ),
        (
            "timeout client 60s\n    timeout server 60s\n    timeout tunnel 1h",
            "timeout client 60s\n    timeout server 2s",
        ),
    ] {
        assert!(config.contains(long), "{config}");
        let config = config.replace(long, short);
        let setup = Setup::of(Kind::HaProxy, &config).await;
        cuts(setup, "HAProxy", "timeout tunnel 1h").await;
    }
}
