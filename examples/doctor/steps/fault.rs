//! What it means if there is no answer of HTTP at all.

use std::io;

use rustls::{AlertDescription, Error};
use tokio_rustls::rustls;

use crate::{finding::Finding, wire::Fault};

/// Returns the finding for a handshake, or another request, that got no answer.
pub(crate) fn no_answer(fault: &Fault, is_secure: bool) -> Finding {
    let saw = fault.to_string();
    match fault {
        Fault::Silent(_) => Finding::error("no-answer", saw)
            .means("somebody listens and never answers: a program that hangs, or speaks another protocol")
            .mend("look whether the server is overloaded, and whether this is its port"),
        Fault::Slow(_) => Finding::error("answer-too-slow", saw)
            .means("clients that wait no longer than that give up")
            .mend("look what the server waits for; give it more by --timeout"),
        Fault::Closed => Finding::error("closed-without-answer", saw)
            .means("the server gave up on the request, or does not speak HTTP/1.1")
            .mend("look into its log; try the other of ws: and wss:"),
        Fault::NotHttp(bytes) if bytes.starts_with(&[0x15, 3]) && !is_secure => {
            Finding::error("speaks-tls", "a TLS alert")
                .means("the port is for TLS")
                .mend("use wss:, and https: in `proxy_pass` and the like")
        }
        Fault::NotHttp(bytes) if is_http2_settings(bytes) => {
            Finding::error("speaks-http2", "a SETTINGS frame of HTTP/2")
                .means("the port is for HTTP/2 without an `Upgrade`, which few WebSocket clients speak")
                .mend("let the server speak HTTP/1.1 there as well, or use --http2")
                .see("RFC 9113 3.4")
        }
        Fault::NotHttp(_) => Finding::error("not-http", saw)
            .means("the port is of another protocol than HTTP/1.1")
            .mend("check the port"),
        Fault::TooLong => Finding::error("endless-head", saw)
            .means("the answer's head is longer than any client reads"),
        Fault::Io(error) if is_no_protocol(error) => Finding::error("http1-not-offered", saw)
            .means("the server speaks nothing but HTTP/2 there, over which few WebSocket clients come")
            .mend("add http/1.1 to its ALPN protocols")
            .see("RFC 7301 3.2"),
        Fault::Io(_) => Finding::error("connection-failed", saw)
            .means("the connection broke on the way"),
    }
}

/// Whether a server with TLS knows none of the protocols that ALPN offers.
fn is_no_protocol(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    let refused = Error::AlertReceived(AlertDescription::NoApplicationProtocol);
    inner.is_some_and(|inner: &Error| *inner == refused)
}

/// Every HTTP/2 server begins with this frame, on stream 0 (RFC 9113 3.4).
fn is_http2_settings(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, 4, 0, 0, 0, 0, 0, ..])
}
