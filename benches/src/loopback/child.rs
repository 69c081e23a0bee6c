//! The client's side: this program once more, as a server, and handshakes with it.

use std::{
    env,
    io::{BufRead, BufReader, Error, Read, Result, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

/// The argument that makes this program a server; the name of one follows it.
pub const SERVE: &str = "--serve";

/// Returns the name of the server that this process is to be, if it is to be one.
pub fn name() -> Option<String> {
    env::args().skip_while(|argument| argument != SERVE).nth(1)
}

/// Returns the address of the server that the server of this process stands before, if it was given one.
pub fn behind() -> Option<SocketAddr> {
    let mut arguments = env::args().skip_while(|argument| argument != SERVE);
    arguments.nth(2)?.parse().ok()
}

/// A server process; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Server {
    /// Starts the server of that name.
    ///
    /// # Errors
    /// It cannot be started or does not say where it listens.
    pub fn start(name: &str) -> Result<Self> {
        Self::spawn(Command::new(env::current_exe()?).args([SERVE, name]))
    }

    /// Starts the server of that name before another one.
    ///
    /// # Errors
    /// It cannot be started or does not say where it listens.
    pub fn start_before(name: &str, other: SocketAddr) -> Result<Self> {
        let other = other.to_string();
        Self::spawn(Command::new(env::current_exe()?).args([SERVE, name, other.as_str()]))
    }

    fn spawn(command: &mut Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let input = child.stdin.take();
        let mut output = BufReader::new(
            child
                .stdout
                .take()
                .ok_or_else(|| Error::other("the output is piped"))?,
        );
        let address = read(&mut output)?;
        Ok(Self {
            child,
            input,
            output,
            address,
        })
    }

    /// Returns where the server listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the id of the server's process.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// Returns the microseconds of processor time that the server spends while so many clients shake hands, in turn.
    ///
    /// # Errors
    /// A client gets no 101, or the server does not say.
    pub fn handshakes(&mut self, count: u32, request: &[u8]) -> Result<i64> {
        let before = self.processor_time()?;
        for _ in 0..count {
            self.handshake(request)?;
        }
        Ok(self.processor_time()? - before)
    }

    fn handshake(&self, request: &[u8]) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.write_all(request)?;
        let mut answer = Vec::with_capacity(1024);
        stream.read_to_end(&mut answer)?;
        if answer.starts_with(b"HTTP/1.1 101") {
            Ok(())
        } else {
            Err(Error::other("the server does not upgrade"))
        }
    }

    fn processor_time(&mut self) -> Result<i64> {
        self.input
            .as_mut()
            .ok_or_else(|| Error::other("the input is piped"))?
            .write_all(b"\n")?;
        read(&mut self.output)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input is the server's end.
        drop(self.input.take());
        let _ended = self.child.wait();
    }
}

fn read<T: std::str::FromStr>(output: &mut BufReader<ChildStdout>) -> Result<T> {
    let mut line = String::new();
    output.read_line(&mut line)?;
    line.trim()
        .parse()
        .map_err(|_| Error::other(format!("the server said {line:?}")))
}
