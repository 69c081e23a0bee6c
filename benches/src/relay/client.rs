//! The clients: they upgrade, and then send and receive as fast as they are let, or hold still.

use std::{
    io::{Error, ErrorKind, Read, Result, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use super::{
    backend::{BLOCK, DISCARD, ECHO, READ, SOURCE, discard},
    readiness::Readiness,
};

/// The bytes of a message that goes there and back.
const MESSAGE: usize = 64;

/// Which way bytes are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the backend.
    Up,
    /// From the backend to the client.
    Down,
}

/// What becomes of what is received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// It is thrown away unread, so that it costs next to nothing.
    Discarded,
    /// It is read, as any program would.
    Read,
}

/// Connections that were upgraded, and what is done with them.
#[derive(Debug)]
pub struct Clients {
    streams: Vec<TcpStream>,
    readiness: Readiness,
    ready: Vec<usize>,
    block: Vec<u8>,
}

impl Clients {
    /// Upgrades so many connections that send one way.
    ///
    /// # Errors
    /// One of them gets no 101.
    pub fn bulk(address: SocketAddr, count: usize, way: Way, receipt: Receipt) -> Result<Self> {
        let path = match (way, receipt) {
            (Way::Up, Receipt::Discarded) => DISCARD,
            (Way::Up, Receipt::Read) => READ,
            (Way::Down, _) => SOURCE,
        };
        let clients = Self::upgrade(address, count, path)?;
        for (number, stream) in clients.streams.iter().enumerate() {
            match way {
                Way::Up => clients.readiness.writable(stream, number)?,
                Way::Down => clients.readiness.readable(stream, number)?,
            }
        }
        Ok(clients)
    }

    /// Upgrades so many connections for messages that come back.
    ///
    /// # Errors
    /// One of them gets no 101.
    pub fn echo(address: SocketAddr, count: usize) -> Result<Self> {
        let clients = Self::upgrade(address, count, ECHO)?;
        for (number, stream) in clients.streams.iter().enumerate() {
            clients.readiness.readable(stream, number)?;
        }
        Ok(clients)
    }

    fn upgrade(address: SocketAddr, count: usize, path: &str) -> Result<Self> {
        let mut streams = Vec::with_capacity(count);
        for _ in 0..count {
            let mut stream = offer(address, path)?;
            read_answer(&mut stream)?;
            stream.set_nonblocking(true)?;
            streams.push(stream);
        }
        Ok(Self {
            streams,
            readiness: Readiness::new()?,
            ready: Vec::new(),
            block: vec![0xaa; BLOCK],
        })
    }

    /// Sends or receives for so long, and returns how many bytes.
    ///
    /// # Errors
    /// A connection ends.
    pub fn transfer(&mut self, way: Way, receipt: Receipt, lasts: Duration) -> Result<u64> {
        let mut bytes = 0;
        let until = Instant::now() + lasts;
        while Instant::now() < until {
            self.readiness.wait(Some(TICK), &mut self.ready)?;
            for number in self.ready.drain(..) {
                let stream = &mut self.streams[number];
                let done = match (way, receipt) {
                    (Way::Up, _) => stream.write(&self.block),
                    (Way::Down, Receipt::Discarded) => discard(stream, &mut self.block),
                    (Way::Down, Receipt::Read) => stream.read(&mut self.block),
                };
                bytes += moved(done)?;
            }
        }
        Ok(bytes)
    }

    /// Ends all connections in good order, so that nobody goes on when the next are measured.
    ///
    /// # Errors
    /// The system refuses what it never does.
    pub fn end(mut self) -> Result<()> {
        for stream in &self.streams {
            // One that the proxy has ended already is fine.
            let _ended = stream.shutdown(Shutdown::Write);
        }
        let until = Instant::now() + PARTING;
        for stream in &mut self.streams {
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(PARTING))?;
            while discard(stream, &mut self.block).is_ok_and(|length| length > 0)
                && Instant::now() < until
            {}
        }
        Ok(())
    }

    /// Sends a message on each connection, and another whenever one is back, for so long.
    /// Returns how many came back.
    ///
    /// # Errors
    /// A connection ends.
    pub fn round_trips(&mut self, lasts: Duration) -> Result<u64> {
        let mut trips = 0;
        let mut missing = vec![MESSAGE; self.streams.len()];
        for stream in &mut self.streams {
            stream.write_all(&SENT)?;
        }
        let until = Instant::now() + lasts;
        let mut under_way = self.streams.len();
        while under_way > 0 {
            self.readiness.wait(Some(TICK), &mut self.ready)?;
            let go_on = Instant::now() < until;
            for number in self.ready.drain(..) {
                let stream = &mut self.streams[number];
                let length = stream.read(&mut self.block[..missing[number]])?;
                if length == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                missing[number] -= length;
                if missing[number] > 0 {
                    continue;
                }
                if go_on {
                    trips += 1;
                    missing[number] = MESSAGE;
                    stream.write_all(&SENT)?;
                } else {
                    under_way -= 1;
                }
            }
        }
        Ok(trips)
    }

    /// Upgrades so many connections, sends one message there and back on each, and holds still.
    ///
    /// # Errors
    /// One of them gets no 101, or no message back.
    pub fn idle(address: SocketAddr, count: usize) -> Result<Vec<TcpStream>> {
        let mut crowd = Vec::with_capacity(count);
        for _ in 0..count {
            let mut stream = offer(address, ECHO)?;
            read_answer(&mut stream)?;
            stream.write_all(&SENT)?;
            let mut back = [0; MESSAGE];
            stream.read_exact(&mut back)?;
            if back != SENT {
                return Err(Error::other("another message comes back"));
            }
            crowd.push(stream);
        }
        Ok(crowd)
    }
}

/// Upgrades connections, so many at a time, sends one message there and back on each, and closes it, for so long.
/// Returns how many.
///
/// # Errors
/// One of them gets no 101, or no message back.
pub fn upgrades(address: SocketAddr, at_a_time: usize, lasts: Duration) -> Result<u64> {
    let mut readiness = Readiness::new()?;
    let mut ready = Vec::new();
    let mut places = Vec::with_capacity(at_a_time);
    for place in 0..at_a_time {
        places.push(Visit::begin(address, &readiness, place)?);
    }
    let until = Instant::now() + lasts;
    let mut done = 0;
    while Instant::now() < until {
        readiness.wait(Some(TICK), &mut ready)?;
        for place in ready.drain(..) {
            if places[place].go_on()? {
                done += 1;
                places[place] = Visit::begin(address, &readiness, place)?;
            }
        }
    }
    Ok(done)
}

/// One connection: its head, its message, its end.
struct Visit {
    stream: TcpStream,
    head: Vec<u8>,
    missing: usize,
}

impl Visit {
    fn begin(address: SocketAddr, readiness: &Readiness, place: usize) -> Result<Self> {
        let stream = offer(address, ECHO)?;
        readiness.readable(&stream, place)?;
        Ok(Self {
            stream,
            head: Vec::with_capacity(256),
            missing: MESSAGE,
        })
    }

    /// Reads once, and returns whether that was all there is to come.
    fn go_on(&mut self) -> Result<bool> {
        let mut chunk = [0; 1024];
        let length = self.stream.read(&mut chunk)?;
        if length == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if !self.head.ends_with(b"\r\n\r\n") {
            self.head.extend_from_slice(&chunk[..length]);
            if self.head.ends_with(b"\r\n\r\n") {
                check(&self.head)?;
                self.stream.write_all(&SENT)?;
            }
            return Ok(false);
        }
        self.missing -= length.min(self.missing);
        Ok(self.missing == 0)
    }
}

fn offer(address: SocketAddr, path: &str) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {address}\r\nUser-Agent: bench\r\nConnection: Upgrade\r\n\
         Upgrade: echo/1.0\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    Ok(stream)
}

/// Reads the head byte by byte at its end, so that nothing behind it is taken.
fn read_answer(stream: &mut TcpStream) -> Result<()> {
    let mut answer = Vec::with_capacity(256);
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte)? == 0 {
            break;
        }
        answer.extend_from_slice(&byte);
    }
    check(&answer)
}

fn check(answer: &[u8]) -> Result<()> {
    if answer.starts_with(b"HTTP/1.1 101") {
        Ok(())
    } else {
        let answer = String::from_utf8_lossy(answer);
        Err(Error::other(format!("no upgrade: {answer:?}")))
    }
}

/// An end is an error, and that nothing can be moved just now is not.
fn moved(done: Result<usize>) -> Result<u64> {
    match done {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Ok(length) => Ok(length as u64),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        Err(error) => Err(error),
    }
}

/// A message that goes there and back.
const SENT: [u8; MESSAGE] = [0x2a; MESSAGE];

/// So long a proxy may take to tell of the ends.
const PARTING: Duration = Duration::from_secs(1);

/// So often the clock is looked at though nothing happens.
const TICK: Duration = Duration::from_millis(20);
