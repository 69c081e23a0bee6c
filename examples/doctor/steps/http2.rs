//! The WebSocket over HTTP/2: an extended CONNECT (RFC 8441).

use http::Response;
use hyper::body::Incoming;

use super::live::live;
use crate::{
    exam::Exam,
    finding::Finding,
    hint::Hint,
    remedy::{self, Symptom},
    seen::Seen,
    text::beginning,
    wire::{Fault, Frames, Head, Http2, Missed, Route, Streams},
};

/// Opens a WebSocket on a stream, and does there what was done over HTTP/1.1.
pub(crate) async fn http2(
    route: &Route,
    exam: &Exam,
    seen: &mut Seen,
    findings: &mut Vec<Finding>,
) {
    let mut connection = match Http2::connect(route).await {
        Ok(connection) => connection,
        Err(fault) => return findings.push(no_http2(&fault)),
    };
    match connection.page(exam.http2_page(&route.target)).await {
        Ok(answer) => findings.push(judge_page(&answer, seen)),
        Err(Missed::All(fault)) => return findings.push(no_http2(&fault)),
        Err(Missed::Answer(fault)) => findings.push(page_failed(&fault, seen)),
    }
    if !connection.allows_connect() {
        return findings.push(connect_off(exam, seen));
    }
    open(&mut connection.drive(), route, exam, seen, findings).await;
}

fn no_http2(fault: &Fault) -> Finding {
    Finding::error("http2-not-spoken", fault.to_string())
        .means("the server does not speak HTTP/2 there")
        .mend("turn it on; over TLS by ALPN `h2`, without by prior knowledge")
        .see("RFC 9113 3.2")
}

fn judge_page(answer: &Response<Incoming>, seen: &Seen) -> Finding {
    let status = answer.status();
    let saw = format!("GET is answered {}", status.as_u16());
    if status.as_u16() == 426 {
        // A proxy passes on what the server says to its HTTP/1.1.
        let finding = match seen.who() {
            Some(_) => Finding::note("http2-426", saw),
            None => Finding::warning("http2-426", saw),
        };
        return finding
            .means("over HTTP/2 no `Upgrade` can go with a 426, and none would help")
            .mend("answer 405 with `Allow: CONNECT` there")
            .see("RFC 9113 8.6");
    }
    Finding::ok("http2-get", saw)
}

fn page_failed(fault: &Fault, seen: &Seen) -> Finding {
    let why = fault.to_string();
    if why.contains("protocol error") {
        return Finding::warning("http2-connection-fields", why)
            .means(
                "the answer to a GET is malformed HTTP/2, as one with `Upgrade` or `Connection` is: \
                 proxies copy them from a 426",
            )
            .mend("let the proxy answer requests without `Upgrade` by itself")
            .see("RFC 9113 8.2.2")
            .remedies(remedy::lines(Symptom::CopiesUpgrade, &seen.proxies(), None));
    }
    Finding::warning("http2-get-failed", why).means("an ordinary GET gets no answer over HTTP/2")
}

fn connect_off(exam: &Exam, seen: &Seen) -> Finding {
    let saw = "SETTINGS_ENABLE_CONNECT_PROTOCOL is not 1";
    let finding = if exam.is_http2_wanted {
        Finding::error("http2-connect-off", saw)
    } else {
        Finding::note("http2-connect-off", saw)
    };
    finding
        .means("browsers open another connection, of HTTP/1.1, for each WebSocket")
        .mend("enable extended CONNECT, or let ALPN offer http/1.1 as well (hyper: `enable_connect_protocol()`)")
        .see("RFC 8441 3")
        .remedies(remedy::lines(Symptom::NoExtendedConnect, &seen.proxies(), None))
}

async fn open(
    streams: &mut Streams,
    route: &Route,
    exam: &Exam,
    seen: &mut Seen,
    findings: &mut Vec<Finding>,
) {
    let mut answer = match streams.ask(exam.http2_offer(&route.target)).await {
        Ok(answer) => answer,
        Err(fault) => return findings.push(no_stream(&fault)),
    };
    let status = answer.status();
    seen.http2 = Some(status.as_u16());
    if !status.is_success() {
        return findings.push(refused(answer, streams).await);
    }
    findings.push(Finding::ok("http2-connect", status.as_str()));
    findings.extend(subprotocol(&answer, exam));
    match streams.stream(&mut answer).await {
        Ok(io) => {
            let frames = Frames::new(io, Vec::new()).await;
            let mut lived = Vec::new();
            live(frames, exam, seen, &mut lived).await;
            findings.extend(lived.into_iter().map(over_http2));
        }
        Err(fault) => findings.push(no_stream(&fault)),
    }
}

fn no_stream(fault: &Fault) -> Finding {
    Finding::error("http2-connect-failed", fault.to_string())
        .means("an extended CONNECT gets no answer, or no stream with it")
        .mend("look into the server's log")
        .see("RFC 8441 4")
}

/// The ids are those of HTTP/1.1, but for the beginning.
fn over_http2(mut finding: Finding) -> Finding {
    finding.id = match finding.id {
        "ping" => "http2-ping",
        "idle" => "http2-idle",
        "idle-cut" => "http2-idle-cut",
        "idle-dead" => "http2-idle-dead",
        "close" => "http2-close",
        "close-unanswered" => "http2-close-unanswered",
        "ping-unanswered" => "http2-ping-unanswered",
        "frames-broken" => "http2-frames-broken",
        "closed-at-once" => "http2-closed-at-once",
        "cut-at-once" => "http2-cut-at-once",
        other => other,
    };
    finding.saw = format!("over HTTP/2: {}", finding.saw);
    finding
}

async fn refused(answer: Response<Incoming>, streams: &Streams) -> Finding {
    let (parts, body) = answer.into_parts();
    let head = Head::of_http2(&parts);
    let content = streams.content(body).await;
    let saw = match Hint::read(&head, &content) {
        Some(hint) => format!("{}: {}", head.status_line(), hint.text),
        None => head.status_line(),
    };
    let (means, mend) = match head.status {
        405 => (
            "the route does not take a CONNECT",
            "axum: `any(..)` in place of `get(..)`, or the layer around the router with `translate_connect()`",
        ),
        403 => (
            "the server does not want this origin or client",
            "allow the origin in the server",
        ),
        501 => (
            "the server opens no tunnel for `websocket` on this path",
            "check the path and its policy",
        ),
        502..=504 => (
            "a proxy in front gets no answer from the server behind it",
            "start that server",
        ),
        _ => (
            "the server refuses the extended CONNECT",
            "look into its log",
        ),
    };
    Finding::error("http2-connect-refused", saw)
        .means(means)
        .mend(mend)
        .see("RFC 8441 5")
}

fn subprotocol(answer: &Response<Incoming>, exam: &Exam) -> Option<Finding> {
    let chosen = answer.headers().get("sec-websocket-protocol");
    let saw = beginning(chosen?.as_bytes());
    let is_asked = exam.subprotocols.contains(&saw);
    Some(if is_asked {
        Finding::ok("http2-subprotocol", saw)
    } else {
        Finding::error("http2-subprotocol-foreign", saw)
            .means("the server did not choose one of those asked for: clients refuse")
            .see("RFC 6455 4.1")
    })
}
