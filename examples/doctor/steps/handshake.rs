//! The handshake over HTTP/1.1.

use super::{fault::no_answer, refusal, switch};
use crate::{
    exam::Exam,
    finding::Finding,
    hint::Hint,
    seen::Seen,
    wire::{Conversation, Fault, Head, Request, Route},
};

/// Opens a WebSocket, and returns the connection if it may go on.
pub(crate) async fn handshake(
    route: &Route,
    exam: &Exam,
    seen: &mut Seen,
    findings: &mut Vec<Finding>,
) -> Option<Conversation> {
    let offer = exam.offer(&route.target);
    let (mut conversation, head) = match ask(route, &offer).await {
        Ok(answer) => answer,
        Err(fault) => {
            findings.push(no_answer(&fault, route.target.is_secure()));
            return None;
        }
    };
    let key = offer.value("Sec-WebSocket-Key").unwrap_or_default();
    record(&head, key, seen);
    if head.status != 101 {
        let content = conversation.content(&head).await;
        seen.hint = Hint::read(&head, &content);
        seen.is_origin_refused = is_origin_refused(route, &offer, head.status).await;
        findings.push(refusal::explain(&head, exam, seen));
        return None;
    }
    let found = switch::check(&head, key, &exam.subprotocols);
    let may_go_on = !found.iter().any(|finding| finding.id == "upgrade-other");
    findings.extend(found);
    may_go_on.then_some(conversation)
}

/// Sends a request on a connection of its own, and reads the head of the answer.
pub(super) async fn ask(route: &Route, request: &Request) -> Result<(Conversation, Head), Fault> {
    let mut conversation = route.http1().await?;
    conversation.send(&request.to_bytes()).await?;
    let head = conversation.head().await?;
    Ok((conversation, head))
}

fn record(head: &Head, key: &str, seen: &mut Seen) {
    seen.name(head);
    seen.status = Some(head.status);
    seen.version = Some(head.version.clone());
    seen.upgrade = head.joined("upgrade");
    seen.connection = head.joined("connection");
    seen.subprotocol = head.joined("sec-websocket-protocol");
    if head.status == 101 {
        seen.accept = Some(switch::accept(head, key));
    }
}

/// Whether it is the `Origin` that a 403 is about: without, the same offer is accepted.
async fn is_origin_refused(route: &Route, offer: &Request, status: u16) -> bool {
    if status != 403 {
        return false;
    }
    let offer = offer.clone().without("Origin");
    let answer = ask(route, &offer).await;
    answer.is_ok_and(|(_, head)| head.status == 101)
}
