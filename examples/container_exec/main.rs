//! `docker exec` and `docker attach` with a server of our own behind them.
//!
//! ```text
//! cargo run --example container_exec --features axum -- [--addr 127.0.0.1:3007] [--limit 64] [--allow-sh]
//! docker -H tcp://127.0.0.1:3007 exec -i demo wc -c < Cargo.toml
//! ```
//!
//! It serves the few routes of the Docker Engine API that these two need. A command is started by an offer of
//! `Upgrade: tcp` with a JSON body; from the 101 on the connection carries the client's input, and the command's
//! output in frames. When the client ends its half, the command's input ends, and the rest of its output
//! still arrives.
//!
//! Docker's client speaks HTTP/1.1 alone. Over HTTP/2 all is the same but the offer, which is an extended CONNECT with
//! `:protocol: tcp` and no JSON; a POST that would start a command is told 405 there, and 426 over HTTP/1.1.
//!
//! There is one container, `demo`, and it contains nothing: commands run right here, so that there is a list of
//! them: `cat`, `wc`, `echo`, and with `--allow-sh` also `sh -c`, which is everything. What `attach` runs is
//! `cat`, or then `sh`. `Tty` leaves the frames away and joins both outputs, but makes no terminal.
//!
//! A command is killed, with all that it started, when its client is gone. That it is, while nothing is read from it, a
//! frame of nothing finds out; with `Tty` there is no such frame, and it is seen when the command writes. SIGTERM ends
//! the input of all, and five seconds later those that are left.

mod api;
mod container;
mod process;
mod stream;

use std::{error::Error, io, sync::Arc, time::Duration};

use axum::serve::ListenerExt;
use tokio::{net::TcpListener, signal, time::sleep};
use tower_upgrade::Drain;

use self::container::Container;

/// How long a command may take when its input has ended.
const GRACE: Duration = Duration::from_secs(5);
/// How long ordinary requests may take when all commands are gone.
const OVERTIME: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Some(options) = Options::parse(std::env::args().skip(1)) else {
        eprintln!("usage: container_exec [--addr HOST:PORT] [--limit COMMANDS] [--allow-sh]");
        std::process::exit(2);
    };
    // Before anybody knows the address: until it is caught, a signal ends the process at once.
    let stop = stop_signal()?;
    let listener = TcpListener::bind(&options.addr).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let drain = Drain::new();
    let container = Arc::new(Container::new(options.allow_sh));
    let app = api::app(container, options.limit, drain.clone())?;
    // A line of input is for now, not for when there are more.
    let listener = listener.tap_io(|tcp| drop(tcp.set_nodelay(true)));
    let server =
        axum::serve(listener, app).with_graceful_shutdown(drain.clone().shutdown(stop, GRACE));
    tokio::select! {
        served = server.into_future() => served?,
        // Left alone, axum would wait for ever for who waits for the container's end.
        () = overdue(&drain) => {}
    }
    println!("{}", drain.report());
    Ok(())
}

async fn overdue(drain: &Drain) {
    drain.ended().await;
    sleep(OVERTIME).await;
}

/// Returns a future that is ready at Ctrl-C or SIGTERM. They are caught from now on, polled or not.
#[cfg(unix)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    use signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

#[cfg(windows)]
fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal::windows::ctrl_c()?;
    Ok(async move { drop(interrupt.recv().await) })
}

struct Options {
    addr: String,
    limit: usize,
    allow_sh: bool,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            addr: "127.0.0.1:3007".into(),
            limit: 64,
            allow_sh: false,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--addr" => options.addr = arguments.next()?,
                "--limit" => options.limit = arguments.next()?.parse().ok()?,
                "--allow-sh" => options.allow_sh = true,
                _ => return None,
            }
        }
        Some(options)
    }
}
