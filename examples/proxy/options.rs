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
    pub(crate) const USAGE: &str = "\
usage: proxy --upstream http://HOST:PORT [options]

  --upstream URL       where requests go; again for more, which have their turns
  --listen HOST:PORT   where clients come from (default 127.0.0.1:3005)
  --forward PROTOCOL   forwards upgrades to this one besides websocket; again for more
  --upstream-http2     speaks HTTP/2 to the upstreams, by prior knowledge
  --tls                speaks TLS to the clients, with a certificate of its own making";

    /// Reads the arguments; an error says which one is wrong.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            listen: "127.0.0.1:3005".into(),
            upstreams: Vec::new(),
            forward: Vec::new(),
            http2: false,
            tls: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| format!("{argument}: wants a value"))
            };
            match argument.as_str() {
                "--listen" => options.listen = value()?,
                "--upstream" => options.upstreams.push(upstream(&value()?)?),
                "--forward" => options.forward.push(protocol(&value()?)?),
                "--upstream-http2" => options.http2 = true,
                "--tls" => options.tls = true,
                other => return Err(format!("{}: no such option", other.escape_debug())),
            }
        }
        if options.upstreams.is_empty() {
            return Err("no --upstream".into());
        }
        Ok(options)
    }
}

/// An upstream is `http`, a host and perhaps a port.
fn upstream(text: &str) -> Result<Uri, String> {
    let wrong = |why: &str| format!("--upstream {}: {why}", text.escape_debug());
    let uri: Uri = text.parse().map_err(|_| wrong("not a URL"))?;
    if uri.scheme_str() != Some("http") {
        return Err(wrong("upstreams are asked by http: alone"));
    }
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(wrong("credentials are not passed on"));
    }
    if uri.host().is_none_or(str::is_empty) {
        return Err(wrong("names no host"));
    }
    // `Uri::port` takes a port that is none for the absence of one.
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    if !port.is_empty() && !port.ends_with(']') && !matches!(port.parse(), Ok(1..=u16::MAX)) {
        return Err(wrong("no such port"));
    }
    if uri.path_and_query().is_some_and(|path| path != "/") {
        return Err(wrong("requests keep their own path, so it has none"));
    }
    Ok(uri)
}

fn protocol(text: &str) -> Result<Protocol, String> {
    let parsed = text.parse();
    parsed.map_err(|why| format!("--forward {}: {why}", text.escape_debug()))
}
