//! `Pair`: a proxy and the server behind it, and what the one makes of the other's answers.

use crate::{
    finding::Finding,
    remedy::{self, Symptom},
    seen::{Accept, Seen},
    steps::is_about_origin,
    target::Target,
};

/// A proxy, and the server it asks.
pub(crate) struct Pair<'a> {
    pub(crate) outer: &'a Seen,
    pub(crate) inner: &'a Seen,
    pub(crate) server: &'a Target,
}

impl Pair<'_> {
    /// Lists what is worse, or only different, at the proxy.
    pub(crate) fn findings(&self) -> Vec<Finding> {
        match (self.outer.is_switched(), self.inner.is_switched()) {
            (true, true) => self.both_switched(),
            (false, true) => vec![self.not_switched()],
            (true, false) => vec![self.only_outside()],
            (false, false) => Vec::new(),
        }
    }

    fn broken(&self, id: &'static str, symptom: Option<Symptom>) -> Finding {
        let remedies = symptom.map(|symptom| {
            // Who listens is to blame; without a name it is whoever the fields name, if nobody
            // further in wrote them.
            let named = self
                .outer
                .named
                .filter(|_| self.outer.server != self.inner.server);
            let guess = self.outer.proxy.or(named);
            remedy::lines(symptom, guess.as_slice(), Some(self.server))
        });
        let status = |seen: &Seen| match seen.status {
            Some(status) => status.to_string(),
            None => "nothing".into(),
        };
        let saw = format!("{} here, {} behind", status(self.outer), status(self.inner));
        Finding::error(id, saw).remedies(remedies.unwrap_or_default())
    }

    /// The server accepts what does not get through to it.
    fn not_switched(&self) -> Finding {
        match (Symptom::of_refusal(self.outer), self.outer.status) {
            (Some(symptom), _) => self.dropped(symptom),
            (None, Some(403)) if is_about_origin(self.outer) => self
                .broken("proxy-rewrites-host", Some(Symptom::RewritesHost))
                .means("the server takes its own pages for another site's: this proxy changes `Host`, or adds a port to it or takes it off")
                .mend("pass `Host` on as it came")
                .see("RFC 6455 10.2"),
            (None, Some(502..=504)) => self
                .broken("proxy-misses-server", Some(Symptom::MissesServer))
                .means("the server is there, and this proxy asks another address, by another scheme, or gives up too early")
                .mend("check its address in the configuration")
                .see("RFC 9110 15.6.3"),
            (None, Some(404 | 410)) => self
                .broken("proxy-changes-path", Some(Symptom::ChangesPath))
                .means("the server knows the path, and is asked for another, or not at all")
                .mend("pass the path on as it came"),
            (None, Some(300..=399)) => self
                .broken("proxy-redirects", None)
                .means("this proxy sends the client elsewhere, and WebSocket clients do not follow")
                .mend("use the address it leads to"),
            (None, Some(401 | 403 | 407 | 429)) => self
                .broken("proxy-refuses", None)
                .means("this proxy does not want the request: authentication, a rule or a limit")
                .mend("let it pass the path"),
            (None, None) => self
                .broken("proxy-silent", None)
                .means("this proxy takes the connection, and gives no answer to the offer")
                .mend("look into its log"),
            // A proxy that takes the offer out makes it a page.
            (None, Some(_)) => self.dropped(Symptom::DropsUpgrade),
        }
    }

    fn dropped(&self, symptom: Symptom) -> Finding {
        let (id, means) = match symptom {
            Symptom::SpeaksOldHttp => (
                "proxy-speaks-http10",
                "this proxy asks in HTTP/1.0, and drops `Upgrade` with it",
            ),
            Symptom::DropsConnection => (
                "proxy-drops-connection",
                "this proxy passes `Upgrade` on, but not `Connection: upgrade`",
            ),
            _ => (
                "proxy-drops-upgrade",
                "this proxy passes the request on without `Upgrade`",
            ),
        };
        self.broken(id, Some(symptom))
            .means(means)
            .mend("let it pass the upgrade on")
            .see("RFC 9110 7.8")
    }

    fn only_outside(&self) -> Finding {
        let saw = match self.inner.status {
            Some(status) => format!("101 here, {status} behind"),
            None => "101 here, nothing behind".into(),
        };
        Finding::note("proxy-helps", saw)
            .means("the server behind accepts what this proxy makes of the request, and not the request itself")
    }

    /// It opens; what is different all the same?
    fn both_switched(&self) -> Vec<Finding> {
        let (outer, inner) = (self.outer, self.inner);
        let mut findings = Vec::new();
        if inner.accept == Some(Accept::Right) && outer.accept != Some(Accept::Right) {
            let finding = self
                .broken("proxy-changes-accept", None)
                .means("the answer to the key does not get through: a cache, or a proxy that shakes hands by itself")
                .mend("let it pass `Sec-WebSocket-Key` and `Sec-WebSocket-Accept` on; do not cache")
                .see("RFC 6455 4.2.2");
            findings.push(finding);
        }
        if outer.subprotocol != inner.subprotocol {
            findings.push(self.subprotocol());
        }
        findings.extend(self.fields());
        findings.extend(self.life());
        findings
    }

    fn subprotocol(&self) -> Finding {
        let name = |seen: &Seen| seen.subprotocol.clone().unwrap_or_else(|| "none".into());
        let saw = format!("{} here, {} behind", name(self.outer), name(self.inner));
        let mut finding = self
            .broken("proxy-drops-subprotocol", Some(Symptom::DropsSubprotocol))
            .means("this proxy does not pass `Sec-WebSocket-Protocol` on, or not its answer")
            .mend("pass it on, both ways")
            .see("RFC 6455 4.2.2");
        finding.saw = saw;
        finding
    }

    /// Notes on the head: whether it is right was told already.
    fn fields(&self) -> Option<Finding> {
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".into());
        let same = |a: &Option<String>, b: &Option<String>| text(a).eq_ignore_ascii_case(&text(b));
        let (outer, inner) = (self.outer, self.inner);
        let fields = [
            ("version", &outer.version, &inner.version),
            ("Upgrade", &outer.upgrade, &inner.upgrade),
            ("Connection", &outer.connection, &inner.connection),
        ];
        let changed: Vec<_> = fields
            .into_iter()
            .filter(|(_, outer, inner)| !same(outer, inner))
            .map(|(name, outer, inner)| {
                format!("{name}: {} here, {} behind", text(outer), text(inner))
            })
            .collect();
        (!changed.is_empty()).then(|| {
            Finding::note("proxy-changes-head", changed.join("; "))
                .means("this proxy writes the 101's head anew")
        })
    }

    fn life(&self) -> Vec<Finding> {
        let (outer, inner) = (self.outer, self.inner);
        let broke =
            |outer: Option<bool>, inner: Option<bool>| outer == Some(false) && inner == Some(true);
        let mut findings = Vec::new();
        if broke(outer.is_ping_answered, inner.is_ping_answered) {
            let finding = self
                .broken("proxy-loses-frames", None)
                .means("this proxy passes the 101 on, and then no frames")
                .mend("let it relay the connection, unbuffered")
                .see("RFC 9110 7.8");
            findings.push(finding);
        }
        if broke(outer.is_idle_kept, inner.is_idle_kept) {
            let mut finding = self
                .broken("proxy-cuts-idle", Some(Symptom::CutsIdle))
                .means("this proxy ends a WebSocket that is silent for so long, and the server does not")
                .mend("raise its timeout, or ping more often")
                .see("RFC 6455 5.5.2");
            finding.saw = "cut here, alive behind".into();
            findings.push(finding);
        }
        if broke(outer.is_early_kept, inner.is_early_kept) {
            let saw = "lost here, kept behind";
            let finding = Finding::note("proxy-loses-early-bytes", saw)
                .means(
                    "this proxy loses what a client sends before the 101; WebSocket clients wait",
                )
                .see("RFC 6455 4.1");
            findings.push(finding);
        }
        findings
    }
}
