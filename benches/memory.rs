//! What an idle upgraded connection costs a server in memory, ten thousand of them open over TCP on loopback.

use std::io::{Error, Result};

use tower_upgrade_bench::{
    loopback::child::{self, Server},
    memory::{
        candidate::{self, Candidate},
        crowd::Crowd,
        descriptors, drop_in, engines, io, lifetime, resident,
    },
};

/// The table's rows; the first is what the others are compared with.
const GROUPS: &[&[Candidate]] = &[
    io::CANDIDATES,
    lifetime::CANDIDATES,
    drop_in::CANDIDATES,
    engines::CANDIDATES,
];

/// How many connections are open at once, where the system allows it.
const CONNECTIONS: usize = 10_000;

/// How many come and go before, one after another.
const WARM_UP: usize = 500;

/// How many servers each row gets; its figure is the median.
const TURNS: usize = 3;

fn main() -> Result<()> {
    let candidates = GROUPS.concat();
    let Some(name) = child::name() else {
        return compare(&candidates);
    };
    candidates
        .iter()
        .find(|candidate| candidate.name == name)
        .map_or_else(
            || Err(Error::other(format!("there is no server {name:?}"))),
            |candidate| (candidate.serve)(),
        )
}

fn compare(candidates: &[Candidate]) -> Result<()> {
    let count = CONNECTIONS.min(descriptors::raise()?.saturating_sub(100));
    let mut measured = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let mut each = Vec::with_capacity(TURNS);
        for _ in 0..TURNS {
            each.push(each_of(candidate, count)?);
        }
        each.sort_by(f64::total_cmp);
        measured.push((*candidate, each[TURNS / 2]));
    }
    let title =
        format!("Resident memory of a server, for each of {count} idle upgraded connections");
    candidate::print(&title, &measured);
    println!("\n{}", footnote());
    Ok(())
}

/// Returns the bytes that each of so many connections adds to a server's resident memory.
fn each_of(candidate: &Candidate, count: usize) -> Result<f64> {
    let server = Server::start(candidate.name)?;
    for _ in 0..WARM_UP {
        Crowd::gather(server.address(), 1)?;
    }
    let before = resident::settled(server.process())?;
    let crowd = Crowd::gather(server.address(), count)?;
    let after = resident::settled(server.process())?;
    crowd.check_idle()?;
    Ok((after as f64 - before as f64) / count as f64)
}

fn footnote() -> String {
    format!(
        "`Rss` of `/proc/PID/smaps_rollup` with them less before them, after {WARM_UP} that came and went in turn; \
         the median of {TURNS} processes. One thread, hyper's HTTP/1.1, a browser's handshake, every connection \
         being read, by 64 bytes where no engine does it. Allocator: {}.",
        resident::allocator()
    )
}
