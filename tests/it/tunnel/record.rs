//! An observer that keeps what was agreed on, and how it ended.

use std::sync::{Arc, Mutex, PoisonError};

use tower_upgrade::{
    Observer,
    observe::{Closing, Connection},
};

use crate::wire::patiently;

/// All that was told so far.
#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Told>>);

#[derive(Clone, Default)]
struct Told {
    events: Vec<String>,
    closings: Vec<Closing>,
}

impl Record {
    /// Returns what was told in order: `accepted echo/1.0`, or `closed websocket chat`.
    pub(crate) fn events(&self) -> Vec<String> {
        self.told(|told| told.events.clone())
    }

    /// Waits until so many connections have ended, and returns how.
    pub(crate) async fn closings(&self, number: usize) -> Vec<Closing> {
        patiently("a connection to be told as closed", async {
            loop {
                let closings = self.told(|told| told.closings.clone());
                if closings.len() >= number {
                    break closings;
                }
                tokio::task::yield_now().await;
            }
        })
        .await
    }

    fn told<T>(&self, look: impl FnOnce(&mut Told) -> T) -> T {
        look(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn push(&self, what: &str, connection: &Connection<'_>) {
        let mut event = format!("{what} {}", connection.protocol);
        if let Some(subprotocol) = connection.subprotocol {
            event = format!("{event} {subprotocol}");
        }
        self.told(|told| told.events.push(event));
    }
}

impl Observer for Record {
    fn declined(&self, connection: &Connection<'_>) {
        self.push("declined", connection);
    }

    fn accepted(&self, connection: &Connection<'_>) {
        self.push("accepted", connection);
    }

    fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
        self.push("closed", connection);
        self.told(|told| told.closings.push(*closing));
    }
}
