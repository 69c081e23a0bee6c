#![doc = "Tower middleware for HTTP's protocol upgrade."]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "axum")]
pub mod axum;
mod body;
mod future;
pub mod grammar;
mod layer;
pub mod negotiate;
mod protocol;
mod refusal;
mod service;
mod switch;
mod upgrade;
pub mod websocket;

pub use self::{
    body::ResponseBody,
    future::ResponseFuture,
    layer::{Policies, UpgradeLayer},
    negotiate::{Policy, Routes},
    protocol::{InvalidProtocol, Protocol},
    refusal::{Refusal, RefusalKind},
    service::Upgrade,
    upgrade::{ContentBody, OnUpgrade, Parts, Pending, UpgradeError, Upgraded},
    websocket::WebSocket,
};
