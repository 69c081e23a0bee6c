//! What tasks meet by, of a kind that tries every order of events.

pub(crate) use loom::sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool};
