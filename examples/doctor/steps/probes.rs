//! Handshakes that are wrong, hostile or unusual, each on a connection of its own.

use std::time::Duration;

use tokio::{
    io::AsyncReadExt,
    time::{Instant, timeout},
};

use super::handshake::ask;
use crate::{
    exam::Exam,
    finding::Finding,
    seen::Seen,
    wire::{Conversation, Fault, Frames, Head, Ping, Request, Route, close_frame, ping_frame},
};

/// The host of a page that no server takes for its own.
const FOREIGN: &str = "https://foreign.invalid";

/// Tries them all on a server that opened a WebSocket.
pub(crate) async fn probes(
    route: &Route,
    exam: &Exam,
    seen: &mut Seen,
    findings: &mut Vec<Finding>,
) {
    let offer = || exam.offer(&route.target);
    let answer = probe(route, offer().set("Sec-WebSocket-Version", "99")).await;
    let is_http2 = seen.is_http2_behind;
    findings.push(tried("version", answer, |head| version(head, is_http2)));
    let answer = probe(route, offer().set("Sec-WebSocket-Key", "AAAA")).await;
    findings.push(tried("key", answer, key));
    let answer = probe(route, offer().set("Origin", FOREIGN)).await;
    findings.push(tried("foreign-origin", answer, foreign_origin));
    let lines = offer()
        .without("Connection")
        .with("Connection", "keep-alive")
        .with("Connection", "Upgrade");
    findings.push(tried("split-connection", probe(route, lines).await, split));
    findings.push(early(route, exam, seen).await);
}

/// Judges an answer, unless the server was too busy for one.
fn tried(
    id: &'static str,
    answer: Result<Head, Fault>,
    judge: impl Fn(&Head) -> Finding,
) -> Finding {
    match answer {
        Ok(head) if matches!(head.status, 429 | 500..=599) => {
            Finding::note(id, format!("{}: could not be told", head.status_line()))
        }
        Ok(head) => judge(&head),
        // Not polite, but no WebSocket either.
        Err(fault) => judge_silence(id, &fault),
    }
}

fn judge_silence(id: &'static str, fault: &Fault) -> Finding {
    let finding = Finding::note(id, fault.to_string());
    finding.means("the server gives no answer to such a handshake; a status would tell more")
}

async fn probe(route: &Route, request: Request) -> Result<Head, Fault> {
    let (conversation, head) = ask(route, &request).await?;
    if head.status == 101 {
        part(conversation).await;
    }
    Ok(head)
}

/// Closes in good order, so that the server's limits are free for the next.
async fn part(mut conversation: Conversation) {
    if conversation.send(&close_frame()).await.is_err() {
        return;
    }
    let (mut io, _) = conversation.into_parts();
    let mut buffer = [0; 512];
    let end = async { while matches!(io.read(&mut buffer).await, Ok(1..)) {} };
    let _ = timeout(Duration::from_millis(500), end).await;
}

fn version(head: &Head, is_http2_behind: bool) -> Finding {
    let saw = format!("version 99 is answered {}", head.status_line());
    let names_13 = head.members("sec-websocket-version").contains("13");
    match head.status {
        101 => Finding::warning("version-unchecked", saw)
            .means("the server takes any version for its own")
            .mend("refuse other versions than 13 with 426 and `Sec-WebSocket-Version: 13`"),
        426 if names_13 => Finding::ok("version", format!("{saw}, naming 13")),
        // No 426 is for HTTP/2.
        400 if names_13 && is_http2_behind => Finding::ok(
            "version",
            format!("{saw}, naming 13, which came over HTTP/2"),
        ),
        _ if names_13 => Finding::note("version-not-426", format!("{saw}, naming 13"))
            .means("the version that is spoken is named, the status is another than 426")
            .mend("answer 426"),
        _ => Finding::warning("version-unnamed", saw)
            .means("a client of another version is not told which one is spoken")
            .mend("answer 426 with `Sec-WebSocket-Version: 13`"),
    }
    .see("RFC 6455 4.4")
}

fn key(head: &Head) -> Finding {
    let saw = format!("a key of 3 octets is answered {}", head.status_line());
    match head.status {
        101 => Finding::warning("key-unchecked", saw)
            .means("the server does not look whether it talks to a WebSocket client")
            .mend("refuse a key that is not base64 of 16 octets with 400"),
        _ => Finding::ok("key", saw),
    }
    .see("RFC 6455 4.2.1")
}

fn foreign_origin(head: &Head) -> Finding {
    let saw = format!("{FOREIGN} is answered {}", head.status_line());
    match head.status {
        101 => Finding::warning("origin-unchecked", saw)
            .means(
                "any page on the web can open this WebSocket with its visitor's cookies \
                 (cross-site WebSocket hijacking)",
            )
            .mend("refuse origins that are not yours with 403"),
        _ => Finding::ok("foreign-origin", saw),
    }
    .see("RFC 6455 10.2")
}

fn split(head: &Head) -> Finding {
    let saw = format!(
        "`Connection` on two lines is answered {}",
        head.status_line()
    );
    match head.status {
        101 => Finding::ok("split-connection", saw),
        _ => Finding::warning("split-connection-misread", saw)
            .means("only the first line of a list is read; some clients and proxies write two")
            .mend("read all lines of a field as one list"),
    }
    .see("RFC 9110 5.3")
}

/// Sends a ping right behind the head.
async fn early(route: &Route, exam: &Exam, seen: &mut Seen) -> Finding {
    let payload = "early";
    let mut bytes = exam.offer(&route.target).to_bytes();
    bytes.extend(ping_frame(payload));
    let answer = async {
        let mut conversation = route.http1().await?;
        conversation.send(&bytes).await?;
        let head = conversation.head().await?;
        Ok::<_, Fault>((conversation, head))
    };
    let (conversation, head) = match answer.await {
        Ok(answer) => answer,
        Err(fault) => return judge_silence("early-bytes", &fault),
    };
    if head.status != 101 {
        return lost(format!("such an offer is answered {}", head.status_line()));
    }
    let (io, read) = conversation.into_parts();
    let mut frames = Frames::new(io, read).await;
    let pong = frames.pong(payload, Instant::now() + exam.patience).await;
    let is_kept = matches!(pong, Ping::Answered);
    seen.is_early_kept = Some(is_kept);
    if !is_kept {
        return lost("a ping right behind the offer's head is not answered".into());
    }
    frames.close(Duration::from_millis(500)).await;
    Finding::ok(
        "early-bytes",
        "a ping right behind the offer's head is answered",
    )
}

fn lost(saw: String) -> Finding {
    Finding::note("early-bytes-lost", saw)
        .means("bytes that came with the head are lost; WebSocket clients wait, others may not")
        .mend("take what was read beyond the head for bytes of the new protocol")
        .see("RFC 6455 4.1")
}
