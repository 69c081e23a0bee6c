//! Kubernetes' own client, that of Python, against the example `pod_exec`.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Server, client, run};

/// Output, errors, input and exit codes are those of the command, and a refusal or a close says why.
#[tokio::test]
#[ignore = "needs Python's kubernetes: .ci/install"]
async fn a_command_runs() {
    let server = Server::pod_exec(&["--allow-sh"]).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/pods.py");
    let mut python = client("venv/bin/python");
    python.arg(script).arg(server.http(""));
    // It asks no proxy that the machine may have.
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
        "KUBECONFIG",
    ] {
        python.env_remove(name);
    }
    let finished = run(&mut python).await;
    assert!(finished.success, "{}", finished.stderr);
    let seen: Value = serde_json::from_str(&finished.stdout).expect("it prints JSON");
    assert_eq!(seen["subprotocol"], "v5.channel.k8s.io", "{seen}");
    assert_eq!((&seen["out"], &seen["err"]), (&json!("a\n"), &json!("b\n")));
    assert_eq!((&seen["code"], &seen["success"]), (&json!(7), &json!(0)));
    assert_eq!(
        (&seen["text"], &seen["bytes"]),
        (&json!("as text"), &json!("as bytes"))
    );
    assert_eq!(seen["too_large"], 1009, "{seen}");
    let refused = seen["refused"].as_str().unwrap_or_default();
    assert!(
        refused.contains("404") && refused.contains("the pod is `demo`"),
        "{seen}"
    );
}
