//! Ctrl-C and SIGTERM.

use std::{io, process};

use tokio::{signal, sync::oneshot};

/// Returns a future that is ready at the first signal. At the second, the process ends.
///
/// They are caught from now on, whether the future is polled or not.
pub(crate) fn signal() -> io::Result<impl Future<Output = ()>> {
    let mut signals = Signals::catch()?;
    let (stop, stopped) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        let _ = stop.send(());
        signals.next().await;
        eprintln!("ended at once, by a second signal");
        process::exit(1);
    });
    Ok(async move { drop(stopped.await) })
}

#[cfg(unix)]
struct Signals {
    interrupt: signal::unix::Signal,
    terminate: signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn catch() -> io::Result<Self> {
        use signal::unix::{SignalKind, signal};

        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
struct Signals(signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn catch() -> io::Result<Self> {
        signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
