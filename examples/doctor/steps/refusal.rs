//! Why an offer was not answered 101, as far as the answer tells.

use super::wanted::Wanted;
use crate::{
    exam::Exam,
    finding::Finding,
    remedy::{self, Symptom},
    seen::Seen,
    wire::Head,
};

/// Names the cause by what the server says of it, or else by the status.
pub(crate) fn explain(head: &Head, exam: &Exam, seen: &Seen) -> Finding {
    let saw = match &seen.hint {
        Some(hint) => format!("{}: {}", head.status_line(), hint.text),
        None => head.status_line(),
    };
    match Symptom::of_refusal(seen) {
        Some(symptom) => lost_on_the_way(symptom, saw, seen),
        None if is_about_origin(seen) => origin(saw, exam, seen),
        None => by_kind(head, seen, &saw).unwrap_or_else(|| by_status(head, saw)),
    }
}

pub(crate) fn is_about_origin(seen: &Seen) -> bool {
    let is_kind = seen
        .hint
        .as_ref()
        .is_some_and(|hint| hint.is_kind("origin"));
    is_kind || seen.is_origin_refused
}

fn lost_on_the_way(symptom: Symptom, saw: String, seen: &Seen) -> Finding {
    let (id, means) = match symptom {
        Symptom::SpeaksOldHttp => (
            "upgrade-over-http10",
            "the server got the offer in HTTP/1.0, which knows no `Upgrade`: a proxy in front speaks that",
        ),
        Symptom::DropsConnection => (
            "connection-dropped",
            "the server got `Upgrade` without its `Connection: upgrade`: a proxy in front dropped it",
        ),
        _ => (
            "upgrade-dropped",
            "the server got the request without the `Upgrade` that was sent: a proxy in front dropped it",
        ),
    };
    Finding::error(id, saw)
        .means(means)
        .mend("let each proxy pass the upgrade on")
        .see("RFC 9110 7.8")
        .remedies(remedy::lines(symptom, &seen.proxies(), None))
}

fn origin(saw: String, exam: &Exam, seen: &Seen) -> Finding {
    Finding::error("origin-refused", saw)
        .means(format!(
            "the server refuses pages of {}; if they are its own, a proxy in front changed `Host`",
            exam.origin
        ))
        .mend("let each proxy pass `Host` on, or allow the origin in the server")
        .see("RFC 6455 10.2")
        .remedies(remedy::lines(Symptom::RewritesHost, &seen.proxies(), None))
}

/// What has a reason of its own.
fn by_kind(head: &Head, seen: &Seen, saw: &str) -> Option<Finding> {
    if let Some(upgrade) = head.joined("upgrade").filter(|_| head.status == 426) {
        let wanted = Wanted::of(head);
        let id = match wanted {
            Wanted::Tls => "tls-required",
            Wanted::Http2 => "http2-required",
            Wanted::Other => "other-protocol",
        };
        let finding = Finding::error(id, saw)
            .means(wanted.means(&upgrade))
            .mend(wanted.mend())
            .see(wanted.section());
        return Some(finding);
    }
    let hint = seen.hint.as_ref()?;
    (hint.is_kind("draining") || hint.is_kind("total-limit")).then(|| {
        Finding::error("server-busy", saw)
            .means(
                "the server itself takes no more connections for now: it is about to end, or full",
            )
            .mend("try later; raise its limit")
            .see("RFC 9110 15.6.4")
    })
}

fn by_status(head: &Head, saw: String) -> Finding {
    let finding = |id, means: &'static str, mend: &'static str| {
        Finding::error(id, saw.clone()).means(means).mend(mend)
    };
    match head.status {
        200..=299 => finding(
            "not-a-websocket",
            "the offer was answered like an ordinary request: nothing speaks WebSocket on this path, \
             or a proxy dropped `Upgrade`",
            "check the path; give the hops by --behind to see which one drops it",
        ),
        300..=399 => finding(
            "redirected",
            "WebSocket clients follow no redirect",
            "use the address it leads to, in the client",
        )
        .means(match head.joined("location") {
            Some(location) => format!("WebSocket clients follow no redirect; this one is to {location}"),
            None => "WebSocket clients follow no redirect".into(),
        }),
        401 | 407 => finding(
            "credentials-wanted",
            "the server wants credentials, which browsers send with cookies alone",
            "let the handshake authenticate by cookie, subprotocol or query",
        ),
        403 => finding("forbidden", "the server, or a proxy in front, does not want this client", "look into its log"),
        404 | 410 => finding("no-such-path", "the server knows no such path", "check the path, and what proxies make of it"),
        405 => finding("method-refused", "a WebSocket is opened by GET, which the path does not take", "route GET to the handler"),
        429 => finding("over-limit", "too many connections of this client", "try later, or raise the limit"),
        502..=504 => finding(
            "backend-unavailable",
            "a proxy in front gets no answer from the server behind it",
            "start that server; check its address in the proxy's configuration",
        ),
        500..=599 => finding("server-error", "the server fails on the handshake", "look into its log"),
        _ => finding(
            "handshake-refused",
            "the server refuses the handshake",
            "look into its log; every field of the offer was as RFC 6455 has it",
        ),
    }
    .see("RFC 6455 4.2.2")
}
