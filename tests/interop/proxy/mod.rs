//! The proxies people run, each started in the foreground from a configuration a user could take.
//!
//! Such a configuration says `8080` (with TLS `8443`) where it listens and `127.0.0.1:3001` where the
//! server is, a second one at `127.0.0.1:3002`. Those are replaced, and what only a test needs is put around it.

mod apache;
mod caddy;
mod haproxy;
mod launch;
mod nginx;

pub(crate) use self::launch::{Kind, Proxy, Reserved};
