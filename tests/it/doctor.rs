//! The example `doctor` as a process: each thing it looks at, right and wrong.
//!
//! An honest server has nothing that it could find fault with. Each lie changes one thing of it.

mod certificates;
mod gallery;
mod hops;
mod http2;
mod lies;
mod lines;
mod nothing;
mod refusals;
mod requests;
mod run;
mod server;
mod words;
