//! An ordinary GET of the path.

use super::wanted::Wanted;
use crate::{
    exam::Exam,
    finding::Finding,
    hint::Hint,
    seen::Seen,
    wire::{Fault, Head, Route},
};

/// What an ordinary GET is answered.
pub(crate) struct Page {
    head: Head,
    hint: Option<Hint>,
}

/// Asks for the path as any program would, without an offer.
pub(crate) async fn page(route: &Route, exam: &Exam, seen: &mut Seen) -> Result<Page, Fault> {
    let mut conversation = route.http1().await?;
    let request = exam.page(&route.target);
    conversation.send(&request.to_bytes()).await?;
    let head = conversation.head().await?;
    seen.name(&head);
    seen.is_http2_behind = head.status == 405 && head.members("allow").contains("CONNECT");
    let content = conversation.content(&head).await;
    let hint = Hint::read(&head, &content);
    Ok(Page { head, hint })
}

impl Page {
    /// Judges the answer, knowing whether a WebSocket is opened there, and who listens.
    pub(crate) fn judge(&self, seen: &Seen) -> Vec<Finding> {
        let head = &self.head;
        let saw = head.status_line();
        match head.status {
            101 => vec![
                Finding::error("switched-unasked", saw)
                    .means("the server switches protocols although nobody offered it")
                    .mend("check the offer before the 101")
                    .see("RFC 9110 7.8"),
            ],
            426 => upgrade_required(head, seen),
            500..=599 => vec![self.server_error(saw)],
            200..=299 => vec![Finding::ok(
                "plain-get",
                format!("{saw}: the path has a page too"),
            )],
            405 if seen.is_http2_behind => vec![
                Finding::ok(
                    "plain-get",
                    format!("{saw}, allowing CONNECT: it came over HTTP/2"),
                )
                .see("RFC 9113 8.6"),
            ],
            _ if seen.is_switched() => vec![
                Finding::note("plain-get-not-426", saw)
                    .means("who asks without an offer is not told that one is wanted")
                    .mend("answer 426 with `Upgrade: websocket` and `Connection: upgrade`")
                    .see("RFC 9110 15.5.22"),
            ],
            _ => vec![Finding::note("plain-get", saw)],
        }
    }

    fn server_error(&self, saw: String) -> Finding {
        let saw = match &self.hint {
            Some(hint) => format!("{saw}: {}", hint.text),
            None => saw,
        };
        Finding::warning("plain-get-5xx", saw)
            .means("the server, or the one behind it, fails")
            .mend("look into its log")
            .see("RFC 9110 15.6")
    }
}

/// A GET without an answer, where a handshake gets one.
pub(crate) fn page_failed(fault: &Fault) -> Finding {
    Finding::note("plain-get-unanswered", fault.to_string())
        .means("who asks without an offer is not told that one is wanted")
        .mend("answer 426 with `Upgrade: websocket` and `Connection: upgrade`")
        .see("RFC 9110 15.5.22")
}

fn upgrade_required(head: &Head, seen: &Seen) -> Vec<Finding> {
    let is_proxy = seen.who().is_some();
    let mut findings = Vec::new();
    match head.joined("upgrade") {
        None => findings.push(
            unnamed(is_proxy, "426 without `Upgrade`".into())
                .means("a 426 must say to what: the server does not, or a proxy took it out"),
        ),
        Some(_) if head.members("upgrade").contains("websocket") => {}
        Some(other) if seen.is_switched() => findings.push(
            unnamed(is_proxy, format!("426 with `Upgrade: {other}`"))
                .means("the path opens WebSockets, and its 426 asks for something else"),
        ),
        Some(_) => findings.push(other_required(head)),
    }
    if !head.members("connection").contains("upgrade") {
        findings.push(unbound(head, is_proxy));
    }
    if findings.is_empty() {
        let saw = "426 with `Upgrade: websocket` and `Connection: upgrade`";
        findings.push(Finding::ok("plain-get", saw).see("RFC 9110 15.5.22"));
    }
    findings
}

fn unnamed(is_proxy: bool, saw: String) -> Finding {
    told_by(is_proxy, "upgrade-required-unnamed", saw)
        .mend("send `Upgrade: websocket` with it")
        .see("RFC 9110 15.5.22")
}

/// A path that is for something else than WebSocket, or for it on other terms, says so rightly.
fn other_required(head: &Head) -> Finding {
    let wanted = Wanted::of(head);
    let upgrade = head.joined("upgrade").unwrap_or_default();
    let saw = format!("426 with `Upgrade: {upgrade}`");
    match wanted {
        Wanted::Tls => Finding::note("upgrade-required-tls", saw),
        Wanted::Http2 => Finding::note("upgrade-required-http2", saw),
        Wanted::Other => Finding::note("upgrade-required-other", saw),
    }
    .means(wanted.means(&upgrade))
    .mend(wanted.mend())
    .see(wanted.section())
}

/// A proxy has to take `Connection` off every answer, and few write a new one: no fault of the server's.
fn told_by(is_proxy: bool, id: &'static str, saw: String) -> Finding {
    if is_proxy {
        Finding::note(id, saw)
    } else {
        Finding::warning(id, saw)
    }
}

fn unbound(head: &Head, is_proxy: bool) -> Finding {
    let saw = match head.joined("connection") {
        Some(connection) => format!("426 with `Connection: {connection}`"),
        None => "426 without `Connection`".into(),
    };
    told_by(is_proxy, "upgrade-required-unbound", saw)
        .means("`Upgrade` counts only if `Connection` names it; proxies take that off")
        .mend("send `Connection: upgrade` with it, if this is the server itself")
        .see("RFC 9110 7.8")
}
