//! Apache and Caddy.

use super::Setup;
use crate::proxy::Kind;

#[tokio::test]
#[ignore = "needs apache2: .ci/install"]
async fn apache_with_and_without_upgrade() {
    let right = "ProxyPreserveHost On
ProxyPass \"/ws\" \"http://127.0.0.1:3001/ws\" upgrade=websocket timeout=3600";
    let told = Setup::of(Kind::Apache, right).await.ask(&[]).await;
    told.exits(0).blames(&[]);
    assert_eq!(told.seen(0, "proxy"), "Apache");

    let id = "proxy-drops-upgrade";
    let setup = Setup::of(Kind::Apache, &right.replace("upgrade=websocket", "")).await;
    let told = setup.ask(&[]).await;
    let gallery = setup.gallery.http("/ws");
    let line = format!("ProxyPass \"/ws\" \"{gallery}\" upgrade=websocket");
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_by(0, id, "Apache", &line);

    let id = "proxy-rewrites-host";
    let setup = Setup::of(Kind::Apache, &right.replace("ProxyPreserveHost On", "")).await;
    let told = setup.ask(&[]).await;
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_by(0, id, "Apache", "ProxyPreserveHost On");

    let id = "proxy-cuts-idle";
    // The longer one of the two sides' timeouts holds.
    let short = format!("Timeout 2\n{}", right.replace("timeout=3600", "timeout=2"));
    let setup = Setup::of(Kind::Apache, &short).await;
    let told = setup.ask(&["--idle", "5"]).await;
    let gallery = setup.gallery.http("/ws");
    let line = format!("ProxyPass \"/ws\" \"{gallery}\" upgrade=websocket timeout=3600");
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_by(0, id, "Apache", &line);
}

#[tokio::test]
#[ignore = "needs caddy: .ci/install"]
async fn caddy_loses_early_bytes_and_nothing_else() {
    let config = "http://127.0.0.1:8080 {
    reverse_proxy 127.0.0.1:3001
}";
    let told = Setup::of(Kind::Caddy, config).await.ask(&[]).await;
    told.exits(0).blames(&[]);
    told.says(0, "proxy-loses-early-bytes", "level", "note");
}
