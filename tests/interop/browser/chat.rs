//! The chat page in two windows: what is written in one appears in both.

use std::time::{Duration, Instant};

use fantoccini::wd::WindowHandle;
use fantoccini::{Client, Locator};

use super::Browser;
use crate::process::{Server, within};

/// Over HTTP/1.1, by `Upgrade`.
#[tokio::test]
#[ignore = "needs chromium-driver: .ci/install"]
async fn messages_cross_over_http1() {
    let server = Server::chat(&[]).await;
    let browser = Browser::start(&[]).await;
    let page = server.http("/");
    messages_cross(&browser, [(&page, "HTTP/1.1"), (&page, "HTTP/1.1")]).await;
    browser.close().await;
}

/// Over HTTP/2, by extended CONNECT on the connection that brought the page.
#[tokio::test]
#[ignore = "needs chromium-driver: .ci/install"]
async fn messages_cross_over_http2() {
    let server = Server::chat(&["--tls"]).await;
    let browser = Browser::start(&["--ignore-certificate-errors"]).await;
    let page = server.http("/");
    assert!(page.starts_with("https://"), "{page}");
    messages_cross(&browser, [(&page, "HTTP/2.0"), (&page, "HTTP/2.0")]).await;
    browser.close().await;
}

/// A window without a WebSocket takes part by Server-Sent Events and POST, over either version.
#[tokio::test]
#[ignore = "needs chromium-driver: .ci/install"]
async fn messages_cross_between_websocket_and_fallback() {
    for (args, version) in [(&[][..], "HTTP/1.1"), (&["--tls"], "HTTP/2.0")] {
        let server = Server::chat(args).await;
        let browser = Browser::start(&["--ignore-certificate-errors"]).await;
        let (page, fallback) = (server.http("/"), server.http("/?transport=sse"));
        messages_cross(&browser, [(&page, version), (&fallback, "SSE")]).await;
        browser.close().await;
    }
}

/// Opens two pages, each of which shall say what it is connected over, and writes in both.
async fn messages_cross(browser: &Browser, pages: [(&str, &str); 2]) {
    let client = browser.client();
    let [(first, over), (second, over_second)] = pages;
    let here = within(30, "the first window", client.window())
        .await
        .expect("there is a window");
    open(client, first, over).await;
    let there = within(30, "a second window", client.new_window(false))
        .await
        .expect("there is room for it")
        .handle;
    switch(client, &there).await;
    open(client, second, over_second).await;

    write(client, "from there").await;
    shows(client, &["from there"]).await;
    switch(client, &here).await;
    shows(client, &["from there"]).await;
    write(client, "from here <b>").await;
    shows(client, &["from there", "from here <b>"]).await;
    switch(client, &there).await;
    shows(client, &["from there", "from here <b>"]).await;
}

async fn open(client: &Client, page: &str, over: &str) {
    within(30, "the page", client.goto(page))
        .await
        .expect("the page opens");
    let expected = format!("connected over {over}");
    until(&expected, async || {
        text(client, "#status").await.contains(&expected)
    })
    .await;
}

async fn switch(client: &Client, window: &WindowHandle) {
    within(30, "the window", client.switch_to_window(window.clone()))
        .await
        .expect("the window is open");
}

async fn write(client: &Client, message: &str) {
    let input = client
        .find(Locator::Css("#text"))
        .await
        .expect("the page has an input");
    input.send_keys(message).await.expect("one can type");
    let button = client
        .find(Locator::Css("#send"))
        .await
        .expect("the page has a button");
    button.click().await.expect("one can click");
}

/// Waits until the log holds these messages, each once and in this order.
async fn shows(client: &Client, messages: &[&str]) {
    until(&format!("{messages:?}"), async || {
        let shown = text(client, "#log").await;
        let ours: Vec<&str> = shown
            .lines()
            .filter(|line| line.contains("from "))
            .collect();
        ours.len() == messages.len()
            && ours
                .iter()
                .zip(messages)
                .all(|(line, message)| line.contains(message))
    })
    .await;
}

async fn text(client: &Client, selector: &str) -> String {
    let element = client
        .find(Locator::Css(selector))
        .await
        .expect("the page has the element");
    element.text().await.expect("the element has a text")
}

async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let start = Instant::now();
    while !within(30, what, condition()).await {
        assert!(
            start.elapsed() < Duration::from_secs(30),
            "the page never showed {what:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
