//! The report for machines.

use serde::Serialize;

use super::Report;
use crate::{finding::Finding, proxy::Proxy, seen::Seen};

#[derive(Serialize)]
struct Json<'a> {
    target: &'a str,
    verdict: &'static str,
    exit: u8,
    broken_by: Vec<By<'a>>,
    hops: Vec<Hop<'a>>,
    findings: Vec<At<'a>>,
}

/// A hop that broke it.
#[derive(Serialize)]
struct By<'a> {
    hop: usize,
    url: &'a str,
    proxy: Option<Proxy>,
    id: &'static str,
}

#[derive(Serialize)]
struct Hop<'a> {
    hop: usize,
    url: &'a str,
    seen: &'a Seen,
}

#[derive(Serialize)]
struct At<'a> {
    hop: usize,
    #[serde(flatten)]
    finding: &'a Finding,
}

/// Returns the report as one object of JSON.
pub(crate) fn json(report: &Report) -> serde_json::Result<String> {
    let visits = || report.visits.iter().enumerate();
    let verdict = report.verdict();
    let by = report.culprits.iter().filter_map(|culprit| {
        let visit = report.visits.get(culprit.hop)?;
        Some(By {
            hop: culprit.hop,
            url: visit.target.url(),
            proxy: visit.seen.who(),
            id: culprit.id,
        })
    });
    serde_json::to_string_pretty(&Json {
        target: report.target.url(),
        verdict: verdict.name(),
        exit: verdict.code(),
        broken_by: by.collect(),
        hops: visits()
            .map(|(hop, visit)| Hop {
                hop,
                url: visit.target.url(),
                seen: &visit.seen,
            })
            .collect(),
        findings: visits()
            .flat_map(|(hop, visit)| {
                visit
                    .findings
                    .iter()
                    .map(move |finding| At { hop, finding })
            })
            .collect(),
    })
}
