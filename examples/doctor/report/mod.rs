//! What is told in the end: the findings of all hops, and the verdict.

mod json;
mod table;

use std::process::ExitCode;

pub(crate) use self::{json::json, table::table};
use crate::{compare::Culprit, finding::Level, target::Target, visit::Visit};

/// All that was found.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) target: Target,
    pub(crate) visits: Vec<Visit>,
    pub(crate) culprits: Vec<Culprit>,
    /// Somebody had enough: it is what was found so far.
    pub(crate) is_interrupted: bool,
}

/// What it comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Fine,
    Warned,
    Broken,
    Interrupted,
    /// Not even a TCP connection was made.
    Untried,
}

impl Verdict {
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Warned => 1,
            Self::Broken => 2,
            Self::Untried => 3,
            // As shells have it of SIGINT.
            Self::Interrupted => 130,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Warned => "warned",
            Self::Broken => "broken",
            Self::Untried => "untried",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Report {
    pub(crate) fn verdict(&self) -> Verdict {
        if self.is_interrupted {
            return Verdict::Interrupted;
        }
        let is_reached = self.visits.first().is_some_and(|edge| edge.seen.is_reached);
        if !is_reached {
            return Verdict::Untried;
        }
        let findings = self.visits.iter().flat_map(|visit| &visit.findings);
        match findings.map(|finding| finding.level).max() {
            Some(Level::Error) => Verdict::Broken,
            Some(Level::Warning) => Verdict::Warned,
            _ => Verdict::Fine,
        }
    }

    pub(crate) fn exit(&self) -> ExitCode {
        ExitCode::from(self.verdict().code())
    }

    fn count(&self, level: Level) -> usize {
        let findings = self.visits.iter().flat_map(|visit| &visit.findings);
        findings.filter(|finding| finding.level == level).count()
    }
}
