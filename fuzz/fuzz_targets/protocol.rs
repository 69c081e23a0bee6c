//! Protocols of any text, and what they match: the first line is ours, the second is offered.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tower_upgrade::{Protocol, grammar::is_token};

fuzz_target!(|octets: &[u8]| {
    let mut lines = octets.splitn(2, |b| *b == b'\n');
    let (own, offered) = (
        lines.next().unwrap_or_default(),
        lines.next().unwrap_or_default(),
    );
    let Ok(text) = std::str::from_utf8(own) else {
        return;
    };
    let (name, version) = match text.split_once('/') {
        Some((name, version)) => (name, Some(version)),
        None => (text, None),
    };
    let is_sound = [Some(name), version]
        .iter()
        .flatten()
        .all(|part| is_token(part.as_bytes()));
    let protocol = match Protocol::new(text) {
        Ok(protocol) => protocol,
        Err(error) => {
            assert_eq!(error.is_h2c(), is_sound);
            assert!(!is_sound || name.eq_ignore_ascii_case("h2c"));
            return;
        }
    };
    assert!(is_sound && !name.eq_ignore_ascii_case("h2c"));
    assert_eq!((protocol.name(), protocol.version()), (name, version));
    assert_eq!(protocol.to_string(), text);
    assert_eq!(Protocol::new(&protocol.to_string()), Ok(protocol.clone()));
    assert!(protocol.matches(own));

    let slash = offered
        .iter()
        .position(|b| *b == b'/')
        .unwrap_or(offered.len());
    let (offered_name, offered_version) = offered.split_at(slash);
    let expected = offered_name.eq_ignore_ascii_case(name.as_bytes())
        && offered_version.strip_prefix(b"/") == version.map(str::as_bytes);
    assert_eq!(protocol.matches(offered), expected);
});
