//! Why [`WebSocketUpgrade`](super::WebSocketUpgrade) was not extracted.

/// The rejection of [`WebSocketUpgrade`](super::WebSocketUpgrade): a [`Refusal`](crate::Refusal),
/// whose [`kind`](crate::Refusal::kind) says which.
pub type WebSocketUpgradeRejection = crate::refusal::Refusal;
