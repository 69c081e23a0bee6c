//! The server's half: the gallery with everything on, which tells on request what it holds.

use std::{
    env,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt, BufReader, stdin},
    net::TcpListener,
    runtime::Handle,
    sync::oneshot,
};
use tower_upgrade::{
    Drain, Limit, Policy, UpgradeLayer,
    axum::client_ip,
    observe::{Closing, Connection, Observer},
};

use crate::gallery;

/// Is set where this program is to be the server.
pub(crate) const IS_SERVER: &str = "SOAK_SERVER";

/// What the server holds, and has seen.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct State {
    pub(crate) tasks: usize,
    pub(crate) live: usize,
    pub(crate) permits: usize,
    pub(crate) accepted: usize,
    pub(crate) closed: usize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the server's half, which the other test starts"]
async fn server() {
    if env::var_os(IS_SERVER).is_none() {
        return;
    }
    let site = Site::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    // On a line of its own: the harness has begun one.
    println!(
        "\nlistening on {}",
        listener.local_addr().expect("it has one")
    );
    let app = gallery::app(|policy| site.layer(policy)).expect("it has routes");
    let (stop, stopped) = oneshot::channel::<()>();
    let drained = site
        .drain
        .clone()
        .shutdown(async { drop(stopped.await) }, Duration::from_secs(10));
    let served = tokio::spawn(gallery::serve_until(drained, listener, None, app));
    // It ends with its input: with the parent, if that fails.
    let mut requests = BufReader::new(stdin()).lines();
    while let Ok(Some(request)) = requests.next_line().await {
        if request == "stop" {
            break;
        }
        let state = serde_json::to_string(&site.state()).expect("it is plain data");
        println!("{state}");
    }
    drop(stop);
    served.await.expect("it does not panic");
    println!("{}", site.drain.report());
}

/// What all connections live by.
struct Site {
    drain: Drain,
    limits: [Limit; 2],
    counts: Arc<Counts>,
}

impl Default for Site {
    fn default() -> Self {
        Self {
            drain: Drain::new(),
            limits: [Limit::total(1_000), Limit::per_key(1_000, client_ip)],
            counts: Arc::default(),
        }
    }
}

impl Site {
    fn layer(&self, policy: Policy) -> UpgradeLayer {
        let [total, per_client] = self.limits.clone();
        let long = Duration::from_secs(30);
        UpgradeLayer::new(policy)
            .limit(total)
            .limit(per_client)
            .hand_over_timeout(long)
            .first_byte_timeout(long)
            .idle_timeout(long)
            .max_lifetime(2 * long)
            .drain(self.drain.clone())
            .observe(Watching(Arc::clone(&self.counts)))
    }

    fn state(&self) -> State {
        State {
            tasks: Handle::current().metrics().num_alive_tasks(),
            live: self.drain.live(),
            permits: self.limits.iter().map(Limit::live).sum(),
            accepted: self.counts.accepted.load(Ordering::SeqCst),
            closed: self.counts.closed.load(Ordering::SeqCst),
        }
    }
}

#[derive(Default)]
struct Counts {
    accepted: AtomicUsize,
    closed: AtomicUsize,
}

struct Watching(Arc<Counts>);

impl Observer for Watching {
    fn accepted(&self, _: &Connection<'_>) {
        self.0.accepted.fetch_add(1, Ordering::SeqCst);
    }

    fn closed(&self, _: &Connection<'_>, _: &Closing) {
        self.0.closed.fetch_add(1, Ordering::SeqCst);
    }
}
