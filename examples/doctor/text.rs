//! Text from a peer, made safe for a terminal.

/// Returns bytes as one line of ASCII: whatever a terminal could obey is escaped.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b' '..=b'~' => text.push(char::from(*byte)),
            b'\t' => text.push_str("\\t"),
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            _ => text.push_str(&format!("\\x{byte:02x}")),
        }
    }
    text
}

/// Returns the text, or as much of it as so many characters hold.
pub(crate) fn shorten(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    format!("{kept}…")
}

/// Returns an argument for a complaint about it.
pub(crate) fn quoted(argument: &str) -> String {
    shorten(&argument.escape_debug().to_string(), 100)
}

/// Breaks a text between words, and words that are longer than a line.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let mut rest = word;
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
                continue;
            }
            _ => {}
        }
        while let Some((at, _)) = rest.char_indices().nth(width) {
            let (line, more) = rest.split_at(at);
            lines.push(line.to_owned());
            rest = more;
        }
        lines.push(rest.to_owned());
    }
    lines
}

/// Returns the beginning of what a peer sent, for a sentence about it.
pub(crate) fn beginning(bytes: &[u8]) -> String {
    let end = bytes.len().min(200);
    shorten(&printable(bytes.get(..end).unwrap_or_default()), 60)
}
