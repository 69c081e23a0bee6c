//! `#list` fields, read over all their lines (RFC 9110 5.3, 5.6.1).

use http::{HeaderValue, header::GetAll, header::ValueIter};

use super::token::{split_unquoted, trim_ows};

/// How many members of one field are read, empty ones included; what lies behind is not looked at.
///
/// A field with more is told apart by [`List::is_overlong`].
pub const MAX_MEMBERS: usize = 128;

/// A list field, over all its lines and in order.
///
/// Members come without the whitespace around them; empty members are skipped. A comma inside a
/// quoted string does not end a member. At most [`MAX_MEMBERS`] are read.
///
/// # Examples
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::UPGRADE};
/// use tower_upgrade::grammar::List;
///
/// let mut headers = HeaderMap::new();
/// headers.append(UPGRADE, HeaderValue::from_static("h2c, , echo/1.0"));
/// headers.append(UPGRADE, HeaderValue::from_static("websocket"));
///
/// let upgrade = List::new(headers.get_all(UPGRADE));
/// assert!(upgrade.iter().eq([&b"h2c"[..], b"echo/1.0", b"websocket"]));
/// assert!(upgrade.contains("WebSocket"));
/// ```
#[derive(Debug)]
pub struct List<'a>(Source<'a>);

#[derive(Debug)]
enum Source<'a> {
    Lines(GetAll<'a, HeaderValue>),
    Line(&'a [u8]),
}

impl<'a> List<'a> {
    /// Reads a list from all lines of a field, by [`HeaderMap::get_all`](http::HeaderMap::get_all).
    #[must_use]
    pub const fn new(lines: GetAll<'a, HeaderValue>) -> Self {
        Self(Source::Lines(lines))
    }

    /// Reads a list from a single line.
    #[must_use]
    pub const fn from_line(line: &'a [u8]) -> Self {
        Self(Source::Line(line))
    }

    /// Returns the members in order.
    #[must_use]
    pub fn iter(&self) -> Members<'a> {
        self.iter_up_to(MAX_MEMBERS)
    }

    /// Returns all members, for a field that is written anew and must lose nothing.
    pub(crate) fn iter_all(&self) -> Members<'a> {
        self.iter_up_to(usize::MAX)
    }

    fn iter_up_to(&self, left: usize) -> Members<'a> {
        let (lines, rest) = match &self.0 {
            Source::Lines(lines) => (Some(lines.iter()), None),
            Source::Line(line) => (None, Some(*line)),
        };
        Members { lines, rest, left }
    }

    /// Returns whether `token` is a member, compared without case.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        let is = |member: &[u8]| member.eq_ignore_ascii_case(token.as_bytes());
        self.find_map(|member| is(member).then_some(())).is_some()
    }

    /// What `iter().find_map(..)` is, without an iterator's bookkeeping where there is one line, as
    /// there nearly always is.
    pub(crate) fn find_map<T>(&self, mut find: impl FnMut(&'a [u8]) -> Option<T>) -> Option<T> {
        let Source::Line(line) = self.0 else {
            return self.iter().find_map(find);
        };
        let mut rest = line;
        for _ in 0..MAX_MEMBERS {
            let (member, tail) = split_unquoted(rest, b',');
            if let Some(found) = find(trim_ows(member)) {
                return Some(found);
            }
            rest = tail?;
        }
        None
    }

    /// Returns whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// Returns whether the field has more members than are read.
    #[must_use]
    pub fn is_overlong(&self) -> bool {
        let mut members = self.iter();
        members.by_ref().for_each(drop);
        members.is_cut()
    }
}

impl<'a> IntoIterator for &List<'a> {
    type Item = &'a [u8];
    type IntoIter = Members<'a>;

    fn into_iter(self) -> Members<'a> {
        self.iter()
    }
}

/// An iterator over the members of a [`List`].
#[derive(Debug)]
pub struct Members<'a> {
    lines: Option<ValueIter<'a, HeaderValue>>,
    /// What is left of the line being read; `None` between lines.
    rest: Option<&'a [u8]>,
    left: usize,
}

impl<'a> Members<'a> {
    /// Returns, once there are no more members, whether the field had more than are read.
    #[must_use]
    pub fn is_cut(mut self) -> bool {
        self.left == 0 && self.next_raw().is_some()
    }

    /// The next member as it stands between two commas, perhaps empty, whatever the bound says.
    fn next_raw(&mut self) -> Option<&'a [u8]> {
        let line = match self.rest.take() {
            Some(rest) => rest,
            None => self.lines.as_mut()?.next()?.as_bytes(),
        };
        let (member, rest) = split_unquoted(line, b',');
        self.rest = rest;
        Some(trim_ows(member))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        while self.left > 0 {
            let member = self.next_raw()?;
            self.left -= 1;
            if !member.is_empty() {
                return Some(member);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header::UPGRADE};

    use super::{List, MAX_MEMBERS};

    #[track_caller]
    fn reads(lines: &[&str], expected: &[&str]) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(UPGRADE, HeaderValue::from_str(line).unwrap());
        }
        let read: Vec<_> = List::new(headers.get_all(UPGRADE))
            .iter()
            .map(|member| std::str::from_utf8(member).unwrap())
            .collect();
        assert_eq!(read, expected);
    }

    #[test]
    fn a_list_is_read_over_all_its_lines() {
        reads(&[], &[]);
        reads(&["a"], &["a"]);
        reads(&["a,b", "c"], &["a", "b", "c"]);
    }

    #[test]
    fn empty_members_and_blanks_are_skipped() {
        reads(&["", " , ,", "a ,\tb,"], &["a", "b"]);
    }

    #[test]
    fn a_comma_in_a_quoted_string_ends_no_member() {
        reads(&[r#"a; b="c,d", e"#], &[r#"a; b="c,d""#, "e"]);
        reads(&[r#"a="\",", b"#], &[r#"a="\",""#, "b"]);
    }

    #[test]
    fn an_open_quote_swallows_its_own_line_only() {
        reads(&[r#""a, websocket"#, "b"], &[r#""a, websocket"#, "b"]);
    }

    #[test]
    fn no_more_than_the_bound_is_read() {
        let full = vec!["a"; MAX_MEMBERS].join(",");
        for (line, overlong) in [(full.clone(), false), (full + ",b", true)] {
            let mut headers = HeaderMap::new();
            headers.append(UPGRADE, HeaderValue::from_str(&line).unwrap());
            let list = List::new(headers.get_all(UPGRADE));
            assert_eq!(list.is_overlong(), overlong);
            assert!(!list.contains("b"));
        }
    }
}
