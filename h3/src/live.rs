//! `Live`: how many connections there are, and when there is none any more.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Notify;

/// The connections of a server.
#[derive(Default)]
pub(crate) struct Live {
    count: AtomicUsize,
    none: Notify,
}

impl Live {
    pub(crate) fn enter(self: &Arc<Self>) -> Token {
        self.count.fetch_add(1, Ordering::AcqRel);
        Token(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) async fn none(&self) {
        loop {
            let none = self.none.notified();
            if self.count() == 0 {
                return;
            }
            none.await;
        }
    }
}

/// A connection's place among them, which it leaves when it is dropped.
pub(crate) struct Token(Arc<Live>);

impl Drop for Token {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.none.notify_waiters();
        }
    }
}
