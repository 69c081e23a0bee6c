//! `Finding`: what was seen, what it means, what mends it.

use std::borrow::Cow;

use serde::Serialize;

use crate::remedy::Remedy;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// Good to know; nothing breaks.
    Note,
    /// A rule is broken, or somebody could abuse it; most clients live with it.
    Warning,
    /// Clients fail.
    Error,
}

/// One result of one check.
///
/// What came from the peer stands in it escaped already.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// Stable: scripts may rely on it.
    pub(crate) id: &'static str,
    pub(crate) saw: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) means: Cow<'static, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) mend: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) section: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) remedies: Vec<Remedy>,
}

impl Finding {
    fn new(level: Level, id: &'static str, saw: impl Into<String>) -> Self {
        Self {
            level,
            id,
            saw: saw.into(),
            means: Cow::Borrowed(""),
            mend: Cow::Borrowed(""),
            section: None,
            remedies: Vec::new(),
        }
    }

    pub(crate) fn ok(id: &'static str, saw: impl Into<String>) -> Self {
        Self::new(Level::Ok, id, saw)
    }

    pub(crate) fn note(id: &'static str, saw: impl Into<String>) -> Self {
        Self::new(Level::Note, id, saw)
    }

    pub(crate) fn warning(id: &'static str, saw: impl Into<String>) -> Self {
        Self::new(Level::Warning, id, saw)
    }

    pub(crate) fn error(id: &'static str, saw: impl Into<String>) -> Self {
        Self::new(Level::Error, id, saw)
    }

    pub(crate) fn means(mut self, means: impl Into<Cow<'static, str>>) -> Self {
        self.means = means.into();
        self
    }

    pub(crate) fn mend(mut self, mend: impl Into<Cow<'static, str>>) -> Self {
        self.mend = mend.into();
        self
    }

    /// Names the section that has the rule.
    pub(crate) fn see(mut self, section: &'static str) -> Self {
        self.section = Some(section);
        self
    }

    /// Adds lines of configuration that mend it.
    pub(crate) fn remedies(mut self, remedies: Vec<Remedy>) -> Self {
        self.remedies = remedies;
        self
    }
}
