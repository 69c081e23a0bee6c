//! nginx without one or the other of its lines. With the lines that the doctor names, it is right.

use super::{MAP, RIGHT, Setup, run::doctor};

/// What nginx makes of a 426 is no fault of the server's.
const NOTE: [(&str, &str); 1] = [("note", "upgrade-required-unbound")];

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn with_all_its_lines_it_is_fine() {
    let setup = Setup::of_nginx(RIGHT).await;
    let told = setup.ask(&["--subprotocol", "v1"]).await;
    told.exits(0).blames(&[]).finds(0, &NOTE);
    told.is_fine_with(&[
        "handshake",
        "subprotocol",
        "idle",
        "foreign-origin",
        "early-bytes",
    ]);
    assert_eq!(told.seen(0, "proxy"), "nginx");
}

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn as_it_comes_it_speaks_http10() {
    let setup = Setup::of_nginx("proxy_set_header Host $http_host;").await;
    let told = setup.ask(&[]).await;
    let id = "proxy-speaks-http10";
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_in(0, id, &["nginx"]);
    let faults = [NOTE[0], ("error", "upgrade-over-http10"), ("error", id)];
    told.finds(0, &faults);
    told.is_mended_by(0, id, "nginx", "proxy_http_version 1.1;");
    told.is_mended_by(0, id, "nginx", "proxy_set_header Upgrade $http_upgrade;");
    told.is_mended_by(
        0,
        id,
        "nginx",
        "proxy_set_header Connection $connection_upgrade;",
    );
    told.is_mended_by(0, id, "nginx", &format!("{MAP}  # in http {{}}"));
}

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn without_upgrade_it_drops_it() {
    let lines = "proxy_http_version 1.1; proxy_set_header Host $http_host;";
    let told = Setup::of_nginx(lines).await.ask(&[]).await;
    let id = "proxy-drops-upgrade";
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_in(0, id, &["nginx"]);
    told.is_mended_by(0, id, "nginx", "proxy_set_header Upgrade $http_upgrade;");
}

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn without_connection_it_drops_that() {
    let lines = "proxy_http_version 1.1; proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;";
    let told = Setup::of_nginx(lines).await.ask(&[]).await;
    let id = "proxy-drops-connection";
    told.exits(2).blames(&[(0, id)]);
    told.is_mended_by(
        0,
        id,
        "nginx",
        "proxy_set_header Connection $connection_upgrade;",
    );
}

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn without_host_the_server_takes_its_own_page_for_a_foreign_one() {
    let lines = RIGHT.replace("proxy_set_header Host $http_host;", "");
    let told = Setup::of_nginx(&lines).await.ask(&[]).await;
    let id = "proxy-rewrites-host";
    told.exits(2)
        .blames(&[(0, id)])
        .is_mended_in(0, id, &["nginx"]);
    told.is_mended_by(0, id, "nginx", "proxy_set_header Host $http_host;");
    // `$host` has no port, which is as bad where the port is not the default one.
    let lines = RIGHT.replace("$http_host", "$host");
    let told = Setup::of_nginx(&lines).await.ask(&[]).await;
    told.exits(2).blames(&[(0, id)]);
}

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn without_a_second_hop_the_cause_is_told_all_the_same() {
    for (lines, id, line) in [
        ("", "upgrade-over-http10", "proxy_http_version 1.1;"),
        (
            "proxy_http_version 1.1;",
            "upgrade-dropped",
            "proxy_set_header Upgrade $http_upgrade;",
        ),
        (
            &RIGHT.replace("Host $http_host", "Host elsewhere"),
            "origin-refused",
            "proxy_set_header Host $http_host;",
        ),
    ] {
        let setup = Setup::of_nginx(lines).await;
        let told = doctor(&[&format!("ws://127.0.0.1:{}/ws", setup.proxy.port())]).await;
        told.exits(2).is_mended_in(0, id, &["nginx"]);
        told.is_mended_by(0, id, "nginx", line);
    }
}

#[tokio::test]
#[ignore = "needs nginx: .ci/install"]
async fn a_path_that_it_changes() {
    let config = "server {
    listen 8080;
    location /ws { proxy_pass http://127.0.0.1:3001/other; }
}";
    let setup = Setup::of(crate::proxy::Kind::Nginx, config).await;
    let told = setup.ask(&[]).await;
    told.exits(2).blames(&[(0, "proxy-changes-path")]);
}
