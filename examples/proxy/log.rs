//! What is written down: a line for each upgraded connection, and, to stderr, one for each request that
//! was refused or failed.

use std::error::Error;

use http::Response;
use tower_upgrade::{
    Observer, Refusal,
    observe::{Cause, Closing, Connection},
    tunnel::TunnelError,
};

pub(crate) struct Log;

impl Observer for Log {
    fn refused(&self, refusal: &Refusal) {
        eprintln!(
            "{} {}: {refusal}",
            refusal.status().as_u16(),
            refusal.kind()
        );
    }

    fn closed(&self, connection: &Connection<'_>, closing: &Closing) {
        let cause = match closing.cause {
            Cause::Failed(kind) => format!("{}: {kind}", closing.cause),
            cause => cause.to_string(),
        };
        println!(
            "#{} {} over {:?}: {:.1?}, {} bytes in, {} bytes out, {cause}",
            connection.id,
            connection.protocol,
            connection.version,
            closing.duration,
            closing.received,
            closing.sent,
        );
    }
}

/// Writes down why a request was not forwarded; what the client is told has no address in it.
pub(crate) fn failure<B>(response: Response<B>) -> Response<B> {
    if let Some(error) = response.extensions().get::<TunnelError>() {
        let status = error.status().as_u16();
        eprintln!("{status} {}: {}", error.kind(), chain(error));
    }
    response
}

/// An error with all that is behind it.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
