//! `Terms`: what a layer's connections live by.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::{HeaderValue, Version, header::CONNECTION};

use super::{
    clocks::Clocks,
    drain::Drain,
    guard::Guard,
    limit::{Limit, Permit},
};
use crate::{
    head::Head,
    negotiate::Agreed,
    observe::Observer,
    refusal::{Refusal, RefusalKind},
};

/// What the connections of a layer live by; a layer without has no guards.
#[derive(Clone, Default)]
pub(crate) struct Terms {
    pub(crate) limits: Vec<Limit>,
    pub(crate) clocks: Clocks,
    pub(crate) drain: Option<Drain>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
}

impl Terms {
    /// Lets an offer in, if there is room, and nobody drains (rule 14).
    pub(crate) fn admit<T: Send + 'static>(
        self: &Arc<Self>,
        head: &Head<'_>,
        agreed: &Agreed,
    ) -> Result<Arc<Guard<T>>, Refusal> {
        if let Some(drain) = &self.drain {
            drain.refuse_if_started(|| draining(head.version))?;
        }
        let permits = self.acquire(head)?;
        let guard = Guard::new(Arc::clone(self), agreed.clone(), permits);
        if let Some(drain) = &self.drain {
            if !guard.join(drain) {
                return Err(draining(head.version));
            }
        }
        Ok(guard)
    }

    fn acquire(&self, head: &Head<'_>) -> Result<Box<[Permit]>, Refusal> {
        // Not by `collect`, which does not know how many there will be if one may fail.
        let mut permits = Vec::with_capacity(self.limits.len());
        for limit in &self.limits {
            permits.push(limit.acquire(head)?);
        }
        Ok(permits.into_boxed_slice())
    }

    /// Tells the observers. One that panics has been heard of by the panic hook; it must not keep a
    /// connection from its end, nor take the runtime's timer with it, whose thread this may be.
    pub(crate) fn tell(&self, event: impl Fn(&dyn Observer)) {
        for observer in &self.observers {
            let _ = catch_unwind(AssertUnwindSafe(|| event(&**observer)));
        }
    }
}

/// Refuses what a server that is about to end does not begin any more.
#[cold]
pub(crate) fn draining(version: Version) -> Refusal {
    let hint = "the server is about to end; another, or the same one later, will do";
    let refusal = Refusal::new(RefusalKind::Draining, hint);
    if version > Version::HTTP_11 {
        // The field does not exist there (RFC 9113 8.2.2).
        return refusal;
    }
    refusal.with_field(CONNECTION, HeaderValue::from_static("close"))
}

impl fmt::Debug for Terms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terms")
            .field("limits", &self.limits)
            .field("clocks", &self.clocks)
            .field("drain", &self.drain)
            .field("observers", &self.observers.len())
            .finish()
    }
}
