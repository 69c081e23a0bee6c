//! How lines are broken.

use super::{
    run::run,
    server::{Lie, Server},
};

#[path = "../../../examples/doctor/text.rs"]
#[expect(dead_code, reason = "what it does to bytes of a peer")]
mod text;

#[test]
fn words_stay_whole_and_lines_are_no_longer_than_they_may_be() {
    let words = "a bb ccc dddd eeeee ffffff äääääää";
    for width in 7..40 {
        let lines = text::wrap(words, width);
        assert_eq!(lines.join(" "), words, "{width}");
        let mut lengths = lines.iter().map(|line| line.chars().count());
        assert!(lengths.all(|length| length <= width), "{width}: {lines:?}");
    }
    // A word that has no room on any line is broken.
    assert_eq!(text::wrap("ab äöüß c", 3), ["ab", "äöü", "ß c"]);
    assert_eq!(text::wrap("", 3), [""; 0]);
}

#[tokio::test]
async fn what_is_piped_is_not_broken() {
    let server = Server::start(Lie::telling(|_| {
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()
    }))
    .await;
    let ran = run(&[&server.url("ws")], &[("COLUMNS", "80")]).await;
    let mut lines = ran.stdout.lines();
    let means = lines.find(|line| line.contains("nothing speaks WebSocket"));
    // Its end.
    assert!(means.unwrap().ends_with("dropped `Upgrade`"), "{ran:?}");
}
