//! What may switch in the gallery, told without the crate, by reading the bytes in the plainest way.

/// Says, of the request these bytes begin with, whether its route may switch.
pub(super) fn may_switch(bytes: &[u8]) -> bool {
    let text: String = bytes.iter().map(|b| char::from(*b)).collect();
    let mut lines = text.trim_start_matches(['\r', '\n']).lines();
    let start: Vec<_> = lines.next().unwrap_or_default().split(' ').collect();
    let [method, target, "HTTP/1.1"] = start[..] else {
        return false;
    };
    let fields: Vec<(String, &str)> = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim_matches([' ', '\t'])))
        .collect();
    let values = |name: &str| -> Vec<&str> {
        let lines = fields.iter().filter(|(n, _)| n == name);
        lines.map(|(_, value)| *value).collect()
    };
    let offers = |name: &str, member: &str| {
        let lines = values(name);
        let mut members = lines.iter().flat_map(|line| line.split(',')).map(str::trim);
        members.any(|m| m.eq_ignore_ascii_case(member))
    };
    let websocket = method == "GET"
        && offers("upgrade", "websocket")
        && values("host").len() == 1
        && values("sec-websocket-version") == ["13"]
        && matches!(values("sec-websocket-key")[..], [key] if is_key(key))
        && values("origin")
            .iter()
            .all(|origin| origin.contains("a.example"));
    let echo = offers("upgrade", "echo/1.0");
    let path = target.split(['?', '#']).next().unwrap_or_default();
    // A target in the absolute form names a scheme and a host first.
    let path = match path.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => path,
    };
    offers("connection", "upgrade")
        && match path {
            "/ws" | "/either" | "/axum" | "/get-only" => websocket,
            "/multi" | "/multi-server" => websocket || echo || offers("upgrade", "echo/2.0"),
            "/exec" => echo && method == "POST",
            // It never reads, so that only a request without content switches.
            "/unread" => echo && method == "POST" && values("transfer-encoding").is_empty(),
            _ => false,
        }
}

/// 16 octets are 21 digits of base64, one whose low bits are zero, and two signs that fill up.
fn is_key(key: &str) -> bool {
    let is_digit = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
    let digits = key
        .strip_suffix("==")
        .filter(|digits| digits.chars().all(is_digit));
    digits.is_some_and(|digits| digits.len() == 22 && digits.ends_with(['A', 'Q', 'g', 'w']))
}
