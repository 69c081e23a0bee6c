//! `Head`: the head of a response, read leniently, so that what is wrong with it can be told.

use super::Fault;
use crate::text::printable;

/// A status line and its fields. All text is escaped already.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) version: String,
    pub(crate) status: u16,
    pub(crate) reason: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// Reads a head without the empty line that ends it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let mut lines = bytes
            .split(|byte| *byte == b'\n')
            .map(<[u8]>::trim_ascii_end);
        let first = lines.next().unwrap_or_default();
        let (version, status, reason) =
            status_line(first).ok_or_else(|| Fault::NotHttp(bytes.to_vec()))?;
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            match (line.first(), fields.last_mut()) {
                (Some(b' ' | b'\t'), Some((_, value))) => {
                    value.push(' ');
                    value.push_str(&printable(line.trim_ascii()));
                }
                _ => fields.push(field(line)),
            }
        }
        Ok(Self {
            version,
            status,
            reason,
            fields,
        })
    }

    /// Makes one of an answer that came over HTTP/2.
    pub(crate) fn of_http2(response: &http::response::Parts) -> Self {
        let value = |value: &http::HeaderValue| printable(value.as_bytes());
        let fields = response.headers.iter();
        Self {
            version: "HTTP/2".into(),
            status: response.status.as_u16(),
            reason: String::new(),
            fields: fields
                .map(|(n, v)| (n.as_str().to_owned(), value(v)))
                .collect(),
        }
    }

    /// Returns the values of a field, a line each.
    pub(crate) fn lines<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let fields = self.fields.iter();
        fields
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the values of a field in one, which means the same (RFC 9110 5.3).
    pub(crate) fn joined(&self, name: &str) -> Option<String> {
        let lines: Vec<_> = self.lines(name).collect();
        (!lines.is_empty()).then(|| lines.join(", "))
    }

    /// Returns the members of a list, over all its lines.
    pub(crate) fn members(&self, name: &str) -> Members {
        let all = self.joined(name).unwrap_or_default();
        let members = all.split(',').map(str::trim);
        Members(members.filter(|m| !m.is_empty()).map(Into::into).collect())
    }

    /// Returns the status with its reason, as it stands in the status line.
    pub(crate) fn status_line(&self) -> String {
        format!("{} {} {}", self.version, self.status, self.reason)
            .trim_end()
            .to_owned()
    }
}

/// The members of a list field.
#[derive(Clone, Debug)]
pub(crate) struct Members(pub(crate) Vec<String>);

impl Members {
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|member| member.eq_ignore_ascii_case(name))
    }

    /// Returns whether this is the only one.
    pub(crate) fn is_only(&self, name: &str) -> bool {
        self.0.len() == 1 && self.contains(name)
    }
}

fn status_line(line: &[u8]) -> Option<(String, u16, String)> {
    let line = std::str::from_utf8(line).ok()?;
    let (version, rest) = line.split_once(' ')?;
    version.strip_prefix("HTTP/")?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_status = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
    let status = status.parse().ok().filter(|_| is_status)?;
    Some((
        printable(version.as_bytes()),
        status,
        printable(reason.as_bytes()),
    ))
}

fn field(line: &[u8]) -> (String, String) {
    let colon = line.iter().position(|byte| *byte == b':');
    let (name, value) = line.split_at(colon.unwrap_or(line.len()));
    let value = value.strip_prefix(b":").unwrap_or(value);
    (printable(name), printable(value.trim_ascii()))
}
