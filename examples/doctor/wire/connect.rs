//! `Route`: a way to a server that was found once, to be gone again for each check.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{Conversation, Fault, Trust, secure, within};
use crate::target::Target;

/// What bytes go over.
pub(crate) type Stream = Box<dyn Io>;

pub(crate) trait Io: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// The address that answered, and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    pub(crate) target: Target,
    pub(crate) address: SocketAddr,
    pub(crate) trust: Trust,
    pub(crate) patience: Duration,
}

impl Route {
    pub(crate) async fn tcp(&self) -> Result<TcpStream, Fault> {
        let tcp = within(self.patience, TcpStream::connect(self.address)).await?;
        // Else a frame could wait for the acknowledgement of a head.
        let _ = tcp.set_nodelay(true);
        Ok(tcp)
    }

    /// Opens a connection on which a server with TLS may choose one of these protocols.
    async fn open(&self, alpn: &[&str]) -> Result<Stream, Fault> {
        let tcp = self.tcp().await?;
        if !self.target.is_secure() {
            return Ok(Box::new(tcp));
        }
        let tls = secure(tcp, &self.target, &self.trust, alpn, self.patience).await;
        Ok(Box::new(tls?.io))
    }

    /// Opens a connection for HTTP/1.1, the protocol that browsers ask for when they open a WebSocket.
    pub(crate) async fn http1(&self) -> Result<Conversation, Fault> {
        let io = self.open(&["http/1.1"]).await?;
        Ok(Conversation::new(io, self.patience))
    }

    /// Opens a connection for HTTP/2.
    pub(crate) async fn http2(&self) -> Result<Stream, Fault> {
        self.open(&["h2"]).await
    }
}
