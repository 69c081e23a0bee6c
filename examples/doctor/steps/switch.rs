//! What a 101 must and must not say (RFC 6455 4.1, RFC 9110 7.8).

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::{finding::Finding, seen::Accept, wire::Head};

/// Lists what is right and wrong with it, in the order a client looks at it.
pub(crate) fn check(head: &Head, key: &str, asked: &[String]) -> Vec<Finding> {
    let mut findings = vec![Finding::ok("handshake", head.status_line())];
    findings.extend(version(head));
    findings.push(upgrade(head));
    findings.push(connection(head));
    findings.push(answer(head, key));
    findings.extend(subprotocol(head, asked));
    findings.extend(extensions(head));
    findings.extend(length(head));
    findings
}

fn version(head: &Head) -> Option<Finding> {
    (head.version != "HTTP/1.1").then(|| {
        Finding::error("version-old", format!("{} 101", head.version))
            .means("HTTP/1.0 knows no `Upgrade`: clients refuse this 101")
            .mend("let the server answer in HTTP/1.1")
            .see("RFC 9110 7.8")
    })
}

fn upgrade(head: &Head) -> Finding {
    let members = head.members("upgrade");
    let saw = written(head, "Upgrade");
    if members.is_only("websocket") {
        return Finding::ok("upgrade", saw);
    }
    if members.contains("websocket") {
        return Finding::warning("upgrade-not-exact", saw)
            .means("clients compare the whole value and refuse a second member")
            .mend("answer `Upgrade: websocket` alone")
            .see("RFC 6455 4.2.2");
    }
    Finding::error("upgrade-other", saw)
        .means("the server switched to something else than WebSocket")
        .mend("answer `Upgrade: websocket`")
        .see("RFC 6455 4.1")
}

fn connection(head: &Head) -> Finding {
    let members = head.members("connection");
    let saw = written(head, "Connection");
    if members.is_only("upgrade") {
        return Finding::ok("connection", saw);
    }
    if members.contains("upgrade") {
        return Finding::warning("connection-not-exact", saw)
            .means("some clients compare the whole value and refuse the WebSocket")
            .mend("answer exactly `Connection: upgrade`: no keep-alive, no close")
            .see("RFC 6455 4.2.2");
    }
    Finding::error("connection-not-upgrade", saw)
        .means("clients refuse a 101 whose `Connection` does not name `upgrade`")
        .mend("answer `Connection: upgrade`")
        .see("RFC 6455 4.1")
}

/// Reads the answer to the key.
pub(super) fn accept(head: &Head, key: &str) -> Accept {
    let lines: Vec<_> = head.lines("sec-websocket-accept").collect();
    match lines.as_slice() {
        [] => Accept::Missing,
        [only] if *only == derive_accept_key(key.as_bytes()) => Accept::Right,
        _ => Accept::Wrong,
    }
}

fn answer(head: &Head, key: &str) -> Finding {
    match accept(head, key) {
        Accept::Right => Finding::ok("accept", "answers the key"),
        Accept::Missing => Finding::error("accept-missing", "no `Sec-WebSocket-Accept`")
            .means("clients refuse: who answered need not know WebSocket")
            .mend("answer base64(SHA-1(key + GUID)), and let no proxy take it off")
            .see("RFC 6455 4.1"),
        Accept::Wrong => Finding::error("accept-wrong", written(head, "Sec-WebSocket-Accept"))
            .means("it does not answer the key of this request: clients refuse")
            .mend("compute it anew for each handshake; keep caches away from the path")
            .see("RFC 6455 4.2.2"),
    }
}

fn subprotocol(head: &Head, asked: &[String]) -> Option<Finding> {
    let lines: Vec<_> = head.lines("sec-websocket-protocol").collect();
    let saw = written(head, "Sec-WebSocket-Protocol");
    let wanted = asked.join(", ");
    Some(match lines.as_slice() {
        [] if asked.is_empty() => return None,
        [] => Finding::warning("subprotocol-none", format!("none of {wanted}"))
            .means("the server speaks none of those asked for; browsers give up then")
            .mend("let the server know one of them, or ask for one it knows")
            .see("RFC 6455 4.2.2"),
        _ if asked.is_empty() => Finding::error("subprotocol-unasked", saw)
            .means("the server chose a subprotocol although none was asked for: clients refuse")
            .mend("send `Sec-WebSocket-Protocol` only to those who asked")
            .see("RFC 6455 4.1"),
        [one] if asked.iter().any(|name| name == one) => {
            Finding::ok("subprotocol", format!("{one} of {wanted}"))
        }
        _ => Finding::error("subprotocol-foreign", format!("{saw}, asked for {wanted}"))
            .means("the server did not choose one of those asked for: clients refuse")
            .mend("choose one of them, or send none; they are compared exactly")
            .see("RFC 6455 4.1"),
    })
}

fn extensions(head: &Head) -> Option<Finding> {
    let extensions = head.joined("sec-websocket-extensions")?;
    Some(
        Finding::error("extension-unasked", extensions)
            .means("the server uses an extension although none was offered: clients refuse")
            .mend("send `Sec-WebSocket-Extensions` only to those who offered it")
            .see("RFC 6455 4.1"),
    )
}

fn length(head: &Head) -> Option<Finding> {
    let fields = ["Content-Length", "Transfer-Encoding"];
    let written: Vec<_> = fields
        .into_iter()
        .filter(|name| head.joined(name).is_some())
        .map(|name| written(head, name))
        .collect();
    (!written.is_empty()).then(|| {
        Finding::warning("length-on-101", written.join(", "))
            .means("a 101 has no content; a proxy may take the first frames for some")
            .mend("take the field off")
            .see("RFC 9110 8.6")
    })
}

fn written(head: &Head, name: &str) -> String {
    match head.joined(name) {
        Some(value) => format!("`{name}: {value}`"),
        None => format!("no `{name}`"),
    }
}
