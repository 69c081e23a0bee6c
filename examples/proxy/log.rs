//! What is written down: a line for each upgraded connection, and one for each request that failed.

use std::error::Error;

use http::Response;
use tower_upgrade::{
    Observer,
    observe::{Closing, Connection},
    tunnel::TunnelError,
};

pub(crate) struct Log;

impl Observer for Log {
    fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
        println!(
            "#{} {} over {:?}: {:.1?}, {} bytes in, {} bytes out, {}",
            connection.id,
            connection.protocol,
            connection.version,
            closing.duration,
            closing.received,
            closing.sent,
            closing.cause,
        );
    }
}

/// Writes down why a request was not forwarded; what the client is told has no address in it.
pub(crate) fn failure<B>(response: Response<B>) -> Response<B> {
    if let Some(error) = response.extensions().get::<TunnelError>() {
        let mut line = format!("{} {}: {error}", error.status().as_u16(), error.kind());
        let mut source = error.source();
        while let Some(error) = source {
            line.push_str(&format!(": {error}"));
            source = error.source();
        }
        eprintln!("{line}");
    }
    response
}
