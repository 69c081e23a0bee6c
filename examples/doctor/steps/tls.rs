//! TLS: the protocol chosen by ALPN, and the certificate.

use rustls::{AlertDescription, Error};
use tokio_rustls::rustls;

use crate::{
    finding::Finding,
    wire::{Fault, Problem, Route, Tls, secure},
};

/// What ALPN led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alpn {
    Http2,
    Http1,
}

/// Speaks TLS, offering both protocols. `None` if that is not possible, which was told then.
pub(crate) async fn tls(route: &Route, findings: &mut Vec<Finding>) -> Option<Alpn> {
    let secured = match route.tcp().await {
        Ok(tcp) => {
            let offered = ["h2", "http/1.1"];
            secure(tcp, &route.target, &route.trust, &offered, route.patience).await
        }
        Err(fault) => Err(fault),
    };
    let tls = match secured {
        Ok(tls) => tls,
        Err(fault) => {
            findings.push(no_tls(&fault));
            return None;
        }
    };
    findings.push(Finding::ok("tls", tls.version()));
    let chosen = chosen(&tls, findings);
    let is_trusted = |problem: &Problem| *problem == Problem::OfAuthority;
    if tls.problems.iter().all(is_trusted) {
        let saw = format!("trusted, and for {}", route.target.host());
        findings.push(Finding::ok("certificate", saw));
    }
    let problems = tls.problems.iter();
    findings.extend(problems.map(|problem| certificate(problem, route)));
    Some(chosen)
}

fn chosen(tls: &Tls, findings: &mut Vec<Finding>) -> Alpn {
    let (chosen, saw) = match tls.alpn().as_deref() {
        Some("h2") => (Alpn::Http2, "h2 of h2, http/1.1"),
        Some(_) => (Alpn::Http1, "http/1.1 of h2, http/1.1"),
        None => (Alpn::Http1, "none chosen of h2, http/1.1: HTTP/1.1 then"),
    };
    findings.push(Finding::ok("alpn", saw).see("RFC 7301 3.2"));
    chosen
}

fn no_tls(fault: &Fault) -> Finding {
    let saw = fault.to_string();
    let alert = match fault {
        Fault::Io(error) => error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<Error>()),
        _ => None,
    };
    match alert {
        Some(Error::InvalidMessage(_)) => Finding::error("tls-not-spoken", saw)
            .means("the port speaks without TLS")
            .mend("use ws:, and http: in `proxy_pass` and the like; or turn TLS on there"),
        Some(Error::AlertReceived(AlertDescription::NoApplicationProtocol)) => {
            Finding::error("alpn-refused", saw)
                .means("the server speaks neither h2 nor http/1.1 there")
                .mend("add http/1.1 to its ALPN protocols")
                .see("RFC 7301 3.2")
        }
        Some(Error::AlertReceived(_)) => Finding::error("tls-refused", saw)
            .means("the server refused the handshake: no common version or cipher, or no such name")
            .mend("turn TLS 1.2 or 1.3 on; look whether it has a certificate for this name"),
        _ => Finding::error("tls-failed", saw)
            .means("the TLS handshake came to no end")
            .mend("check that the port is for TLS"),
    }
}

fn certificate(problem: &Problem, route: &Route) -> Finding {
    let host = route.target.host();
    match problem {
        Problem::Expired => Finding::error("certificate-expired", "its time is over")
            .mend("renew it, and reload the server that has it"),
        Problem::NotYetValid => Finding::error("certificate-not-yet-valid", "its time is to come")
            .mend("set the clocks, of the server and of this machine"),
        Problem::WrongName(names) => {
            Finding::error("certificate-wrong-name", wrong_name(host, names))
                .mend(format!("get one for {host}, or use a name it is for"))
                .see("RFC 9110 4.3.4")
        }
        Problem::SelfSigned => Finding::error("certificate-self-signed", "issued by itself")
            .mend("get one of an authority; to try on all the same, give it by --ca"),
        Problem::UnknownAuthority if route.trust.is_empty() => {
            Finding::error("certificate-unknown-authority", "no authority is known")
                .mend("install this machine's certificates (ca-certificates), or use --ca")
        }
        Problem::UnknownAuthority => Finding::error(
            "certificate-unknown-authority",
            "its authority is not trusted here",
        )
        .mend("trust the authority on every client, or here by --ca"),
        Problem::ChainIncomplete if route.trust.is_empty() => {
            Finding::error("certificate-unknown-authority", "no authority is known")
                .mend("install this machine's certificates (ca-certificates), or use --ca")
        }
        Problem::ChainIncomplete => Finding::error(
            "certificate-chain-incomplete",
            "nothing trusted issued it",
        )
        .mend(
            "send the intermediate certificates too (nginx: the full chain in `ssl_certificate`)",
        ),
        Problem::OfAuthority => return of_authority(),
        Problem::Revoked => Finding::error("certificate-revoked", "its authority took it back")
            .mend("get a new one"),
        Problem::Other(why) => Finding::error("certificate-invalid", why.clone()),
    }
    .means("browsers and other clients refuse the connection; the rest was checked all the same")
}

/// What `openssl req -x509` makes unless told otherwise. curl, Python and Node take it.
fn of_authority() -> Finding {
    let saw = "an authority's own (CA:TRUE), not a server's";
    Finding::warning("certificate-of-authority", saw)
        .means("some clients, those on rustls, refuse it")
        .mend("issue one without (`openssl req -x509 -addext basicConstraints=critical,CA:FALSE`)")
        .see("RFC 5280 4.2.1.9")
}

fn wrong_name(host: &str, names: &[String]) -> String {
    if names.is_empty() {
        return format!("not for {host}");
    }
    format!("not for {host}, but for {}", names.join(", "))
}
