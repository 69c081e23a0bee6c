//! What it costs to carry an upgraded connection: client, proxy and backend, a process each, on loopback.

pub mod asked;
pub mod backend;
pub mod candidate;
pub mod client;
pub mod daemon;
pub mod goals;
pub mod measure;
pub mod own;
pub mod processes;
pub mod readiness;
pub mod run;
pub mod table;
