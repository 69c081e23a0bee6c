//! The hops compared, from the inside out: the first that does worse than the next one broke it.

use crate::{
    finding::{Finding, Level},
    pair::Pair,
    seen::Seen,
    visit::Visit,
};

/// A hop that broke something, and what.
#[derive(Clone, Debug)]
pub(crate) struct Culprit {
    pub(crate) hop: usize,
    pub(crate) id: &'static str,
}

/// Adds to each hop what it does to the exchange, and lists those that break it, the outermost first.
pub(crate) fn compare(visits: &mut [Visit]) -> Vec<Culprit> {
    if visits.len() < 2 {
        return Vec::new();
    }
    let found: Vec<_> = (0..visits.len()).map(|hop| between(visits, hop)).collect();
    let mut culprits = Vec::new();
    for (hop, findings) in found.into_iter().enumerate() {
        let errors = findings
            .iter()
            .filter(|finding| finding.level == Level::Error);
        culprits.extend(errors.map(|error| Culprit { hop, id: error.id }));
        if let Some(visit) = visits.get_mut(hop) {
            visit.findings.extend(findings);
        }
    }
    culprits.extend(missing(visits));
    forgive_inner(visits);
    if culprits.is_empty() {
        culprits.extend(innermost(visits));
    } else {
        forget_guesses(visits);
    }
    culprits
}

/// Compares a hop with the next one inwards that can be reached from here.
fn between(visits: &[Visit], hop: usize) -> Vec<Finding> {
    let Some(visit) = visits.get(hop).filter(|visit| visit.seen.is_reached) else {
        return Vec::new();
    };
    let mut inwards = visits.iter().skip(hop + 1);
    if is_missing(&visit.seen, visits.get(hop + 1)) {
        return Vec::new();
    }
    let Some(next) = inwards.find(|visit| visit.seen.is_reached) else {
        return Vec::new();
    };
    Pair {
        outer: &visit.seen,
        inner: &next.seen,
        server: &next.target,
    }
    .findings()
}

/// Whether a hop says that it cannot reach the next, and that is so from here too.
fn is_missing(outer: &Seen, next: Option<&Visit>) -> bool {
    let is_unreached = next.is_some_and(|next| !next.seen.is_reached);
    is_unreached && matches!(outer.status, Some(502..=504))
}

/// Lists the hops that are not there.
fn missing(visits: &[Visit]) -> Vec<Culprit> {
    let pairs = visits.iter().zip(visits.iter().skip(1)).enumerate();
    pairs
        .filter(|(_, (outer, next))| is_missing(&outer.seen, Some(*next)))
        .filter_map(|(hop, (_, next))| {
            let id = first_error(next)?;
            Some(Culprit { hop: hop + 1, id })
        })
        .collect()
}

/// If no proxy did it, the server itself did.
fn innermost(visits: &[Visit]) -> Option<Culprit> {
    let last = visits.last().filter(|last| last.seen.is_reached)?;
    let id = first_error(last)?;
    let hop = visits.len() - 1;
    Some(Culprit { hop, id })
}

fn first_error(visit: &Visit) -> Option<&'static str> {
    let mut findings = visit.findings.iter();
    let error = findings.find(|finding| finding.level == Level::Error);
    error.map(|finding| finding.id)
}

/// Takes off the lines that were a guess, now that it is known who has to change what.
fn forget_guesses(visits: &mut [Visit]) {
    let findings = visits.iter_mut().flat_map(|visit| &mut visit.findings);
    for finding in findings.filter(|finding| !finding.id.starts_with("proxy-")) {
        finding.remedies.clear();
    }
}

/// If the edge works, a hop that does not when it is asked from here may be so by intent: behind a
/// firewall, or wanting what a proxy adds.
fn forgive_inner(visits: &mut [Visit]) {
    let is_fine = visits.first().is_some_and(|edge| edge.seen.is_switched());
    let failing = visits
        .iter_mut()
        .filter(|visit| is_fine && !visit.seen.is_switched());
    let findings = failing.flat_map(|visit| &mut visit.findings);
    for finding in findings.filter(|finding| finding.level == Level::Error) {
        finding.level = Level::Warning;
    }
}
