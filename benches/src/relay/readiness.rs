//! Which of many sockets can be read or written, as the system tells it.

use std::{fmt, io::Result, os::fd::AsFd, os::fd::OwnedFd, time::Duration};

use rustix::{
    buffer::spare_capacity,
    event::{
        Timespec,
        epoll::{self, CreateFlags, Event, EventData, EventFlags},
    },
};

/// Sockets that are watched, each under a number.
///
/// What can be read stays on the list until it was read, so that one look a turn is enough for each.
pub struct Readiness {
    epoll: OwnedFd,
    events: Vec<Event>,
}

impl Readiness {
    /// Watches nothing.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn new() -> Result<Self> {
        Ok(Self {
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            events: Vec::with_capacity(1024),
        })
    }

    /// Watches a socket, until it is closed, for what can be read.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn readable(&self, socket: impl AsFd, number: usize) -> Result<()> {
        let number = EventData::new_u64(number as u64);
        Ok(epoll::add(&self.epoll, socket, number, EventFlags::IN)?)
    }

    /// Watches a socket, until it is closed, for room to write.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn writable(&self, socket: impl AsFd, number: usize) -> Result<()> {
        let number = EventData::new_u64(number as u64);
        Ok(epoll::add(&self.epoll, socket, number, EventFlags::OUT)?)
    }

    /// Watches a socket that is watched already for room to write, and for nothing else.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn now_writable(&self, socket: impl AsFd, number: usize) -> Result<()> {
        let number = EventData::new_u64(number as u64);
        Ok(epoll::modify(&self.epoll, socket, number, EventFlags::OUT)?)
    }

    /// Waits until there is something, if not longer than that, and adds the numbers of what is ready to the list.
    ///
    /// # Errors
    /// The system does not wait.
    pub fn wait(&mut self, at_most: Option<Duration>, ready: &mut Vec<usize>) -> Result<()> {
        let at_most = at_most.map(|time| Timespec {
            tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(time.subsec_nanos()),
        });
        let events = spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, events, at_most.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let numbers = self.events.drain(..).map(|event| event.data.u64());
        ready.extend(numbers.filter_map(|number| usize::try_from(number).ok()));
        Ok(())
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readiness").finish_non_exhaustive()
    }
}
