//! A browser's own WebSocket against the gallery: it offers compression, sends its origin, and
//! cannot be told otherwise.

use fantoccini::Client;
use serde_json::{Value, json};

use super::Browser;
use crate::process::{Server, within};

/// Opens a WebSocket, has one message echoed, and returns what the page could see of it.
const SESSION: &str = r#"
    const [url, subprotocols, done] = arguments;
    const socket = new WebSocket(url, subprotocols);
    socket.onopen = () => socket.send("hello");
    socket.onerror = () => done({ refused: true });
    socket.onmessage = ({ data }) => {
        done({ echo: data, subprotocol: socket.protocol, extensions: socket.extensions });
        socket.close();
    };
"#;

/// Clicks every button of the gallery's page and collects what each came to.
const BUTTONS: &str = r#"
    const [done] = arguments;
    const results = [];
    for (const row of document.querySelectorAll('#routes tr')) {
        row.querySelector("button").click();
        const output = row.querySelector("output");
        while (["", "…"].includes(output.textContent)) {
            await new Promise(next => setTimeout(next, 20));
        }
        results.push([row.querySelector("code").textContent, output.textContent]);
    }
    done(results);
"#;

/// What the buttons come to wherever the page is from, up to the end of the line.
const EVERYWHERE: [(&str, &str); 15] = [
    ("/ws", "echoed hello over v2"),
    ("/either", "echoed hello"),
    ("/either", "200 plain"),
    ("/closed", "200 upgrade: absent"),
    ("/multi", "echoed hello"),
    ("/multi-server", "echoed hello"),
    ("/decline", "not switched"),
    ("/unaware", "200 unaware"),
    ("/axum", "echoed hello"),
    ("/get-only", "echoed hello"),
    ("/limited", "2 of 3 switched"),
    ("/limited-total", "2 of 3 switched"),
    ("/idle", "closed after "),
    ("/deadline", "closed after "),
    ("/first-byte", "closed after "),
];

/// The page's buttons show each policy, over HTTP/1.1 in clear text and over HTTP/2 and TLS.
#[tokio::test]
#[ignore = "needs chromium-driver: .ci/install"]
async fn every_button_shows_its_policy() {
    let clear = [
        ("/exec", "426 "),
        ("/unread", "426 "),
        ("/secure", "426 "),
        ("/http2", "426 "),
    ];
    let tls = [
        ("/exec", "405 "),
        ("/unread", "405 "),
        ("/secure", "200 secure"),
        ("/http2", "200 http2"),
    ];
    for (args, more) in [(&[][..], clear), (&["--tls"], tls)] {
        let server = Server::gallery(args).await;
        let browser = Browser::start(&["--ignore-certificate-errors"]).await;
        open(browser.client(), &server.http("/")).await;
        let results = browser.client().execute_async(BUTTONS, Vec::new());
        let results = within(30, "the buttons", results)
            .await
            .expect("the script ends");
        let mut results: Vec<(String, String)> =
            serde_json::from_value(results).expect("they are pairs");
        for (path, expected) in EVERYWHERE.into_iter().chain(more) {
            let found = results
                .iter()
                .position(|(route, shown)| route == path && shown.starts_with(expected));
            results
                .remove(found.unwrap_or_else(|| panic!("{path}: no {expected:?} in {results:?}")));
        }
        assert_eq!(results, [], "every button was expected");
        browser.close().await;
    }
}

/// A page of the gallery's own reaches every route that speaks WebSocket, and no other.
#[tokio::test]
#[ignore = "needs chromium-driver: .ci/install"]
async fn the_own_page_is_let_in() {
    let server = Server::gallery(&[]).await;
    let browser = Browser::start(&[]).await;
    let client = browser.client();
    open(client, &server.http("/")).await;
    for path in [
        "/ws",
        "/either",
        "/multi",
        "/multi-server",
        "/axum",
        "/get-only",
    ] {
        let seen = session(client, &server.ws(path), &[]).await;
        assert_eq!(
            seen,
            json!({ "echo": "hello", "subprotocol": "", "extensions": "" }),
            "{path}"
        );
    }
    let seen = session(client, &server.ws("/ws"), &["v1", "v2"]).await;
    assert_eq!(seen["subprotocol"], "v2", "{seen}");
    for path in [
        "/closed", "/exec", "/decline", "/unaware", "/secure", "/http2",
    ] {
        assert_eq!(
            session(client, &server.ws(path), &[]).await,
            json!({ "refused": true }),
            "{path}"
        );
    }
    browser.close().await;
}

/// A page of another origin is not let in, though the server is the same (rule 10).
#[tokio::test]
#[ignore = "needs chromium-driver: .ci/install"]
async fn a_foreign_page_is_kept_out() {
    let server = Server::gallery(&[]).await;
    let browser = Browser::start(&[]).await;
    let client = browser.client();
    open(client, &server.http("/").replace("127.0.0.1", "localhost")).await;
    for path in [
        "/ws",
        "/either",
        "/multi",
        "/multi-server",
        "/axum",
        "/get-only",
    ] {
        assert_eq!(
            session(client, &server.ws(path), &[]).await,
            json!({ "refused": true }),
            "{path}"
        );
        let own = server.ws(path).replace("127.0.0.1", "localhost");
        assert_eq!(session(client, &own, &[]).await["echo"], "hello", "{path}");
    }
    browser.close().await;
}

async fn open(client: &Client, page: &str) {
    within(30, "the page", client.goto(page))
        .await
        .expect("the page opens");
}

async fn session(client: &Client, url: &str, subprotocols: &[&str]) -> Value {
    let outcome = client.execute_async(SESSION, vec![json!(url), json!(subprotocols)]);
    within(30, "what a WebSocket comes to", outcome)
        .await
        .expect("the script ends")
}
