//! From the server's handle to the upgraded connection in a handler's hands.

mod content;
mod error;
mod guarded;
mod handle;
mod hyper;
#[cfg(all(test, interleave))]
mod interleave;
mod io;
mod on_upgrade;
#[cfg(feature = "tunnel")]
mod operate;
mod pending;
mod serve;
#[cfg(feature = "tunnel")]
mod settle;
mod slot;
#[cfg(feature = "tracing")]
mod span;
#[cfg(not(feature = "tracing"))]
#[path = "no_span.rs"]
mod span;
mod upgraded;

#[cfg(feature = "tungstenite")]
pub(crate) use self::on_upgrade::Offered;
pub use self::{
    content::ContentBody,
    error::UpgradeError,
    io::Io,
    on_upgrade::OnUpgrade,
    pending::Pending,
    upgraded::{Lease, Parts, Upgraded},
};
pub(crate) use self::{
    content::Unread,
    error::Kind,
    handle::Handle,
    hyper::{ServerHandle, connect_protocol, forget_connect, normalise_connect},
    slot::Slot,
};
