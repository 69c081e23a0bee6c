//! The report for people: a table, in colours where there is a terminal.

use std::fmt::Write;

use super::{Report, Verdict};
use crate::{
    finding::{Finding, Level},
    text::{shorten, wrap},
    visit::Visit,
};

/// Where the columns begin.
const ID: usize = 10;
const SAW: usize = 38;
/// So much of a URL is a title, where lines are not broken.
const LONGEST_URL: usize = 110;

/// Returns the findings of each hop, what mends them, and the verdict. Lines are broken at a width, if any.
pub(crate) fn table(report: &Report, is_coloured: bool, width: Option<usize>) -> String {
    let mut table = Table {
        text: String::new(),
        is_coloured,
        width: width.unwrap_or(usize::MAX),
    };
    for (hop, visit) in report.visits.iter().enumerate() {
        table.hop(hop, visit, report.visits.len() > 1);
    }
    table.verdict(report);
    table.text
}

struct Table {
    text: String,
    is_coloured: bool,
    width: usize,
}

impl Table {
    fn hop(&mut self, hop: usize, visit: &Visit, is_one_of_many: bool) {
        let url = self.url(visit);
        let name = match visit.seen.who() {
            Some(proxy) => format!("{url}  ({})", proxy.name()),
            None => url,
        };
        let title = if is_one_of_many {
            format!("hop {hop}  {name}")
        } else {
            name
        };
        self.line(&self.paint("1", &title));
        for finding in &visit.findings {
            self.finding(finding);
        }
        self.line("");
    }

    fn finding(&mut self, finding: &Finding) {
        let (level, colour) = match finding.level {
            Level::Ok => ("ok", "32"),
            Level::Note => ("note", "36"),
            Level::Warning => ("warning", "33"),
            Level::Error => ("error", "31"),
        };
        let level = self.paint(colour, &format!("{level:<8}"));
        let mut saw = wrap(&finding.saw, self.width - SAW).into_iter();
        let first = saw.next().unwrap_or_default();
        let width = SAW - ID;
        self.line(format!("{level}  {:<width$}{first}", finding.id).trim_end());
        for rest in saw {
            self.line(&format!("{:SAW$}{rest}", ""));
        }
        if finding.level == Level::Ok {
            return;
        }
        self.detail("means", &finding.means);
        self.detail("mend", &finding.mend);
        for remedy in &finding.remedies {
            let mut label = remedy.proxy.name();
            for line in &remedy.lines {
                // To be copied, so it stays one line.
                self.line(&format!("{:ID$}{label:<9}{line}", ""));
                label = "";
            }
        }
        self.detail("see", finding.section.unwrap_or_default());
    }

    fn detail(&mut self, label: &str, text: &str) {
        let mut label = label;
        for line in wrap(text, self.width - ID - 9) {
            self.line(&format!("{:ID$}{label:<9}{line}", ""));
            label = "";
        }
    }

    fn verdict(&mut self, report: &Report) {
        for culprit in &report.culprits {
            if let Some(visit) = report.visits.get(culprit.hop) {
                let url = self.url(visit);
                let by = match visit.seen.who() {
                    Some(proxy) => format!("{url}, which is {}", proxy.name()),
                    None => url,
                };
                let text = format!("broken by hop {}, {by}: {}", culprit.hop, culprit.id);
                for line in wrap(&text, self.width) {
                    self.line(&self.paint("1;31", &line));
                }
            }
        }
        let count = |level, one: &str| match report.count(level) {
            1 => format!("1 {one}"),
            many => format!("{many} {one}s"),
        };
        let errors = count(Level::Error, "error");
        let warnings = count(Level::Warning, "warning");
        let notes = count(Level::Note, "note");
        let (name, colour) = match report.verdict() {
            Verdict::Fine => ("fine", "1;32"),
            Verdict::Warned => ("works, with warnings", "1;33"),
            Verdict::Broken => ("broken", "1;31"),
            Verdict::Interrupted => ("interrupted", "1;33"),
            Verdict::Untried => ("could not be tried", "1;31"),
        };
        let name = self.paint(colour, name);
        self.line(&format!("{name}: {errors}, {warnings}, {notes}"));
    }

    /// With room for what stands beside it.
    fn url(&self, visit: &Visit) -> String {
        let most = self.width.saturating_sub(20).min(LONGEST_URL);
        shorten(visit.target.url(), most)
    }

    fn paint(&self, colour: &str, text: &str) -> String {
        if self.is_coloured {
            format!("\x1b[{colour}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }

    fn line(&mut self, line: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{line}");
    }
}
