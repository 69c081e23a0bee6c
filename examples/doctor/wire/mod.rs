//! Bytes to and from a server, each wait and each buffer with a bound.

mod connect;
mod conversation;
mod der;
mod fault;
mod frames;
mod head;
mod http2;
mod request;
mod tls;
mod verdict;

pub(crate) use self::{
    connect::{Route, Stream},
    conversation::Conversation,
    fault::{Fault, within},
    frames::{End, Frames, Ping, close_frame, ping_frame},
    head::Head,
    http2::{Http2, Missed, Streams},
    request::Request,
    tls::{Tls, Trust, secure},
    verdict::Problem,
};
