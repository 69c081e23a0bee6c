//! What a person sees, at a terminal that `script` makes.

use tokio::process::Command;

use super::run::command;
use crate::process::{Server, run};

/// Runs the doctor at a terminal, and returns what that shows.
async fn shown(args: &[&str], columns: &str) -> String {
    let doctor = command(args);
    let doctor = doctor.as_std();
    let words = [doctor.get_program()].into_iter().chain(doctor.get_args());
    let words: Vec<_> = words.filter_map(|word| word.to_str()).collect();
    let mut script = Command::new("script");
    script
        .args(["-qec", &words.join(" "), "/dev/null"])
        .env("NO_COLOR", "1")
        .env("COLUMNS", columns);
    run(&mut script).await.stdout
}

#[tokio::test]
#[ignore = "needs util-linux's script: .ci/install"]
async fn lines_have_room_and_what_is_waited_for_is_told() {
    let server = Server::gallery(&[]).await;
    let edge = server.ws("/unaware");
    let args = [&edge, "--behind", &server.http("/ws"), "--idle", "0.1"];
    for columns in [72, 100] {
        let shown = shown(&args, &columns.to_string()).await;
        // Taken away again, so that the report has its line.
        let (progress, report) = shown.rsplit_once("\r\x1b[2K").unwrap_or_default();
        assert!(progress.contains("shaking hands: ws://"), "{shown:?}");
        assert!(progress.contains("0.1 s of silence: "), "{shown:?}");
        let lines: Vec<_> = report.lines().map(str::trim_end).collect();
        assert!(lines.iter().any(|line| line.starts_with("broken: ")));
        // What is to be copied stays whole.
        let config = ["map $http_upgrade", "ProxyPass ", "remove `"];
        for line in lines {
            let is_config = config.iter().any(|words| line.contains(words));
            let length = line.chars().count();
            assert!(length <= columns || is_config, "{length}: {line:?}");
        }
    }
}
