//! Real clients against the example `http3`, run as a program.
//!
//! They need what `.ci/install` brings: `cargo test -p tower-upgrade-h3 --test interop -- --ignored`
#![expect(
    clippy::unwrap_used,
    reason = "tests may say what they mean, their helpers too"
)]

mod aioquic;
mod chromium;
mod curl;
mod example;
