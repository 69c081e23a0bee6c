//! `Heartbeat`: a ping to a silent peer, and an end to a dead one.

use std::{
    error::Error,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};

/// When a silent peer is pinged, and when it is given up.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use axum::response::Response;
/// use tower_upgrade::ws::{DeadPeer, Heartbeat, WebSocketUpgrade};
///
/// async fn chat(upgrade: WebSocketUpgrade) -> Response {
///     let heartbeat = Heartbeat::every(Duration::from_secs(30)).dead_after(Duration::from_secs(10));
///     upgrade.heartbeat(heartbeat).on_upgrade(async |mut socket| {
///         while let Some(message) = socket.recv().await {
///             match message {
///                 Ok(message) => println!("{message:?}"),
///                 Err(error) if DeadPeer::is_cause_of(&error) => println!("it is gone"),
///                 Err(error) => println!("{error}"),
///             }
///         }
///     })
/// }
/// # let _ = chat;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Heartbeat {
    every: Duration,
    dead_after: Duration,
}

impl Heartbeat {
    /// Pings a peer of which nothing arrived for so long, and gives it up if nothing arrives for as
    /// long again.
    ///
    /// # Panics
    ///
    /// Panics if it is zero.
    #[track_caller]
    pub fn every(interval: Duration) -> Self {
        assert!(!interval.is_zero(), "a heartbeat needs an interval");
        let every = interval.min(LONGEST);
        Self {
            every,
            dead_after: every,
        }
    }

    /// Sets how long after a ping a peer of which nothing arrives is given up; zero counts as a
    /// millisecond.
    pub fn dead_after(mut self, deadline: Duration) -> Self {
        self.dead_after = deadline.clamp(Duration::from_millis(1), LONGEST);
        self
    }
}

/// As good as for ever, and no deadline that cannot be told.
const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// The content of our pings, and so of the pongs that are not shown to a handler.
pub(super) const PAYLOAD: &[u8] = b"heartbeat";

/// What a heartbeat asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Ping,
    Dead,
}

pin_project! {
    /// A heartbeat's clock: one timer, which is set anew when it struck and not by what arrives.
    pub(super) struct Clock {
        heartbeat: Heartbeat,
        pinged: Option<Instant>,
        #[pin]
        timer: Sleep,
    }
}

impl Clock {
    pub(super) fn start(heartbeat: Heartbeat, now: Instant) -> Self {
        Self {
            heartbeat,
            pinged: None,
            timer: sleep_until(now + heartbeat.every),
        }
    }

    /// Is ready when something is to be done for a peer that was last heard at this time.
    pub(super) fn poll(self: Pin<&mut Self>, heard: Instant, cx: &mut Context<'_>) -> Poll<Beat> {
        let mut this = self.project();
        loop {
            ready!(this.timer.as_mut().poll(cx));
            match *this.pinged {
                Some(pinged) if heard < pinged => return Poll::Ready(Beat::Dead),
                _ => *this.pinged = None,
            }
            let due = heard + this.heartbeat.every;
            let now = Instant::now();
            if due <= now {
                *this.pinged = Some(now);
                this.timer.as_mut().reset(now + this.heartbeat.dead_after);
                return Poll::Ready(Beat::Ping);
            }
            this.timer.as_mut().reset(due);
        }
    }
}

/// The error of a [`WebSocket`](super::WebSocket) whose peer did not answer a ping in time.
///
/// It is the source of an [`axum::Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadPeer;

impl DeadPeer {
    /// Returns whether this is what an error of a WebSocket tells.
    #[must_use]
    pub fn is_cause_of(error: &axum::Error) -> bool {
        error.source().is_some_and(|source| source.is::<Self>())
    }
}

impl fmt::Display for DeadPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing arrived from the peer in answer to a ping")
    }
}

impl Error for DeadPeer {}
