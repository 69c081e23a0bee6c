//! The command line.

use std::{path::PathBuf, time::Duration};

use http::HeaderValue;

use crate::{target::Target, text::quoted};

pub(crate) const USAGE: &str = "\
usage: doctor ws[s]://HOST[:PORT]/PATH [options]

  --origin O          the page that asks (default: a page of the same host)
  --subprotocol S     asks for this subprotocol; again for more, the best first
  --behind URL        the next hop inwards, the last is the server itself; again for more
  --http2             must work over HTTP/2 too; with ws:// by prior knowledge
  --ca FILE           trusts these certificates (PEM) in place of the system's
  --idle SECONDS      how long a silent connection must live (default 2)
  --timeout SECONDS   how long anything else may take (default 5)
  --json              for machines

exit code: 0 all fine, 1 warnings, 2 something is broken, 3 could not be tried, 64 usage,
           130 interrupted";

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    pub(crate) origin: Option<String>,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) behind: Vec<Target>,
    pub(crate) http2: bool,
    pub(crate) ca: Option<PathBuf>,
    pub(crate) idle: Duration,
    pub(crate) timeout: Duration,
    pub(crate) json: bool,
}

impl Options {
    /// Reads the arguments; an error says which one is wrong.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Draft::default();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--http2" => options.http2 = true,
                "--json" => options.json = true,
                name if name.starts_with('-') => {
                    let value = arguments.next().ok_or_else(|| {
                        format!("{}: no such option, or it wants a value", quoted(name))
                    })?;
                    options.set(name, value)?;
                }
                url if options.target.is_none() => options.target = Some(Target::parse(url)?),
                other => return Err(format!("{}: one URL is enough", quoted(other))),
            }
        }
        options.finish()
    }
}

#[derive(Default)]
struct Draft {
    target: Option<Target>,
    origin: Option<String>,
    subprotocols: Vec<String>,
    behind: Vec<Target>,
    http2: bool,
    ca: Option<PathBuf>,
    idle: Option<Duration>,
    timeout: Option<Duration>,
    json: bool,
}

impl Draft {
    fn set(&mut self, name: &str, value: String) -> Result<(), String> {
        match name {
            "--origin" => once(name, &mut self.origin, field_value(value)?)?,
            "--subprotocol" => self.subprotocols.push(token(value)?),
            "--behind" => self.behind.push(Target::parse(&value)?),
            "--ca" => once(name, &mut self.ca, value.into())?,
            "--idle" => once(name, &mut self.idle, seconds(&value)?)?,
            "--timeout" => once(name, &mut self.timeout, seconds(&value)?)?,
            _ => return Err(format!("{}: no such option", quoted(name))),
        }
        Ok(())
    }

    fn finish(self) -> Result<Options, String> {
        let timeout = self.timeout.unwrap_or(Duration::from_secs(5));
        if timeout.is_zero() {
            return Err("--timeout 0: nothing answers at once".into());
        }
        Ok(Options {
            target: self.target.ok_or("no URL")?,
            origin: self.origin,
            subprotocols: self.subprotocols,
            behind: self.behind,
            http2: self.http2,
            ca: self.ca,
            idle: self.idle.unwrap_or(Duration::from_secs(2)),
            timeout,
            json: self.json,
        })
    }
}

fn once<T>(name: &str, place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(format!("{name}: once is enough")),
    }
}

/// So much time that nobody waits for it, and that the clock can count to.
const LONGEST: f64 = 86_400.0;

fn seconds(value: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = value.parse().ok();
    seconds
        .filter(|seconds| (0.0..=LONGEST).contains(seconds))
        .map(Duration::from_secs_f64)
        .ok_or_else(|| format!("{}: not seconds, of a day at most", quoted(value)))
}

fn field_value(value: String) -> Result<String, String> {
    let is_visible = value.bytes().all(|byte| matches!(byte, b'!'..=b'~'));
    if is_visible && !value.is_empty() && HeaderValue::from_str(&value).is_ok() {
        return Ok(value);
    }
    Err(format!("{}: not an origin", quoted(&value)))
}

/// RFC 9110 5.6.2, which RFC 6455 4.1 demands of a subprotocol.
fn token(value: String) -> Result<String, String> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !value.is_empty() && value.bytes().all(is_token) {
        return Ok(value);
    }
    Err(format!("{}: not a subprotocol", quoted(&value)))
}
