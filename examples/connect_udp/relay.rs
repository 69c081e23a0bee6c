//! Between an upgraded connection and a UDP socket.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, split},
    net::UdpSocket,
};
use tower_upgrade::Upgraded;

use crate::capsule::{self, MAX_PAYLOAD, Reader, TooLong};

/// Opens a socket that takes datagrams from this target alone.
pub(crate) async fn connect(target: SocketAddr) -> io::Result<UdpSocket> {
    let own: SocketAddr = if target.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(own).await?;
    socket.connect(target).await?;
    // So that the first datagram is not the one that cannot be sent yet.
    socket.writable().await?;
    Ok(socket)
}

/// Relays until the client ends its half, or either side fails.
pub(crate) async fn relay(io: Upgraded, socket: UdpSocket) -> io::Result<()> {
    let (mut read, mut write) = split(io);
    let out = async {
        let (mut reader, mut buffer) = (Reader::default(), vec![0; 16 << 10]);
        loop {
            let length = read.read(&mut buffer).await?;
            if length == 0 {
                return Ok(());
            }
            let bytes = buffer.get(..length).unwrap_or_default();
            // A datagram that cannot be sent now is lost, as datagrams are.
            let sent = reader.read(bytes, |payload| drop(socket.try_send(payload)));
            sent.map_err(|TooLong| io::Error::from(io::ErrorKind::InvalidData))?;
        }
    };
    let back = async {
        let (mut payload, mut bytes) = (vec![0; MAX_PAYLOAD], Vec::new());
        loop {
            // What the target refuses it may take later: UDP tells of errors when it can.
            let Ok(length) = socket.recv(&mut payload).await else {
                continue;
            };
            bytes.clear();
            capsule::write(payload.get(..length).unwrap_or_default(), &mut bytes);
            write.write_all(&bytes).await?;
            write.flush().await?;
        }
    };
    tokio::select! {
        ended = out => ended,
        failed = back => failed,
    }
}
