//! `Options`: what a handler sets before there is a WebSocket.

use http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::{connection::Connection, heartbeat::Heartbeat, socket::WebSocket};
use crate::upgrade::Upgraded;

#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    pub(super) config: WebSocketConfig,
    pub(super) heartbeat: Option<Heartbeat>,
    pub(super) is_drained_by_handler: bool,
}

impl Options {
    pub(super) fn open(mut self, io: Upgraded, protocol: Option<HeaderValue>) -> WebSocket {
        // The engine panics otherwise.
        let least = self.config.write_buffer_size.saturating_add(1);
        self.config.max_write_buffer_size = self.config.max_write_buffer_size.max(least);
        // A frame that is more than a message may be is known by its head, and not kept until it is whole.
        if let Some(message) = self.config.max_message_size {
            let frame = self.config.max_frame_size.unwrap_or(message);
            self.config.max_frame_size = Some(frame.min(message));
        }
        let draining = (!self.is_drained_by_handler).then(|| io.draining());
        let connection = Connection::new(io, protocol, self.config, self.heartbeat, draining);
        WebSocket::new(connection)
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config: WebSocketConfig::default().read_buffer_size(READ_BUFFER_SIZE),
            heartbeat: None,
            is_drained_by_handler: false,
        }
    }
}

/// Most of what an idle connection costs.
const READ_BUFFER_SIZE: usize = 4 << 10;
