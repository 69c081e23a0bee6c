//! `Hint`: what a server says about its refusal.

use serde::{Deserialize, Serialize};

use crate::{
    text::{printable, shorten},
    wire::Head,
};

/// The reason in a refusal's content, escaped.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Hint {
    /// The kind that a `tower_upgrade::Refusal` has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<String>,
    pub(crate) text: String,
}

/// Problem details (RFC 9457), as far as they are of use here.
#[derive(Deserialize)]
struct Problem {
    kind: Option<String>,
    detail: Option<String>,
    title: Option<String>,
}

/// So much of a text is a hint.
const LONGEST: usize = 300;

impl Hint {
    /// Returns what problem details, a line of text or the title of a page say.
    pub(crate) fn read(head: &Head, content: &[u8]) -> Option<Self> {
        let media_type = head.joined("content-type").unwrap_or_default();
        let media_type = media_type.to_ascii_lowercase();
        if media_type.contains("json") {
            return Self::of_problem(content);
        }
        let text = String::from_utf8_lossy(content);
        let line = if media_type.contains("html") {
            title(&text)?
        } else {
            text.lines().find(|line| !line.trim().is_empty())?
        };
        Some(Self {
            kind: None,
            text: shown(line.trim()),
        })
    }

    fn of_problem(content: &[u8]) -> Option<Self> {
        let problem: Problem = serde_json::from_slice(content).ok()?;
        let text = problem.detail.or(problem.title)?;
        Some(Self {
            kind: problem.kind.map(|kind| shown(&kind)),
            text: shown(&text),
        })
    }

    pub(crate) fn is_kind(&self, kind: &str) -> bool {
        self.kind.as_deref() == Some(kind)
    }
}

fn shown(text: &str) -> String {
    shorten(&printable(text.as_bytes()), LONGEST)
}

fn title(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("<title>").or(page.split_once("<h1>"))?;
    rest.split('<').next()
}
