//! Real programs against the examples `gallery`, `chat` and `graceful`.
//!
//! Every test is ignored unless asked for, since it needs programs that a machine may not have.
//! `.ci/install` brings them, then: `cargo test --all-features --test interop -- --ignored`
#![expect(clippy::panic, reason = "the helpers of a test may say what they mean")]

mod browser;
mod curl;
mod process;
mod python;
mod rows;
mod wscat;
