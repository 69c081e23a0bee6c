//! The tunnel: requests and upgrades forwarded to another server, over every pair of versions.

mod edge;
mod pairs;
