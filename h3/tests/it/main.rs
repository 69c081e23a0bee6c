//! HTTP/3 over a real socket, by a client that sends what it is told to, and by somebody else's.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "tests may say what they mean, their helpers too"
)]

mod aioquic;
mod client;
mod drain;
mod ends;
mod example;
mod faults;
mod flow;
#[expect(dead_code, reason = "what starts it as a program")]
#[path = "../../examples/http3.rs"]
mod http3;
mod hyperium;
mod requests;
mod server;
mod start;
mod tunnels;
mod wire;

use std::time::Duration;

/// No test waits for ever for what does not come.
async fn soon<F: Future>(future: F) -> F::Output {
    let waited = tokio::time::timeout(Duration::from_secs(60), future).await;
    waited.expect("it takes no minute")
}

/// Waits until something has become so.
async fn until(mut is_so: impl FnMut() -> bool) {
    soon(async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
