//! `Parting`: the layer's drain, watched by one connection.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use crate::lifetime::Draining;

/// Tells once that the drain has started.
///
/// All connections of a drain share its lock. So it is asked when it called and at the beginning,
/// and not whenever a message was read.
pub(super) struct Parting {
    draining: Pin<Box<Draining>>,
    call: Arc<Call>,
}

/// What the drain wakes.
struct Call {
    came: AtomicBool,
    reader: Mutex<Waker>,
}

impl Parting {
    /// Watches; `None` if there is no drain.
    pub(super) fn watch(draining: Draining) -> Option<Self> {
        draining.has_drain().then(|| Self {
            draining: Box::pin(draining),
            call: Arc::new(Call {
                came: AtomicBool::new(true),
                reader: Mutex::new(Waker::noop().clone()),
            }),
        })
    }

    /// Whether the drain called since it was asked.
    pub(super) fn is_called(&self) -> bool {
        self.call.came.load(Ordering::Acquire)
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.call.listen(cx.waker());
        if !self.call.came.swap(false, Ordering::AcqRel) {
            return Poll::Pending;
        }
        let call = Waker::from(Arc::clone(&self.call));
        self.draining.as_mut().poll(&mut Context::from_waker(&call))
    }
}

impl Call {
    fn listen(&self, waker: &Waker) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        reader.clone_from(waker);
    }
}

impl Wake for Call {
    fn wake(self: Arc<Self>) {
        self.came.store(true, Ordering::Release);
        // A waker is somebody else's code, so it is not called under the lock.
        let reader = self
            .reader
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        reader.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::{Context, Wake, Waker},
    };

    use super::Parting;
    use crate::{Drain, lifetime::Draining};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (Arc::clone(&count), Waker::from(count))
    }

    #[test]
    fn who_polled_last_is_woken_and_told_once() {
        let drain = Drain::new();
        let mut parting = Parting::watch(drain.started()).unwrap();
        let ((first, one), (last, other)) = (counted(), counted());
        for waker in [&one, &one, &other] {
            assert!(parting.poll(&mut Context::from_waker(waker)).is_pending());
        }
        drain.start();
        let woken = |count: &Count| count.0.load(Ordering::SeqCst);
        assert_eq!((woken(&first), woken(&last)), (0, 1));
        assert!(parting.poll(&mut Context::from_waker(&other)).is_ready());
    }

    #[test]
    fn the_drain_is_asked_at_first_and_when_it_called() {
        let drain = Drain::new();
        let mut parting = Parting::watch(drain.started()).unwrap();
        let (_, waker) = counted();
        assert!(parting.poll(&mut Context::from_waker(&waker)).is_pending());
        // A future that the drain does not know of yet, and so does not call.
        parting.draining = Box::pin(drain.started());
        drain.start();
        assert!(parting.poll(&mut Context::from_waker(&waker)).is_pending());
        let direct = pin!(drain.started());
        assert!(direct.poll(&mut Context::from_waker(&waker)).is_ready());
    }

    #[test]
    fn without_a_drain_there_is_nothing_to_watch() {
        assert!(Parting::watch(Draining::never()).is_none());
    }
}
