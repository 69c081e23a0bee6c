//! The gallery behind real proxies: what each lets through, what it changes, and what it loses.
//!
//! What is found here stands in the README's table. A proxy that learns something new fails a test, so that
//! the table can be put right.

mod backend;
mod clocks;
mod fronts;
mod http1;
mod http2;
mod http2_client;
mod identity;
mod refusals;
