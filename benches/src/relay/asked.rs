//! What the command line asks for.

use std::{
    io::{Error, Result},
    time::Duration,
};

use super::{
    candidate::{self, Candidate},
    measure::{self, Measure},
};

/// What is to be measured, of what, and for how long.
#[derive(Debug)]
pub struct Asked {
    pub candidates: Vec<Candidate>,
    pub measures: Vec<Measure>,
    /// How often the candidates take turns.
    pub turns: usize,
    /// How long a turn lasts.
    pub lasts: Duration,
    /// How long a measure may wait, all in all, for other programs to be quiet.
    pub patience: Duration,
}

impl Asked {
    /// Reads the arguments: flags, and the beginnings of what measures are called.
    ///
    /// # Errors
    /// There is no such candidate or measure.
    pub fn read(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut asked = Self {
            candidates: candidate::all(),
            measures: Vec::new(),
            turns: 7,
            lasts: Duration::from_millis(500),
            patience: Duration::from_secs(45),
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo's own.
                "--bench" => {}
                "--quick" => {
                    asked.turns = 3;
                    asked.lasts = Duration::from_millis(250);
                    asked.patience = Duration::from_secs(5);
                }
                "--only" => asked.candidates = only(&arguments.next().unwrap_or_default())?,
                beginning => {
                    let before = asked.measures.len();
                    let those = measure::ALL.into_iter();
                    asked
                        .measures
                        .extend(those.filter(|m| m.key().starts_with(beginning)));
                    if asked.measures.len() == before {
                        return Err(unknown(beginning));
                    }
                }
            }
        }
        if asked.measures.is_empty() {
            asked.measures = measure::ALL.to_vec();
        }
        Ok(asked)
    }
}

fn only(keys: &str) -> Result<Vec<Candidate>> {
    let all = candidate::all();
    let of = |key| all.iter().find(|candidate| candidate.key == key).copied();
    keys.split(',')
        .map(|key| of(key).ok_or_else(|| unknown(key)))
        .collect()
}

fn unknown(word: &str) -> Error {
    let candidates: Vec<_> = candidate::all().iter().map(|c| c.key).collect();
    let measures: Vec<_> = measure::ALL.iter().map(|m| m.key()).collect();
    Error::other(format!(
        "there is no {word:?}: candidates are {}; measures {}",
        candidates.join(" "),
        measures.join(" ")
    ))
}
