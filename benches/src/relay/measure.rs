//! What is measured, and one measurement of it.

use std::{
    fmt,
    io::Result,
    thread::sleep,
    time::{Duration, Instant},
};

use super::{
    candidate::Proxy,
    client::{self, Clients, Receipt, Way},
    processes,
};
use crate::memory::resident;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    Bulk {
        way: Way,
        receipt: Receipt,
        connections: usize,
    },
    RoundTrips {
        connections: usize,
    },
    Upgrades {
        at_a_time: usize,
    },
    Idle {
        connections: usize,
    },
}

/// All of it, in the order of the tables.
pub const ALL: [Measure; 10] = [
    bulk(Way::Up, Receipt::Discarded, 1),
    bulk(Way::Up, Receipt::Discarded, 8),
    bulk(Way::Up, Receipt::Read, 8),
    bulk(Way::Down, Receipt::Discarded, 1),
    bulk(Way::Down, Receipt::Discarded, 8),
    bulk(Way::Down, Receipt::Read, 8),
    Measure::RoundTrips { connections: 1 },
    Measure::RoundTrips { connections: 32 },
    Measure::Upgrades { at_a_time: 16 },
    Measure::Idle { connections: 2_000 },
];

const fn bulk(way: Way, receipt: Receipt, connections: usize) -> Measure {
    Measure::Bulk {
        way,
        receipt,
        connections,
    }
}

/// A figure, and the proxy's processor time for each piece of it where that is asked.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub figure: f64,
    pub micros: Option<f64>,
    /// The client's and the backend's.
    pub ends: Option<f64>,
    /// How many processors other programs kept busy meanwhile.
    pub others: f64,
}

impl Measure {
    /// Measures once.
    ///
    /// # Errors
    /// A connection does not do what it should.
    pub fn sample(self, proxy: &Proxy, lasts: Duration) -> Result<Sample> {
        let address = proxy.address();
        match self {
            Self::Bulk {
                way,
                receipt,
                connections,
            } => {
                let mut clients = Clients::bulk(address, connections, way, receipt)?;
                clients.transfer(way, receipt, lasts / 4)?;
                let sample = rate(proxy, || {
                    Ok(clients.transfer(way, receipt, lasts)? as f64 / MIB)
                })?;
                clients.end()?;
                Ok(sample)
            }
            Self::RoundTrips { connections } => {
                let mut clients = Clients::echo(address, connections)?;
                clients.round_trips(lasts / 4)?;
                rate(proxy, || Ok(clients.round_trips(lasts)? as f64))
            }
            Self::Upgrades { at_a_time } => rate(proxy, || {
                Ok(client::upgrades(address, at_a_time, lasts)? as f64)
            }),
            Self::Idle { connections } => idle(proxy, connections),
        }
    }

    /// Returns what the command line calls it.
    #[must_use]
    pub fn key(self) -> String {
        match self {
            Self::Bulk {
                way,
                receipt,
                connections,
            } => {
                let way = match way {
                    Way::Up => "up",
                    Way::Down => "down",
                };
                let receipt = match receipt {
                    Receipt::Discarded => "",
                    Receipt::Read => "-read",
                };
                format!("bulk-{way}-{connections}{receipt}")
            }
            Self::RoundTrips { connections } => format!("round-trips-{connections}"),
            Self::Upgrades { .. } => "upgrades".into(),
            Self::Idle { .. } => "idle".into(),
        }
    }

    /// Whether what a process did before would be in its figure.
    #[must_use]
    pub const fn is_of_a_fresh_process(self) -> bool {
        matches!(self, Self::Idle { .. })
    }

    /// Returns what processor time is counted for.
    #[must_use]
    pub const fn piece(self) -> &'static str {
        match self {
            Self::Bulk { .. } => "MiB",
            Self::RoundTrips { .. } => "round trip",
            Self::Upgrades { .. } => "upgrade",
            Self::Idle { .. } => "connection",
        }
    }

    /// Returns the unit of its figure.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Bulk { .. } => "MiB/s",
            Self::RoundTrips { .. } | Self::Upgrades { .. } => "/s",
            Self::Idle { .. } => "bytes",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bulk {
                way,
                receipt,
                connections,
            } => {
                let way = match way {
                    Way::Up => "to the backend",
                    Way::Down => "from the backend",
                };
                let receipt = match receipt {
                    Receipt::Discarded => "",
                    Receipt::Read => ", which is read",
                };
                write!(f, "Bulk {way}{receipt}, {connections} at once")
            }
            Self::RoundTrips { connections } => {
                write!(f, "Round trips of 64 bytes, {connections} at once")
            }
            Self::Upgrades { at_a_time } => write!(f, "Upgrades, {at_a_time} at once"),
            Self::Idle { connections } => {
                write!(f, "Resident memory, each of {connections} idle connections")
            }
        }
    }
}

/// Returns how much is done in a second, and the proxy's processor time for one of it.
fn rate(proxy: &Proxy, work: impl FnOnce() -> Result<f64>) -> Result<Sample> {
    let spent = || -> Result<[f64; 3]> {
        Ok([
            processes::time_spent(proxy.processes())?,
            processes::time_spent(&proxy.ends())?,
            processes::all_busy()?,
        ])
    };
    let before = spent()?;
    let start = Instant::now();
    let done = work()?;
    let elapsed = start.elapsed();
    let after = spent()?;
    let [own, ends, all] = [0, 1, 2].map(|place| after[place] - before[place]);
    Ok(Sample {
        figure: done / elapsed.as_secs_f64(),
        micros: (!proxy.processes().is_empty()).then_some(own / done),
        ends: Some(ends / done),
        others: (all - own - ends) / (elapsed.as_secs_f64() * 1e6),
    })
}

/// Returns the resident bytes that each of so many connections adds, after some that came and went.
fn idle(proxy: &Proxy, connections: usize) -> Result<Sample> {
    for _ in 0..WARM_UP {
        Clients::idle(proxy.address(), 1)?;
    }
    let before = settled(proxy)?;
    let crowd = Clients::idle(proxy.address(), connections)?;
    let after = settled(proxy)?;
    drop(crowd);
    sleep(Duration::from_millis(200));
    Ok(Sample {
        figure: (after as f64 - before as f64) / connections as f64,
        micros: None,
        ends: None,
        others: 0.0,
    })
}

fn settled(proxy: &Proxy) -> Result<u64> {
    proxy
        .processes()
        .iter()
        .map(|process| resident::settled(*process))
        .sum()
}

/// How many connections come and go before the idle ones, one after another.
const WARM_UP: usize = 200;

const MIB: f64 = 1_048_576.0;
