//! Handshakes that were tampered with, sent to the gallery for a few seconds (rule 24).
//!
//! Nothing may panic, hang or switch that should not. What may switch is told by an oracle of its
//! own, which reads the bytes in the plainest way there is. `SEED=<number>` repeats a run.

mod oracle;
mod tamper;

use std::{
    net::SocketAddr,
    panic,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

use futures_util::future::join_all;

use self::{
    oracle::may_switch,
    tamper::{Random, request, tamper},
};
use crate::{
    server::gallery,
    wire::{ACCEPT, Client, Request},
};

/// The run ends with the first of these. Every connection takes a port, of which there are 28,000.
const DURATION: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 10_000;
const AT_ONCE: usize = 16;
const WORKER: &str = "random-bytes";

static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn no_bytes_bring_the_server_down_or_switch_unasked() {
    // Rule 24: "Nothing a peer sends can panic, allocate without bound, or hold a permit for ever."
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        u64::from(now.subsec_nanos())
    });
    println!("SEED={seed}");
    count_panics();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name(WORKER)
        .enable_all()
        .build()
        .unwrap();
    let tally = runtime.block_on(run(Random(seed | 1)));
    assert_eq!(
        PANICS.load(Ordering::SeqCst),
        0,
        "tasks panicked, SEED={seed}"
    );
    println!("{tally:?}");
    assert!(
        tally.switched > 0 && tally.sent > tally.switched,
        "{tally:?}"
    );
}

/// Counts the panics in the server's threads; other tests panic in threads of their own.
fn count_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() == Some(WORKER) {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        before(info);
    }));
}

#[derive(Debug, Default)]
struct Tally {
    sent: usize,
    switched: usize,
}

async fn run(mut random: Random) -> Tally {
    let address = gallery().await;
    let start = Instant::now();
    let mut tally = Tally::default();
    while start.elapsed() < DURATION && tally.sent < CONNECTIONS {
        let cases: Vec<_> = (0..AT_ONCE).map(|_| Case::make(&mut random)).collect();
        for switched in join_all(cases.iter().map(|case| case.run(address))).await {
            tally.sent += 1;
            tally.switched += usize::from(switched);
        }
    }
    let mut client = Client::connect(address).await;
    assert_eq!(client.ask(&Request::get("/either")).await.content, "plain");
    let head = client.offer(&Request::websocket("/either")).await;
    head.is(101).has("sec-websocket-accept", ACCEPT);
    tally
}

/// What is sent on one connection, and how.
#[derive(Debug)]
struct Case {
    bytes: Vec<u8>,
    cuts: Vec<usize>,
    /// Whether the client goes away without having read anything.
    leaves: bool,
}

impl Case {
    fn make(random: &mut Random) -> Self {
        let mut bytes = request(random).to_bytes();
        for _ in 0..random.below(4) {
            tamper(&mut bytes, random);
        }
        let mut cuts: Vec<_> = (0..random.below(4))
            .map(|_| random.below(bytes.len() + 1))
            .collect();
        cuts.sort_unstable();
        let leaves = random.below(12) == 0;
        Self {
            bytes,
            cuts,
            leaves,
        }
    }

    /// Sends it and reads until the connection ends; returns whether it was switched.
    async fn run(&self, address: SocketAddr) -> bool {
        let mut client = Client::connect(address).await;
        let mut sent = 0;
        for cut in self.cuts.iter().copied().chain([self.bytes.len()]) {
            if !client.try_send(&self.bytes[sent..cut]).await {
                break;
            }
            sent = cut;
        }
        if self.leaves {
            return false;
        }
        // The server may have ended the connection before.
        client.try_finish().await;
        let answer = client.read_to_end().await;
        self.judge(&answer)
    }

    /// Compares an answer with what the oracle allows.
    fn judge(&self, answer: &[u8]) -> bool {
        let shown = || {
            format!(
                "\"{}\" got \"{}\"",
                self.bytes.escape_ascii(),
                answer.escape_ascii()
            )
        };
        let contains = |text: &str| answer.windows(text.len()).any(|w| w == text.as_bytes());
        assert!(!contains("LEAK"), "{}", shown());
        assert!(
            answer.is_empty() || answer.starts_with(b"HTTP/1."),
            "{}",
            shown()
        );
        if answer.starts_with(b"HTTP/1.1 101 ") {
            assert!(may_switch(&self.bytes), "{}", shown());
            return true;
        }
        if contains("HTTP/1.1 101 ") {
            // Behind an earlier answer, whose request may end anywhere.
            let mut starts = 0..self.bytes.len();
            let may = starts.any(|at| may_switch(&self.bytes[at..]));
            assert!(may, "{}", shown());
            return true;
        }
        false
    }
}
