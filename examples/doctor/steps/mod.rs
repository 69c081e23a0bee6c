//! The checks, each a file: from a name to an idle WebSocket.

mod fault;
mod handshake;
mod http2;
mod live;
mod page;
mod probes;
mod reach;
mod refusal;
mod switch;
mod tls;
mod wanted;
mod who;

pub(crate) use self::{
    handshake::handshake,
    http2::http2,
    live::live,
    page::{page, page_failed},
    probes::probes,
    reach::reach,
    refusal::is_about_origin,
    tls::{Alpn, tls},
    who::who,
};
