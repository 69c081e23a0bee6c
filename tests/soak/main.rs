//! Thousands of connections, ended in every way there is: nothing may be left of them.
//!
//! The server is this program again, as a process of its own, so that what it takes can be measured:
//! `cargo test --all-features --test soak -- --ignored`
#![cfg(target_os = "linux")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests may say what they mean, their helpers too"
)]

#[path = "../../examples/gallery.rs"]
#[expect(dead_code, reason = "what starts it as a program")]
mod gallery;

mod child;
mod http1;
mod http2;
mod server;

use std::{net::SocketAddr, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

use crate::child::Child;

/// How many come before the memory is measured, for an allocator keeps what it once had, and as many
/// again before it is measured a second time.
const CROWD: usize = 5_000;
/// How many of them come at a time.
const AT_A_TIME: usize = 128;

#[tokio::test]
#[ignore = "takes a minute"]
async fn nothing_is_left_of_five_thousand_connections() {
    let soaked = timeout(Duration::from_secs(60), soak()).await;
    soaked.expect("it ends within a minute");
}

async fn soak() {
    let mut child = Child::start().await;
    let idle = child.state().await;
    let files = child.files();

    churn(child.address, CROWD).await;
    settle(&mut child, idle.tasks).await;
    let warm = child.resident();
    churn(child.address, CROWD).await;
    let end = settle(&mut child, idle.tasks).await;
    let soaked = child.resident();

    println!("{warm} KiB, then {soaked} KiB, {files} files; {end:?}");
    assert!(
        soaked * 10 <= warm * 11,
        "from {warm} KiB it grew to {soaked} KiB"
    );
    assert_eq!(child.files(), files, "files are left open");
    assert!(end.accepted > CROWD, "most were not accepted: {end:?}");
    for (path, status) in [("/limited", 429), ("/limited-total", 503)] {
        two_get_in(child.address, path, status).await;
    }
    ends_in_good_order(child).await;
}

/// Has so many clients come and go.
async fn churn(address: SocketAddr, connections: usize) {
    stream::iter(0..connections)
        .map(async |n| {
            let visit = async {
                match n % 2 {
                    0 => http1::visit(address, n / 2).await,
                    _ => http2::visit(address, n / 2).await,
                }
            };
            let ended = timeout(Duration::from_secs(20), visit).await;
            assert!(ended.is_ok(), "visit {n} does not end");
        })
        .buffer_unordered(AT_A_TIME)
        .collect::<()>()
        .await;
}

/// Waits until the server has done with all that came.
async fn settle(child: &mut Child, tasks: usize) -> server::State {
    let patience = Instant::now() + Duration::from_secs(15);
    loop {
        let state = child.state().await;
        let is_settled = state.tasks == tasks
            && (state.live, state.permits) == (0, 0)
            && state.accepted == state.closed;
        if is_settled {
            return state;
        }
        assert!(Instant::now() < patience, "of {tasks} tasks: {state:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// No permit is lost, and none was returned twice.
async fn two_get_in(address: SocketAddr, path: &str, status: u16) {
    let mut one = http1::Raw::opened(address, path).await;
    let mut two = http2::Session::connect(address).await.opened(path).await;
    let refused = http1::Raw::ask(address, path).await;
    assert_eq!(refused, status, "{path}");
    one.echo().await;
    http2::echo(&mut two).await;
}

/// Those that are live when it ends are told so, and it ends.
async fn ends_in_good_order(mut child: Child) {
    let mut one = http1::Raw::opened(child.address, "/ws").await;
    let session = http2::Session::connect(child.address).await;
    let mut two = session.opened("/either").await;
    child.stop().await;
    one.goes_away().await;
    http2::goes_away(&mut two).await;
    let report = child.end().await;
    assert!(report.contains("0 closed at the deadline"), "{report}");
}
