//! The command line.

use tokio::net::TcpListener;

use super::{nowhere, watched::ran};

#[tokio::test]
async fn wrong_usage_is_2_and_says_what_is_wrong() {
    for (args, why) in [
        (&[][..], "no --upstream"),
        (&["--upstream"], "--upstream: wants a value"),
        (&["--upstream", "https://a.example"], "http: alone"),
        (&["--upstream", "a.example"], "http: alone"),
        (&["--upstream", "http://a b"], "not a URL"),
        (&["--upstream", "http://a:0"], "no such port"),
        (&["--upstream", "http://a:65536"], "no such port"),
        // What would be dropped without a word.
        (&["--upstream", "http://a/base"], "their own path"),
        (&["--upstream", "http://a/?query"], "their own path"),
        (&["--upstream", "http://user:secret@a"], "credentials"),
        (&["--forward", "h2c"], "--forward h2c: `h2c` is obsolete"),
        (&["--forward", "a b"], "--forward a b: "),
        (&["--no-such"], "--no-such: no such option"),
        (&["\x1b[2J"], "\\u{1b}[2J: no such option"),
    ] {
        let ran = ran(args).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{args:?}");
        let first = ran.stderr.lines().next().unwrap_or_default();
        assert!(first.starts_with("proxy: "), "{args:?}: {ran:?}");
        assert!(first.contains(why), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains("usage: proxy "), "{args:?}: {ran:?}");
    }
}

#[tokio::test]
async fn help_is_no_error() {
    let ran = ran(&["--help"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    assert!(ran.stdout.starts_with("usage: proxy "), "{ran:?}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    let ran = ran(&["--upstream", &nowhere().await, "--listen", &taken]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stderr.starts_with(&format!("proxy: {taken}: ")),
        "{ran:?}"
    );
}
