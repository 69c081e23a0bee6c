//! `Visit`: the exam of one hop.

use crate::{
    exam::Exam,
    finding::Finding,
    seen::Seen,
    steps,
    target::Target,
    wire::{Conversation, Frames, Route},
};

/// What came of it.
#[derive(Debug)]
pub(crate) struct Visit {
    pub(crate) target: Target,
    pub(crate) seen: Seen,
    pub(crate) findings: Vec<Finding>,
}

impl Visit {
    pub(crate) fn new(target: &Target) -> Self {
        Self {
            target: target.clone(),
            seen: Seen::default(),
            findings: Vec::new(),
        }
    }

    /// Makes the exchange with this hop, as far as it gets. Dropped, it leaves what was found till then.
    pub(crate) async fn run(&mut self, exam: &Exam) {
        let url = self.target.url().to_owned();
        let say = |what: &str| exam.progress.say(&url, what);
        say("connecting");
        let found = steps::reach(&self.target, exam, &mut self.findings).await;
        let Some(route) = found else { return };
        self.seen.is_reached = true;
        let mut is_http2_chosen = false;
        if self.target.is_secure() {
            let chosen = steps::tls(&route, &mut self.findings).await;
            let Some(alpn) = chosen else { return };
            is_http2_chosen = alpn == steps::Alpn::Http2;
        }
        say("shaking hands");
        if let Some(conversation) = self.shake_hands(&route, exam).await {
            self.use_websocket(&route, exam, conversation).await;
        }
        if exam.is_http2_wanted || is_http2_chosen {
            say("HTTP/2");
            steps::http2(&route, exam, &mut self.seen, &mut self.findings).await;
        }
    }

    async fn shake_hands(&mut self, route: &Route, exam: &Exam) -> Option<Conversation> {
        let Self { seen, findings, .. } = self;
        let page = steps::page(route, exam, seen).await;
        seen.proxy = steps::who(route).await;
        let mut shaken = Vec::new();
        let conversation = steps::handshake(route, exam, seen, &mut shaken).await;
        match page {
            Ok(page) => findings.extend(page.judge(seen)),
            // If the handshake fails alike, that is told.
            Err(fault) if seen.status.is_some() => findings.push(steps::page_failed(&fault)),
            Err(_) => {}
        }
        findings.append(&mut shaken);
        conversation
    }

    async fn use_websocket(&mut self, route: &Route, exam: &Exam, conversation: Conversation) {
        let Self {
            target,
            seen,
            findings,
        } = self;
        let (io, read) = conversation.into_parts();
        let frames = Frames::new(io, read).await;
        let silence = format!("{} s of silence", exam.idle.as_secs_f32());
        exam.progress.say(target.url(), &silence);
        let life = steps::live(frames, exam, seen, findings).await;
        seen.is_ping_answered = Some(life.is_ping_answered);
        seen.is_idle_kept = life.is_idle_kept;
        exam.progress.say(target.url(), "odd handshakes");
        steps::probes(route, exam, seen, findings).await;
    }
}
