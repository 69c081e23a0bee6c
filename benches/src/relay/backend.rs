//! The server behind the proxies: it upgrades what it is asked, and then does what the path says.
//!
//! It parses no more than it must and reads and writes as little as it can, so that a proxy is what the figures are of.

use std::{
    io::{ErrorKind, Read, Result, Write, stdin},
    net::{TcpListener, TcpStream},
};

use rustix::net::{RecvFlags, recv};

use super::readiness::Readiness;

/// Sends back what comes.
pub const ECHO: &str = "/echo";

/// Throws away what comes, unread.
pub const DISCARD: &str = "/discard";

/// Reads what comes.
pub const READ: &str = "/read";

/// Sends as much as there is room for.
pub const SOURCE: &str = "/source";

/// So much is written or read at once.
pub const BLOCK: usize = 256 << 10;

/// Serves on a port of the system's choice, which is the first line of the output, until the input ends.
///
/// # Errors
/// The port cannot be listened on.
pub fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // The standard library lets 128 wait, which is enough for as many as are set up at once.
    listener.set_nonblocking(true)?;
    println!("{}", listener.local_addr()?);
    let mut backend = Backend {
        readiness: Readiness::new()?,
        connections: Vec::new(),
        free: Vec::new(),
        block: vec![0x55; BLOCK],
    };
    backend.readiness.readable(&listener, LISTENER)?;
    backend.readiness.readable(stdin(), INPUT)?;
    let mut ready = Vec::new();
    loop {
        backend.readiness.wait(None, &mut ready)?;
        for number in ready.drain(..) {
            match number {
                LISTENER => backend.accept(&listener)?,
                INPUT => return Ok(()),
                place => backend.go_on(place),
            }
        }
    }
}

struct Backend {
    readiness: Readiness,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    block: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    does: Does,
}

enum Does {
    /// What was read of the request's head.
    Head(Vec<u8>),
    Echo,
    Discard,
    Read,
    Source,
}

impl Backend {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => continue,
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let place = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.readiness.readable(&stream, place)?;
            let does = Does::Head(Vec::new());
            self.connections[place] = Some(Connection { stream, does });
        }
    }

    fn go_on(&mut self, place: usize) {
        let Some(connection) = &mut self.connections[place] else {
            return;
        };
        if !connection.step(&self.readiness, place, &mut self.block) {
            self.connections[place] = None;
            self.free.push(place);
        }
    }
}

impl Connection {
    /// Does one thing, and returns whether there is more to come.
    fn step(&mut self, readiness: &Readiness, place: usize, block: &mut [u8]) -> bool {
        let done = match &mut self.does {
            Does::Head(_) => self.head(readiness, place),
            Does::Echo => self.echo(block),
            Does::Discard => discard(&self.stream, block),
            Does::Read => self.stream.read(block),
            Does::Source => self.source(block),
        };
        match done {
            Ok(length) => length > 0,
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        }
    }

    fn head(&mut self, readiness: &Readiness, place: usize) -> Result<usize> {
        let Does::Head(head) = &mut self.does else {
            return Ok(0);
        };
        let mut chunk = [0; 4096];
        let length = self.stream.read(&mut chunk)?;
        head.extend_from_slice(&chunk[..length]);
        if !head.ends_with(b"\r\n\r\n") {
            return Ok(length);
        }
        let path = head.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
        let does = match std::str::from_utf8(path) {
            Ok(ECHO) => Does::Echo,
            Ok(DISCARD) => Does::Discard,
            Ok(READ) => Does::Read,
            Ok(SOURCE) => Does::Source,
            _ => return Ok(0),
        };
        self.stream.write_all(ANSWER)?;
        if matches!(does, Does::Source) {
            readiness.now_writable(&self.stream, place)?;
        }
        self.does = does;
        Ok(length)
    }

    /// Sends, unless the client has ended its half, which nothing else would tell.
    fn source(&mut self, block: &[u8]) -> Result<usize> {
        match self.stream.peek(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => self.stream.write(block),
            ended => ended,
        }
    }

    /// Messages are small and answered before the next is sent, so there is always room for them.
    fn echo(&mut self, block: &mut [u8]) -> Result<usize> {
        let length = self.stream.read(block)?;
        self.stream.write_all(&block[..length])?;
        Ok(length)
    }
}

/// Receives and throws away, which the system does without copying (`MSG_TRUNC` of tcp(7)).
///
/// # Errors
/// The connection fails, or there is nothing to receive.
pub fn discard(stream: &TcpStream, room: &mut [u8]) -> Result<usize> {
    let (_, length) = recv(stream, room, RecvFlags::TRUNC)?;
    Ok(length)
}

/// Not a connection's place.
const LISTENER: usize = usize::MAX;

/// Not a connection's place.
const INPUT: usize = usize::MAX - 1;

const ANSWER: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo/1.0\r\n\r\n";
