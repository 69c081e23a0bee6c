//! Name resolution and TCP.

use std::{io, net::SocketAddr};

use tokio::net::{TcpStream, lookup_host};

use crate::{
    exam::Exam,
    finding::Finding,
    target::Target,
    text::beginning,
    wire::{Fault, Route, within},
};

/// Finds an address that takes connections.
pub(crate) async fn reach(
    target: &Target,
    exam: &Exam,
    findings: &mut Vec<Finding>,
) -> Option<Route> {
    let addresses = resolve(target, exam, findings).await?;
    let mut failed = Vec::new();
    for address in addresses {
        match within(exam.patience, TcpStream::connect(address)).await {
            Ok(_) => {
                if !failed.is_empty() {
                    findings.push(unreachable(&failed));
                }
                findings.push(Finding::ok("tcp", format!("connected to {address}")));
                return Some(Route {
                    target: target.clone(),
                    address,
                    trust: exam.trust.clone(),
                    patience: exam.patience,
                });
            }
            Err(fault) => failed.push((address, fault)),
        }
    }
    findings.push(no_connection(&failed));
    None
}

/// As many addresses as are tried.
const MOST: usize = 8;

async fn resolve(
    target: &Target,
    exam: &Exam,
    findings: &mut Vec<Finding>,
) -> Option<Vec<SocketAddr>> {
    let host = beginning(target.host().as_bytes());
    let found = within(exam.patience, lookup_host((target.host(), target.port()))).await;
    let (why, addresses) = match found {
        Ok(found) => (String::from("no address"), found.take(MOST).collect()),
        Err(fault) => (fault.to_string(), Vec::new()),
    };
    if addresses.is_empty() {
        let finding = Finding::error("name-not-found", format!("{host}: {why}"))
            .means("this machine does not know the name")
            .mend("check the spelling, the DNS record and /etc/hosts");
        findings.push(finding);
        return None;
    }
    let texts: Vec<_> = addresses.iter().map(|a| a.ip().to_string()).collect();
    findings.push(Finding::ok(
        "resolve",
        format!("{host} is {}", texts.join(", ")),
    ));
    Some(addresses)
}

type Failed = [(SocketAddr, Fault)];

fn list(failed: &Failed) -> String {
    let failed = failed.iter();
    let texts: Vec<_> = failed
        .map(|(a, why)| format!("{a}: {}", brief(why)))
        .collect();
    texts.join("; ")
}

fn brief(fault: &Fault) -> String {
    match fault {
        Fault::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => "refused".into(),
        fault => fault.to_string(),
    }
}

fn unreachable(failed: &Failed) -> Finding {
    Finding::note("address-unreachable", list(failed))
        .means(
            "the name has an address that takes no connections; clients may try it first, and wait",
        )
        .mend("listen on it as well, or take it out of the name's records")
}

fn no_connection(failed: &Failed) -> Finding {
    let is_refused = failed.iter().all(|(_, fault)| {
        matches!(fault, Fault::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    });
    let is_silent = failed
        .iter()
        .any(|(_, fault)| matches!(fault, Fault::Silent(_)));
    if is_refused {
        return Finding::error("connection-refused", list(failed))
            .means("nothing listens on that port of that address")
            .mend("start the server, or let it listen on this address and not on another alone");
    }
    if is_silent {
        return Finding::error("connect-timeout", list(failed))
            .means("packets get lost, as a firewall does it")
            .mend("let the firewall or security group pass this port");
    }
    Finding::error("connect-failed", list(failed)).means("no connection can be made from here")
}
