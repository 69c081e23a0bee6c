//! The program: a proxy or a backend where it was started as one, and otherwise who compares them.

use std::{env, io::Result, thread::sleep, time::Duration};

use super::{
    asked::Asked,
    candidate::{self, BASE, NGINX_NAME, OWN, Proxy},
    daemon::{HAPROXY, NGINX},
    goals,
    measure::{Measure, Sample},
    processes,
    table::{self, Row},
};
use crate::{loopback::child, memory::descriptors};

/// Does what the arguments say.
///
/// # Errors
/// A server does not start, or a connection does not do what it should.
pub fn main() -> Result<()> {
    match child::name() {
        Some(key) => candidate::serve(&key, child::behind()),
        None => compare(&Asked::read(env::args().skip(1))?),
    }
}

fn compare(asked: &Asked) -> Result<()> {
    descriptors::raise()?;
    let mut tables = Vec::with_capacity(asked.measures.len());
    let mut proxies = Vec::with_capacity(asked.candidates.len());
    for candidate in &asked.candidates {
        proxies.push(candidate.start()?);
    }
    for measure in &asked.measures {
        let rows = if measure.is_of_a_fresh_process() {
            one_by_one(*measure, asked)?
        } else {
            in_turn(*measure, asked, &proxies)?
        };
        table::print(*measure, &rows, BASE);
        tables.push((*measure, rows));
    }
    table::summary(&tables, BASE);
    goals::print(&tables, OWN, NGINX_NAME, BASE);
    println!("\n{}", footnote(asked));
    Ok(())
}

/// Lets the candidates take turns, each time in another order.
fn in_turn(measure: Measure, asked: &Asked, proxies: &[Option<Proxy>]) -> Result<Vec<Row>> {
    let mut samples = vec![Vec::with_capacity(asked.turns); proxies.len()];
    let mut patience = asked.patience;
    for turn in 0..asked.turns {
        for place in 0..proxies.len() {
            let place = (place + turn) % proxies.len();
            if let Some(proxy) = &proxies[place] {
                let sample = calmest(measure, proxy, asked.lasts, &mut patience)?;
                samples[place].push(sample);
                // For what a proxy does after the last connection has ended.
                sleep(Duration::from_millis(30));
            }
        }
    }
    let names = asked.candidates.iter().map(|candidate| candidate.name);
    let samples = proxies.iter().zip(samples);
    Ok(names
        .zip(samples)
        .map(|(name, (proxy, samples))| Row {
            name,
            samples: proxy.as_ref().map(|_| samples),
        })
        .collect())
}

/// Starts each candidate for this measure alone, a few times.
fn one_by_one(measure: Measure, asked: &Asked) -> Result<Vec<Row>> {
    let mut rows = Vec::with_capacity(asked.candidates.len());
    for candidate in &asked.candidates {
        let mut samples = Vec::new();
        let mut is_there = true;
        for _ in 0..asked.turns.min(3) {
            match candidate.start()? {
                Some(proxy) if proxy.processes().is_empty() => {}
                Some(proxy) => samples.push(measure.sample(&proxy, asked.lasts)?),
                None => is_there = false,
            }
        }
        rows.push(Row {
            name: candidate.name,
            samples: is_there.then_some(samples),
        });
    }
    Ok(rows)
}

/// Measures, and as long as there is patience left again where other programs disturbed it.
fn calmest(
    measure: Measure,
    proxy: &Proxy,
    lasts: Duration,
    patience: &mut Duration,
) -> Result<Sample> {
    wait_for_calm(patience)?;
    let mut sample = measure.sample(proxy, lasts)?;
    while sample.others > DISTURBED && *patience > lasts {
        *patience -= lasts;
        wait_for_calm(patience)?;
        let again = measure.sample(proxy, lasts)?;
        if again.others < sample.others {
            sample = again;
        }
    }
    Ok(sample)
}

fn wait_for_calm(patience: &mut Duration) -> Result<()> {
    while *patience > LOOK {
        let before = processes::all_busy()?;
        sleep(LOOK);
        if processes::all_busy()? - before <= DISTURBED * LOOK.as_micros() as f64 {
            break;
        }
        *patience -= LOOK;
    }
    Ok(())
}

fn footnote(asked: &Asked) -> String {
    let version = |version: Option<String>| version.unwrap_or_else(|| "not installed".into());
    format!(
        "The median of {} turns of {} ms each; from – to are the least and the most. One thread a proxy, alone on \
         processor 0; client and backend on 1. CPU is the proxy's, in its own code and in the system's. Nothing of \
         the sockets' memory is in what is resident. `others` is how many processors other programs kept busy at \
         most.\nnginx: {}. HAProxy: {}.",
        asked.turns,
        asked.lasts.as_millis(),
        version(NGINX.version()),
        version(HAPROXY.version())
    )
}

/// So much of a processor may other programs take.
const DISTURBED: f64 = 0.15;

/// So long it is looked whether they are quiet.
const LOOK: Duration = Duration::from_millis(100);
