//! Real programs against the examples: clients, and proxies in between.
//!
//! A test that needs programs which a machine may not have is ignored unless asked for.
//! `.ci/install` brings them, then: `cargo test --all-features --test interop -- --ignored`
#![expect(clippy::panic, reason = "the helpers of a test may say what they mean")]

/// What these tests share with the others.
#[path = "../it"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    reason = "they use more of it, and say so themselves"
)]
mod it {
    pub(crate) mod wire;
}

mod browser;
mod curl;
mod docker;
mod doctor;
mod pods;
#[expect(dead_code, reason = "it starts what other tests need, too")]
mod process;
mod proxies;
mod proxy;
mod python;
mod rolling;
mod rows;
mod tunnel;
mod wscat;
