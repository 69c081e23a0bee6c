//! What an idle upgraded connection keeps resident in a server process of its own, on loopback.

pub mod candidate;
pub mod crowd;
pub mod descriptors;
pub mod drop_in;
pub mod engines;
pub mod io;
pub mod lifetime;
pub mod resident;
