//! The WebSocket once it is open: a ping, silence, the end.

use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    exam::Exam,
    finding::Finding,
    remedy::{self, Symptom},
    seen::Seen,
    wire::{End, Frames, Ping},
};

/// What became of it.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) is_ping_answered: bool,
    /// `None` if it did not come to that.
    pub(crate) is_idle_kept: Option<bool>,
}

/// Pings, says nothing for a while, pings again and closes.
pub(crate) async fn live<I>(
    mut frames: Frames<I>,
    exam: &Exam,
    seen: &Seen,
    findings: &mut Vec<Finding>,
) -> Life
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let mut life = Life::default();
    match frames.ping("doctor", exam.patience).await {
        Ping::Answered => findings.push(Finding::ok("ping", "answered")),
        Ping::Silent => {
            findings.push(no_pong());
            return life;
        }
        Ping::Ended(end) => {
            findings.push(ended(&end));
            return life;
        }
    }
    life.is_ping_answered = true;
    let is_kept = idle(&mut frames, exam, seen, findings).await;
    life.is_idle_kept = Some(is_kept);
    if is_kept {
        findings.push(close(&mut frames, exam).await);
    }
    life
}

async fn idle<I>(
    frames: &mut Frames<I>,
    exam: &Exam,
    seen: &Seen,
    findings: &mut Vec<Finding>,
) -> bool
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    let seconds = exam.idle.as_secs_f32();
    let heard = match frames.idle(exam.idle).await {
        Ok(heard) => heard,
        Err(end) => {
            findings.push(cut(&end, seconds, seen));
            return false;
        }
    };
    match frames.ping("still there", exam.patience).await {
        Ping::Answered => {
            let spoke = match heard {
                0 => String::new(),
                heard => format!(", in which the server spoke {heard} times"),
            };
            findings.push(Finding::ok(
                "idle",
                format!("alive after {seconds} s{spoke}"),
            ));
            true
        }
        Ping::Silent => {
            let finding =
                Finding::error("idle-dead", format!("no pong after {seconds} s of silence"))
                    .means(
                        "something on the way forgot the connection and told nobody, as a NAT does",
                    )
                    .mend("ping more often than that, from the server or the client")
                    .see("RFC 6455 5.5.2");
            findings.push(finding);
            false
        }
        Ping::Ended(end) => {
            findings.push(cut(&end, seconds, seen));
            false
        }
    }
}

fn cut(end: &End, seconds: f32, seen: &Seen) -> Finding {
    Finding::error("idle-cut", format!("{end}, within {seconds} s of silence"))
        .means("an idle timeout of a proxy, or of the server, is shorter than that")
        .mend("raise the timeout, or ping more often than that from the server or the client")
        .see("RFC 6455 5.5.2")
        .remedies(remedy::lines(Symptom::CutsIdle, &seen.proxies(), None))
}

fn no_pong() -> Finding {
    Finding::error("ping-unanswered", "no pong came")
        .means("the 101 came, but frames get lost: a proxy does not relay them, or the server reads none")
        .mend("read the WebSocket all the time; let the proxy buffer nothing after a 101")
        .see("RFC 6455 5.5.3")
}

fn ended(end: &End) -> Finding {
    match end {
        End::Broken(_) => Finding::error("frames-broken", end.to_string())
            .means("what comes after the 101 is not framed as RFC 6455 has it")
            .mend("let nothing write to the connection but the WebSocket engine")
            .see("RFC 6455 5.2"),
        End::Closed(_) => Finding::error("closed-at-once", end.to_string())
            .means("the server opens the WebSocket and has no use for it")
            .mend("look into its log; it may miss a subprotocol, a cookie or a query")
            .see("RFC 6455 7.4.1"),
        End::Cut => Finding::error("cut-at-once", end.to_string())
            .means("the 101 came, and then the connection was gone: a handler that failed, or a server that does no upgrades")
            .mend("look into the server's log (hyper: serve `with_upgrades`)")
            .see("RFC 6455 7.1.7"),
    }
}

async fn close<I>(frames: &mut Frames<I>, exam: &Exam) -> Finding
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    if frames.close(exam.patience).await {
        return Finding::ok("close", "answered");
    }
    Finding::note("close-unanswered", "the close frame was not answered")
        .means("clients wait for that answer, and then hang up")
        .mend("read on until the client's close was answered")
        .see("RFC 6455 5.5.1")
}
