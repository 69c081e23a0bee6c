//! The life of an upgraded connection: limits, clocks, drains and observers (rules 14, 20, 22 and 24).
//!
//! Without a server, and with time paused, wherever a server is not the point.

mod causes;
mod clocks;
mod clocks_http;
mod drain;
mod drain_http2;
mod drain_states;
mod drain_tasks;
mod graceful;
mod half_closed;
mod lease;
mod limits;
mod limits_http;
mod memory;
mod observer;
mod observer_panics;
mod offers;
mod panics;
mod permits;
mod races;
mod races_tcp;
mod random;
mod record;
mod runtime;
