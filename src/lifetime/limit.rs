//! `Limit`: how many upgraded connections there may be (rule 14).

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{HeaderValue, header::RETRY_AFTER};

use crate::{
    head::Head,
    refusal::{Refusal, RefusalKind},
};

/// How many upgraded connections there may be at a time, in all or for each key.
///
/// A permit is taken when an offer was let through, before the service is called, and returned when
/// the connection is gone. It is returned too when the service declines, fails or panics, when the
/// request is dropped, and when the connection is never handed over.
///
/// Clones count together: one limit given to several layers holds for all of them.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_upgrade::{Limit, Policy, UpgradeLayer, WebSocket, lifetime::forwarded_for};
///
/// let layer = UpgradeLayer::new(Policy::require(WebSocket::new()))
///     .limit(Limit::total(50_000).retry_after(Duration::from_secs(30)))
///     .limit(Limit::per_key(20, forwarded_for(1)));
/// # let _ = layer;
/// ```
#[derive(Clone)]
#[must_use]
pub struct Limit {
    count: Count,
    retry_after: Duration,
}

#[derive(Clone)]
enum Count {
    Total(Arc<Total>),
    PerKey(Arc<PerKey>),
}

struct Total {
    max: usize,
    live: AtomicUsize,
}

struct PerKey {
    max: u32,
    key: Box<HashKey>,
    hasher: RandomState,
    /// By a hash whose secret is this process's own: 64 bits that no client can make collide, in place
    /// of keys of any size.
    live: Mutex<HashMap<u64, u32>>,
}

type HashKey = dyn Fn(&RandomState, &Head<'_>) -> u64 + Send + Sync;

impl Limit {
    /// Allows so many connections in all; more are refused with 503.
    pub fn total(max: usize) -> Self {
        let live = AtomicUsize::new(0);
        Self::new(Count::Total(Arc::new(Total { max, live })))
    }

    /// Allows so many connections for each key, such as a client's address or an account; more are
    /// refused with 429.
    ///
    /// `key` sees the head of the request and what layers further out left in its extensions.
    /// [`forwarded_for`](super::forwarded_for), [`peer_ip`](super::peer_ip) and, for axum, `axum::client_ip`
    /// give addresses. Where they give `None`, that is a key like any other: all clients whose address is
    /// not known share one count.
    ///
    /// What is kept for a key is gone with its last connection.
    pub fn per_key<K, F>(max: u32, key: F) -> Self
    where
        F: Fn(&Head<'_>) -> K + Send + Sync + 'static,
        K: Hash,
    {
        Self::new(Count::PerKey(Arc::new(PerKey {
            max,
            key: Box::new(move |hasher, head| hasher.hash_one(key(head))),
            hasher: RandomState::new(),
            live: Mutex::default(),
        })))
    }

    const fn new(count: Count) -> Self {
        Self {
            count,
            retry_after: RETRY_AFTER_UNLESS_SET,
        }
    }

    /// Tells refused clients to come back after so long, in `Retry-After`, by whole seconds rounded
    /// up; after 10 unless this is set.
    pub const fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = delay;
        self
    }

    /// Returns how many permits are out, over all keys.
    #[must_use]
    pub fn live(&self) -> usize {
        match &self.count {
            Count::Total(total) => total.live.load(Ordering::Relaxed),
            Count::PerKey(keys) => keys.lock().values().map(|live| *live as usize).sum(),
        }
    }

    pub(super) fn acquire(&self, head: &Head<'_>) -> Result<Permit, Refusal> {
        match &self.count {
            Count::Total(total) => total.acquire().ok_or_else(|| self.refuse_total()),
            Count::PerKey(keys) => keys.acquire(head).ok_or_else(|| self.refuse_key()),
        }
    }

    #[cold]
    fn refuse_total(&self) -> Refusal {
        let hint = "as many connections are open here as there may be";
        self.refuse(RefusalKind::TotalLimit, hint)
    }

    #[cold]
    fn refuse_key(&self) -> Refusal {
        let hint = "as many connections are open for this client as there may be";
        self.refuse(RefusalKind::KeyLimit, hint)
    }

    fn refuse(&self, kind: RefusalKind, hint: &'static str) -> Refusal {
        let begun = u64::from(self.retry_after.subsec_nanos() > 0);
        let seconds = self.retry_after.as_secs().saturating_add(begun);
        Refusal::new(kind, hint).with_field(RETRY_AFTER, HeaderValue::from(seconds))
    }
}

const RETRY_AFTER_UNLESS_SET: Duration = Duration::from_secs(10);

impl Total {
    fn acquire(self: &Arc<Self>) -> Option<Permit> {
        let more = |live| (live < self.max).then_some(live + 1);
        let order = Ordering::Relaxed;
        self.live.fetch_update(order, order, more).ok()?;
        Some(Permit(Place::InAll(Arc::clone(self))))
    }
}

impl PerKey {
    fn acquire(self: &Arc<Self>, head: &Head<'_>) -> Option<Permit> {
        // Somebody else's code, so not under the lock.
        let key = (self.key)(&self.hasher, head);
        let mut keys = self.lock();
        let live = keys.get(&key).copied().unwrap_or(0);
        if live >= self.max {
            return None;
        }
        keys.insert(key, live + 1);
        Some(Permit(Place::OfKey(Arc::clone(self), key)))
    }

    fn release(&self, key: u64) {
        let mut keys = self.lock();
        match keys.get_mut(&key) {
            Some(live) if *live > 1 => *live -= 1,
            _ => {
                keys.remove(&key);
            }
        }
        // A crowd that has left should not be remembered by its room.
        if keys.capacity() > ROOM_KEPT && keys.len() < keys.capacity() / 8 {
            keys.shrink_to(ROOM_KEPT);
        }
    }

    /// No code that can panic runs under the lock, so that a poisoned state is a sound one.
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, u32>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const ROOM_KEPT: usize = 64;

/// A connection's place within a limit, which it gives back when it is dropped.
pub(super) struct Permit(Place);

enum Place {
    InAll(Arc<Total>),
    OfKey(Arc<PerKey>, u64),
}

impl Drop for Permit {
    fn drop(&mut self) {
        match &self.0 {
            Place::InAll(total) => {
                total.live.fetch_sub(1, Ordering::Relaxed);
            }
            Place::OfKey(keys, key) => keys.release(*key),
        }
    }
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, max) = match &self.count {
            Count::Total(total) => ("Limit::total", total.max),
            Count::PerKey(keys) => ("Limit::per_key", keys.max as usize),
        };
        f.debug_struct(name)
            .field("max", &max)
            .field("live", &self.live())
            .field("retry_after", &self.retry_after)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::{Request, header::RETRY_AFTER};

    use super::{Count, Limit, Permit};
    use crate::{
        head::Head,
        refusal::{Refusal, RefusalKind},
    };

    fn acquire(limit: &Limit, path: &str) -> Result<Permit, Refusal> {
        let request = Request::get(path).body(()).unwrap();
        limit.acquire(&Head::from(&request))
    }

    #[track_caller]
    fn refuses(limit: &Limit, path: &str, kind: RefusalKind, status: u16, retry_after: &str) {
        let refusal = acquire(limit, path).err().expect("a refusal");
        assert_eq!((refusal.kind(), refusal.status().as_u16()), (kind, status));
        assert_eq!(refusal.fields()[RETRY_AFTER], retry_after);
    }

    #[test]
    fn a_total_is_given_out_and_taken_back() {
        let limit = Limit::total(2);
        let _one = acquire(&limit, "/").unwrap();
        let two = acquire(&limit, "/").unwrap();
        refuses(&limit, "/", RefusalKind::TotalLimit, 503, "10");
        drop(two);
        let _two = acquire(&limit.clone(), "/").unwrap();
        refuses(&limit, "/", RefusalKind::TotalLimit, 503, "10");
        assert_eq!(limit.live(), 2);
    }

    #[test]
    fn every_key_has_a_count_which_is_gone_with_its_last_permit() {
        let limit = Limit::per_key(1, |head| head.uri.path().to_owned());
        let limit = limit.retry_after(Duration::from_millis(2_001));
        let a = acquire(&limit, "/a").unwrap();
        refuses(&limit, "/a", RefusalKind::KeyLimit, 429, "3");
        let b = acquire(&limit, "/b").unwrap();
        assert_eq!(limit.live(), 2);
        drop(a);
        refuses(&limit, "/b", RefusalKind::KeyLimit, 429, "3");
        drop((b, acquire(&limit, "/a").unwrap()));
        let Count::PerKey(keys) = &limit.count else {
            unreachable!()
        };
        assert!(keys.lock().is_empty());
    }

    #[test]
    fn a_crowd_that_left_takes_no_room() {
        let limit = Limit::per_key(1, |head| head.uri.path().to_owned());
        let crowd: Vec<_> = (0..10_000)
            .map(|n| acquire(&limit, &format!("/{n}")))
            .collect();
        assert_eq!(limit.live(), 10_000);
        drop(crowd);
        let Count::PerKey(keys) = &limit.count else {
            unreachable!()
        };
        assert!(keys.lock().capacity() < 1_000);
    }

    #[test]
    fn nobody_gets_in_at_zero() {
        refuses(&Limit::total(0), "/", RefusalKind::TotalLimit, 503, "10");
        let none = Limit::per_key(0, |_| ());
        refuses(&none, "/", RefusalKind::KeyLimit, 429, "10");
    }
}
