//! An observer that keeps what it is told.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tower_upgrade::{
    Head, Observer, Refusal,
    observe::{Closing, Connection},
};

/// All that was told so far.
#[derive(Clone, Default)]
pub(super) struct Record(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    events: Vec<String>,
    closings: Vec<Closing>,
    ids: BTreeSet<u64>,
}

impl Record {
    /// Returns the events in order, an accepted connection's end with its cause.
    pub(super) fn events(&self) -> Vec<String> {
        self.told().events.clone()
    }

    /// Returns the ends of connections in order.
    pub(super) fn closings(&self) -> Vec<Closing> {
        self.told().closings.clone()
    }

    /// Returns the only connection's end: its cause, as `Debug` writes it, and its duration.
    #[track_caller]
    pub(super) fn only_closing(&self) -> (String, Duration) {
        let closings = self.closings();
        assert_eq!(closings.len(), 1, "{closings:?}");
        (format!("{:?}", closings[0].cause), closings[0].duration)
    }

    /// Returns how many connections the events were about.
    pub(super) fn connections(&self) -> usize {
        self.told().ids.len()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, event: impl Into<String>, connection: Option<&Connection<'_>>) {
        let mut told = self.told();
        told.events.push(event.into());
        told.ids.extend(connection.map(|connection| connection.id));
    }
}

impl Observer for Record {
    fn offered(&self, head: &Head<'_>) {
        self.push(format!("offered {}", head.uri.path()), None);
    }

    fn passed(&self, head: &Head<'_>) {
        self.push(format!("passed {}", head.uri.path()), None);
    }

    fn refused(&self, refusal: &Refusal) {
        self.push(format!("refused {}", refusal.kind()), None);
    }

    fn declined(&self, connection: &Connection<'_>) {
        self.push("declined", Some(connection));
    }

    fn accepted(&self, connection: &Connection<'_>) {
        self.push("accepted", Some(connection));
    }

    fn handed_over(&self, connection: &Connection<'_>) {
        self.push("handed over", Some(connection));
    }

    fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
        self.told().closings.push(*closing);
        self.push(format!("closed {:?}", closing.cause), Some(connection));
    }
}
