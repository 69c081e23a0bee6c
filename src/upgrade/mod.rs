//! From the server's handle to the upgraded connection in a handler's hands.

mod content;
mod error;
mod handle;
mod hyper;
mod io;
mod on_upgrade;
mod pending;
mod serve;
mod slot;
mod upgraded;

pub use self::{
    content::ContentBody,
    error::UpgradeError,
    on_upgrade::OnUpgrade,
    pending::Pending,
    upgraded::{Parts, Upgraded},
};
pub(crate) use self::{
    content::Unread,
    error::Kind,
    handle::Handle,
    hyper::{ServerHandle, connect_protocol, forget_connect, normalise_connect},
    slot::Slot,
};
