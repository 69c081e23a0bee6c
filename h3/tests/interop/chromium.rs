//! Chromium, made to use HTTP/3 from the first request on.

use std::process::Stdio;

use tokio::process::Command;

use crate::example::{Example, soon};

#[tokio::test]
#[ignore = "needs Chromium: .ci/install"]
async fn it_loads_the_page_by_http_3() {
    let example = Example::start().await;
    let profile = tempfile::tempdir().unwrap();
    let origin = format!("localhost:{}", example.port);
    let chromium = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg("--host-resolver-rules=MAP localhost 127.0.0.1, MAP * ~NOTFOUND")
        .arg(format!("--origin-to-force-quic-on={origin}"))
        .arg(format!(
            "--ignore-certificate-errors-spki-list={}",
            example.fingerprint
        ))
        .args(["--dump-dom", &format!("https://{origin}/")])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = soon(chromium).await.unwrap();
    let page = String::from_utf8_lossy(&output.stdout);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        page.contains("This came by HTTP/3.0."),
        "{page}\n{complaint}"
    );
    example.terminate().await;
    example.ended().await;
}
