//! curl over HTTP/1.1 and HTTP/2, which is told where HTTP/3 is.

use tokio::process::Command;

use crate::example::{Example, soon};

#[tokio::test]
#[ignore = "needs curl: .ci/install"]
async fn it_is_told_of_http_3_on_the_same_port() {
    let example = Example::start().await;
    let url = format!("https://localhost:{}/", example.port);
    for (flag, version) in [("--http1.1", "HTTP/1.1"), ("--http2", "HTTP/2.0")] {
        let curl = Command::new("curl")
            .args(["--silent", "--show-error", "--include", flag, "--cacert"])
            .arg(&example.certificate)
            .args([
                "--resolve",
                &format!("localhost:{}:127.0.0.1", example.port),
            ])
            .arg(&url)
            .output();
        let output = soon(curl).await.unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{complaint}");
        let service = format!("alt-svc: h3=\":{}\"; ma=86400", example.port);
        assert!(answer.contains(&service), "{answer}");
        assert!(
            answer.contains(&format!("This came by {version}.")),
            "{answer}"
        );
    }
    example.terminate().await;
    example.ended().await;
}
