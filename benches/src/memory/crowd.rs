//! The clients: they shake hands, and then hold still.

use std::{
    io::{Error, ErrorKind, Read, Result, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
};

use crate::fixtures::forwarded_handshake;

/// Connections that were upgraded and on which nothing happens.
#[derive(Debug)]
pub struct Crowd(Vec<TcpStream>);

impl Crowd {
    /// Upgrades so many connections, a few at a time; each says that it is another client's.
    ///
    /// # Errors
    /// One of them gets no 101, or no port.
    pub fn gather(address: SocketAddr, count: usize) -> Result<Self> {
        let mut crowd = Vec::with_capacity(count);
        while crowd.len() < count {
            let end = count.min(crowd.len() + AT_A_TIME);
            let batch = crowd.len()..end;
            for number in batch.clone() {
                crowd.push(offer(address, number)?);
            }
            for stream in &mut crowd[batch] {
                read_answer(stream)?;
            }
        }
        Ok(Self(crowd))
    }

    /// Makes sure that all of them are open and silent.
    ///
    /// # Errors
    /// The server has ended one, or sent something on it.
    pub fn check_idle(&self) -> Result<()> {
        for stream in &self.0 {
            stream.set_nonblocking(true)?;
            match stream.peek(&mut [0]) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
                Ok(_) => return Err(Error::other("the server does not hold still")),
            }
        }
        Ok(())
    }
}

fn offer(address: SocketAddr, number: usize) -> Result<TcpStream> {
    let number = u32::try_from(number).map_err(Error::other)?;
    let client = Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() | number);
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(&forwarded_handshake(client))?;
    Ok(stream)
}

fn read_answer(stream: &mut TcpStream) -> Result<()> {
    let mut answer = Vec::with_capacity(1024);
    let mut chunk = [0; 1024];
    while !answer.ends_with(b"\r\n\r\n") {
        match stream.read(&mut chunk)? {
            0 => break,
            length => answer.extend_from_slice(&chunk[..length]),
        }
    }
    if answer.starts_with(b"HTTP/1.1 101") {
        Ok(())
    } else {
        Err(Error::other(format!(
            "the server does not upgrade: {}",
            String::from_utf8_lossy(&answer)
        )))
    }
}

/// So many handshakes are under way at once; past the 128 that may wait to be accepted, a client loses seconds.
const AT_A_TIME: usize = 16;
