//! The tunnel: requests and upgrades forwarded to another server, over every pair of versions.

mod answers;
mod bodies;
mod choice;
mod descriptors;
mod early;
mod edge;
mod ends;
mod errors;
mod fields;
mod life;
mod memory;
mod pairs;
mod pooling;
mod record;
mod relay;
mod upstream;
mod user;
mod verify;
