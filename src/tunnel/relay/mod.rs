//! Both directions between two connections, until both have ended.
//!
//! ```text
//!          ┌───────────── Pump up ─────────────┐
//! client ══╡                                   ╞══ upstream
//!          └──────────── Pump down ────────────┘
//! ```

mod end;
mod join;
mod pace;
mod pump;
mod scratch;
#[cfg(target_os = "linux")]
mod splice;
#[cfg(not(target_os = "linux"))]
#[path = "no_splice.rs"]
mod splice;
mod tcp;

pub(super) use self::{join::Relay, pace::Speed};
