//! What tasks meet by. Under `--cfg interleave` it is loom's, which tries every order of events.

pub(crate) use std::sync::{Arc, Mutex, MutexGuard, atomic::AtomicBool};
