//! Servers that take our I/O with parts of its life on, and with all.

use super::{
    candidate::{Candidate, Goal},
    io::behind,
};
use crate::handshake::lifetime;

/// Each part alone, and at last all of them together.
pub const CANDIDATES: &[Candidate] = &[
    Candidate {
        name: "tower-upgrade, `Limit::total`",
        goal: None,
        serve: || behind(lifetime::limited()),
    },
    Candidate {
        name: "tower-upgrade, `Limit::per_key`, every client another",
        goal: None,
        serve: || behind(lifetime::limited_by_client()),
    },
    Candidate {
        name: "tower-upgrade, idle timeout",
        goal: None,
        serve: || behind(lifetime::idle()),
    },
    Candidate {
        name: "tower-upgrade, all clocks",
        goal: None,
        serve: || behind(lifetime::clocked()),
    },
    Candidate {
        name: "tower-upgrade, drain",
        goal: None,
        serve: || behind(lifetime::drained()),
    },
    Candidate {
        name: "tower-upgrade, observer",
        goal: None,
        serve: || behind(lifetime::observed()),
    },
    Candidate {
        name: "tower-upgrade, everything on",
        goal: Some(Goal::Over(512.0)),
        serve: || behind(lifetime::everything()),
    },
];
