//! What is compared, and the table of it.

use std::{fmt, io::Result};

/// A server that keeps its upgraded connections and reads from them.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    /// What the table calls it, and what its process is told.
    pub name: &'static str,
    /// What one of its connections may cost.
    pub goal: Option<Goal>,
    /// Serves until the process's input ends.
    pub serve: fn() -> Result<()>,
}

/// How many bytes a connection may cost at most.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// So many more than with the first of the table.
    Over(f64),
    /// So many in all.
    AtMost(f64),
}

/// Prints what each candidate's connections cost, compared with the first.
pub fn print(title: &str, measured: &[(Candidate, f64)]) {
    println!("\n### {title}\n");
    println!("| | bytes | more | × | goal |\n|---|--:|--:|--:|---|");
    let Some(&(_, base)) = measured.first() else {
        return;
    };
    for (Candidate { name, goal, .. }, bytes) in measured {
        println!(
            "| {name} | {bytes:.0} | {:+.0} | {:.2} | {} |",
            bytes - base,
            bytes / base,
            goal.map_or_else(String::new, |goal| format!(
                "{goal}: {}",
                goal.judge(*bytes, base)
            )),
        );
    }
}

impl Goal {
    fn judge(self, bytes: f64, base: f64) -> &'static str {
        let met = match self {
            Self::Over(more) => bytes - base <= more,
            Self::AtMost(most) => bytes <= most,
        };
        if met { "met" } else { "missed" }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Over(more) => write!(f, "at most +{more}"),
            Self::AtMost(most) => write!(f, "at most {most}"),
        }
    }
}
