//! Two proxies, of which one is at fault.

use super::{
    RIGHT, haproxy, nginx, port,
    run::{Told, doctor, run},
};
use crate::{
    process::Server,
    proxy::{Kind, Proxy},
};

/// HAProxy, then nginx, then the gallery.
struct Chain {
    urls: [String; 3],
    _proxies: [Proxy; 2],
    _gallery: Server,
}

impl Chain {
    async fn of(haproxy: &str, nginx: &str) -> Self {
        let gallery = Server::gallery(&[]).await;
        let inner = Proxy::start(Kind::Nginx, nginx, &[port(&gallery)]).await;
        let edge = Proxy::start(Kind::HaProxy, haproxy, &[inner.port()]).await;
        let url = |proxy: &Proxy| format!("http://127.0.0.1:{}/ws", proxy.port());
        Self {
            urls: [url(&edge), url(&inner), gallery.http("/ws")],
            _proxies: [edge, inner],
            _gallery: gallery,
        }
    }

    fn args(&self) -> [&str; 5] {
        let [edge, inner, gallery] = self.urls.each_ref().map(String::as_str);
        [edge, "--behind", inner, "--behind", gallery]
    }

    async fn ask(&self) -> Told {
        let told = doctor(&self.args()).await;
        assert_eq!(told.seen(0, "proxy"), "HAProxy");
        assert_eq!(told.seen(1, "proxy"), "nginx");
        told.finds(2, &[]);
        told
    }
}

#[tokio::test]
#[ignore = "needs nginx and haproxy: .ci/install"]
async fn both_right() {
    let chain = Chain::of(&haproxy(""), &nginx(RIGHT)).await;
    chain.ask().await.exits(0).blames(&[]);
}

#[tokio::test]
#[ignore = "needs nginx and haproxy: .ci/install"]
async fn the_inner_one_wrong() {
    let chain = Chain::of(&haproxy(""), &nginx("")).await;
    let told = chain.ask().await;
    let id = "proxy-speaks-http10";
    told.exits(2)
        .blames(&[(1, id)])
        .is_mended_in(1, id, &["nginx"]);
    // What was a guess at the edge has no lines any more.
    told.is_mended_in(0, "upgrade-over-http10", &[]);
}

#[tokio::test]
#[ignore = "needs nginx and haproxy: .ci/install"]
async fn the_outer_one_wrong() {
    let deletes = haproxy("http-request del-header Upgrade");
    let chain = Chain::of(&deletes, &nginx(RIGHT)).await;
    let told = chain.ask().await;
    let id = "proxy-drops-upgrade";
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_in(0, id, &["HAProxy"]);
}

#[tokio::test]
#[ignore = "needs nginx and haproxy: .ci/install"]
async fn each_wrong_in_a_way_of_its_own() {
    // The edge is asked to change what the inner one needs, and that one cuts the silence.
    let deletes = haproxy("http-response del-header Sec-WebSocket-Protocol");
    let inner = nginx(&format!("{RIGHT} proxy_read_timeout 2s;"));
    let chain = Chain::of(&deletes, &inner).await;
    let args = [&chain.args()[..], &["--subprotocol", "v1", "--idle", "5"]].concat();
    let told = doctor(&args).await;
    let both = [(0, "proxy-drops-subprotocol"), (1, "proxy-cuts-idle")];
    told.exits(2).blames(&both);
    // The edge's own timeout is an hour: it is no more than cut off with it.
    told.is_mended_by(1, "proxy-cuts-idle", "nginx", "proxy_read_timeout 1h;");
}

#[tokio::test]
#[ignore = "needs nginx and haproxy: .ci/install"]
async fn the_table_says_so_to_people() {
    let chain = Chain::of(&haproxy(""), &nginx("")).await;
    let ran = run(&chain.args(), &[]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    let [edge, inner, gallery] = &chain.urls;
    for part in [
        &format!("hop 0  {edge}  (HAProxy)\n"),
        &format!("\nhop 1  {inner}  (nginx)\n"),
        &format!("\nhop 2  {gallery}\n"),
        "\nerror     proxy-speaks-http10         426 here, 101 behind\n",
        "\n          nginx    proxy_http_version 1.1;\n",
        "\n                   proxy_set_header Upgrade $http_upgrade;\n",
        &format!("\nbroken by hop 1, {inner}, which is nginx: proxy-speaks-http10\n"),
    ] {
        assert!(ran.stdout.contains(part), "no {part:?} in {}", ran.stdout);
    }
}
