//! `Request`: the head of a request, field by field as it is sent.

/// A GET of HTTP/1.1 without content.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    path: String,
    fields: Vec<(&'static str, String)>,
}

impl Request {
    pub(crate) fn get(path: &str, host: &str) -> Self {
        Self {
            path: path.to_owned(),
            fields: vec![("Host", host.to_owned())],
        }
    }

    /// Adds a line.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    /// Takes all lines of this name out.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.fields.retain(|(n, _)| !n.eq_ignore_ascii_case(name));
        self
    }

    /// Writes this one line in place of all of this name.
    pub(crate) fn set(self, name: &'static str, value: impl Into<String>) -> Self {
        self.without(name).with(name, value)
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find_map(|(n, value)| n.eq_ignore_ascii_case(name).then_some(value.as_str()))
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut head = format!("GET {} HTTP/1.1\r\n", self.path);
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}
