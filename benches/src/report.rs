//! Runs groups of candidates and prints a table for each.

use std::{io::Result, path::Path, time::Duration};

use crate::{
    callgrind,
    span::{self, mark},
    table::{Cost, Goal, Row, print},
};

/// Candidates that are compared; the first is what the others are compared with.
pub struct Group {
    title: &'static str,
    /// How many pieces of work a candidate does in one go.
    pieces: usize,
    /// How often the clock is asked, the candidates taking turns.
    rounds: usize,
    candidates: Vec<Candidate>,
}

struct Candidate {
    name: &'static str,
    goal: Option<Goal>,
    work: Work,
}

/// Does so many pieces of work, inside spans.
pub type Work = Box<dyn FnMut(usize)>;

impl Group {
    /// An empty group, where a candidate does `pieces` of work in each of `rounds`.
    #[must_use]
    pub fn new(title: &'static str, pieces: usize, rounds: usize) -> Self {
        Self {
            title,
            pieces,
            rounds,
            candidates: Vec::new(),
        }
    }

    /// Adds a candidate that is there to be compared with.
    #[must_use]
    pub fn peer(self, name: &'static str, work: Work) -> Self {
        self.candidate(name, None, work)
    }

    /// Adds a candidate that has a goal.
    #[must_use]
    pub fn ours(self, name: &'static str, goal: Goal, work: Work) -> Self {
        self.candidate(name, Some(goal), work)
    }

    fn candidate(mut self, name: &'static str, goal: Option<Goal>, work: Work) -> Self {
        self.candidates.push(Candidate { name, goal, work });
        self
    }

    /// Does the work once for callgrind, after a part that only warms up.
    fn count(&mut self) {
        for candidate in &mut self.candidates {
            (candidate.work)(self.pieces);
            mark();
            (candidate.work)(self.pieces);
            mark();
        }
    }

    /// Returns each candidate's best time and its allocations.
    fn measure(&mut self) -> Vec<(Duration, u64)> {
        let mut best = vec![(Duration::MAX, u64::MAX); self.candidates.len()];
        for _ in 0..self.rounds {
            for (candidate, best) in self.candidates.iter_mut().zip(&mut best) {
                span::take();
                (candidate.work)(self.pieces);
                let spent = span::take();
                *best = (best.0.min(spent.time), best.1.min(spent.allocations));
            }
        }
        best
    }
}

/// Measures every group and prints its table; callgrind's records go to the directory.
///
/// # Errors
/// The instructions could not be counted although valgrind is there.
pub fn run(records: &Path, mut groups: Vec<Group>) -> Result<()> {
    if callgrind::is_counted() {
        groups.iter_mut().for_each(Group::count);
        return Ok(());
    }
    let parts = callgrind::parts(records)?;
    // Every other part is a candidate's; those between are its warming up.
    let mut parts = parts.map(|parts| parts.into_iter().skip(1).step_by(2));
    for group in &mut groups {
        let measured = group.measure();
        let pieces = group.pieces as f64;
        let rows = group
            .candidates
            .iter()
            .zip(measured)
            .map(|(candidate, (time, allocations))| Row {
                name: candidate.name,
                goal: candidate.goal,
                cost: Cost {
                    instructions: parts
                        .as_mut()
                        .and_then(Iterator::next)
                        .map(|count| count as f64 / pieces),
                    nanoseconds: time.as_nanos() as f64 / pieces,
                    allocations: allocations as f64 / pieces,
                },
            });
        print(group.title, &rows.collect::<Vec<_>>());
    }
    Ok(())
}
