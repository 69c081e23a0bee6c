//! What the proxy is told on its command line.

use http::Uri;
use tower_upgrade::Protocol;

pub(crate) struct Options {
    pub(crate) listen: String,
    pub(crate) upstreams: Vec<Uri>,
    pub(crate) forward: Vec<Protocol>,
    pub(crate) http2: bool,
    pub(crate) tls: bool,
}

impl Options {
    pub(crate) const USAGE: &str = "usage: proxy --upstream http://HOST:PORT [--upstream URL]... \
        [--listen HOST:PORT] [--upstream-http2] [--tls] [--forward PROTOCOL]...";

    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut options = Self {
            listen: "127.0.0.1:3005".into(),
            upstreams: Vec::new(),
            forward: Vec::new(),
            http2: false,
            tls: false,
        };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--listen" => options.listen = arguments.next()?,
                "--upstream" => options.upstreams.push(upstream(&arguments.next()?)?),
                "--forward" => options.forward.push(arguments.next()?.parse().ok()?),
                "--upstream-http2" => options.http2 = true,
                "--tls" => options.tls = true,
                _ => return None,
            }
        }
        (!options.upstreams.is_empty()).then_some(options)
    }
}

/// An upstream is `http`, a host and perhaps a port.
fn upstream(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let is_whole = uri.scheme_str() == Some("http") && uri.authority().is_some();
    is_whole.then_some(uri)
}
