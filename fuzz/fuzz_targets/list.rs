//! Lists and parameters of any octets, read over several lines.

#![no_main]

use http::{HeaderMap, HeaderValue, header::SEC_WEBSOCKET_EXTENSIONS};
use libfuzzer_sys::fuzz_target;
use tower_upgrade::{
    grammar::{List, MAX_MEMBERS, is_token, split_params, trim_ows},
    websocket::ExtensionOffers,
};

fuzz_target!(|octets: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in octets.split(|b| *b == b'\n').take(200) {
        if let Ok(line) = HeaderValue::from_bytes(line) {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, line);
        }
    }
    let lines = || headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter();
    let list = List::new(headers.get_all(SEC_WEBSOCKET_EXTENSIONS));
    let members: Vec<&[u8]> = list.iter().collect();
    assert!(members.len() <= MAX_MEMBERS);
    assert_eq!(list.is_empty(), members.is_empty());
    for member in &members {
        assert!(!member.is_empty() && trim_ows(member) == *member);
        check_params(member);
        if let Ok(text) = std::str::from_utf8(member) {
            assert!(list.contains(&text.to_ascii_uppercase()));
        }
    }

    // No line changes how another is read.
    let apart = lines().flat_map(|line| List::from_line(line.as_bytes()).iter());
    let bounded =
        list.is_overlong() || lines().any(|l| List::from_line(l.as_bytes()).is_overlong());
    assert!(bounded || apart.eq(members.iter().copied()));

    // Without quotes a list is what stands between its commas.
    if !octets.contains(&b'"') {
        let naive = lines().flat_map(|line| line.as_bytes().split(|b| *b == b','));
        let naive: Vec<&[u8]> = naive.map(trim_ows).collect();
        assert_eq!(list.is_overlong(), naive.len() > MAX_MEMBERS);
        let read = naive
            .into_iter()
            .take(MAX_MEMBERS)
            .filter(|m| !m.is_empty());
        assert!(read.eq(members.iter().copied()));
    }

    if let Ok(offers) = ExtensionOffers::from_headers(&headers) {
        assert_eq!(offers.iter().count(), members.len());
        for offer in offers.iter() {
            assert!(is_token(offer.name().as_bytes()));
            for param in offer.params() {
                assert!(param.value().is_none_or(|value| is_token(value.as_bytes())));
            }
        }
    }
});

fn check_params(member: &[u8]) {
    let (name, params) = split_params(member);
    assert!(member.starts_with(name) || name.is_empty());
    for param in params.flatten() {
        assert!(is_token(param.name().as_bytes()));
        drop(param.value());
    }
}
