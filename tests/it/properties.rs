//! Properties of decisions: what they do not depend on, and what they never do.

mod draws;

use std::collections::BTreeMap;

use http::{HeaderName, Method, Request};
use proptest::{
    collection::vec, prelude::*, sample::select, strategy::ValueTree, test_runner::TestRunner,
};
use tower_upgrade::{Protocol, grammar::List, negotiate::Decision};

use self::draws::{NAMES, SUBPROTOCOLS, head, heads, models, written};
use crate::oracle::Mode;

/// All of a decision that anyone could see.
fn shown(decision: &Decision) -> String {
    match decision {
        Decision::Accept(a) => format!("accept {} {:?}", a.protocol(), a.subprotocol()),
        Decision::Refuse(r) => format!("refuse {} {} {:?}", r.status(), r.hint(), r.fields()),
        other => format!("{other:?}"),
    }
}

proptest! {
    #[test]
    fn how_a_list_is_written_changes_no_decision(
        model in models(),
        method in select(vec![Method::GET, Method::POST]),
        (upgrade, upgrade_lines) in written(&NAMES, true),
        (connection, connection_lines) in written(&NAMES, true),
        (subprotocols, subprotocol_lines) in written(&SUBPROTOCOLS, false),
    ) {
        // Splitting a list over lines, changing case, adding empty members changes nothing.
        // An empty line stands for none at all, which is another thing to say in a hint.
        let plain = head(&method, &[upgrade], &[format!("{connection}, upgrade")], &[subprotocols]);
        let mut connection_lines = connection_lines;
        connection_lines.push(" ,UPGRADE".into());
        let other = head(&method, &upgrade_lines, &connection_lines, &subprotocol_lines);
        prop_assert_eq!(shown(&model.decide(&plain)), shown(&model.decide(&other)));
    }

    #[test]
    fn a_list_has_the_same_members_however_it_is_written((plain, lines) in written(&NAMES, false)) {
        // RFC 9110 5.3: lines of one field are one list.
        let (head, ()) = lines.iter().fold(Request::builder(), |request, line| {
            request.header("upgrade", line)
        }).body(()).unwrap().into_parts();
        let members = List::from_line(plain.as_bytes());
        prop_assert!(List::new(head.headers.get_all("upgrade")).iter().eq(members.iter()));
    }

    #[test]
    fn no_head_panics_or_is_accepted_without_what_the_rfcs_ask(model in models(), head in heads()) {
        // The oracle reads the RFCs a second time, and panics where a decision breaks a rule.
        model.decide(&head);
    }

    #[test]
    fn a_sound_offer_is_accepted_whatever_else_the_request_has(
        mut model in models(),
        noise in vec(("x-[a-z]{1,8}", "[ -~]{0,20}"), 0..8),
        (_, others) in written(&["foo", "bar/1", "TLS/1.0", "h2c"], true),
    ) {
        // Unknown protocols and fields are everyday noise.
        if model.mode == Mode::Forbid {
            model.mode = Mode::Offer;
        }
        model.spoken.retain(|index| *index != 2);
        model.spoken.push(2);
        let mut upgrade = others;
        upgrade.push("WebSocket".into());
        let mut head = head(&Method::GET, &upgrade, &["Upgrade".into()], &[]);
        for (name, value) in &noise {
            head.headers.append(HeaderName::try_from(name).unwrap(), value.parse().unwrap());
        }
        let decision = model.decide(&head);
        prop_assert!(matches!(decision, Decision::Accept(_)), "{:?}", decision);
    }

    #[test]
    fn a_protocol_is_what_it_was_read_from(name in TOKEN, version in proptest::option::of(TOKEN)) {
        // Text, name and version come out as they went in; names match without case.
        prop_assume!(!name.eq_ignore_ascii_case("h2c"));
        let text = version.iter().fold(name.clone(), |text, version| format!("{text}/{version}"));
        let protocol = Protocol::new(&text).unwrap();
        prop_assert_eq!(protocol.to_string(), text.clone());
        prop_assert_eq!(protocol.name(), name.as_str());
        prop_assert_eq!(protocol.version(), version.as_deref());
        prop_assert_eq!(&protocol.to_string().parse::<Protocol>().unwrap(), &protocol);
        prop_assert!(protocol.matches(text.as_bytes()));
        let upper = name.to_uppercase();
        let upper = version.iter().fold(upper, |text, version| format!("{text}/{version}"));
        prop_assert!(protocol.matches(upper.as_bytes()));
    }

    #[test]
    fn a_protocol_is_read_from_nothing_else(text in "\\PC{0,12}") {
        // RFC 9110 7.8: a token, or two with a slash between them; RFC 9113 3.1: no h2c.
        let is_token = |part: &str| {
            let is_tchar = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
            !part.is_empty() && part.chars().all(is_tchar)
        };
        let parts: Vec<&str> = text.splitn(2, '/').collect();
        let is_h2c = parts[0].eq_ignore_ascii_case("h2c");
        let sound = parts.iter().all(|part| is_token(part)) && !is_h2c;
        prop_assert_eq!(Protocol::new(&text).is_ok(), sound);
    }

    #[test]
    fn no_octets_make_a_protocol_panic_or_match_more_than_its_text(
        octets in vec(any::<u8>(), 0..12),
    ) {
        // Rule 5, for octets that are no text.
        let own = Protocol::new("echo/1.0").unwrap();
        prop_assert_eq!(own.matches(&octets), octets.len() == 8
            && octets[..4].eq_ignore_ascii_case(b"echo") && octets[4..] == *b"/1.0");
    }
}

#[test]
fn the_heads_drawn_here_are_accepted_often_enough_to_tell() {
    // Else the property above would hold for want of anything that could break it.
    let mut runner = TestRunner::deterministic();
    let mut accepted = BTreeMap::<_, usize>::new();
    for _ in 0..4000 {
        let model = models().new_tree(&mut runner).unwrap().current();
        let head = heads().new_tree(&mut runner).unwrap().current();
        if let Decision::Accept(acceptance) = model.decide(&head) {
            let key = (acceptance.protocol().to_string(), acceptance.is_connect());
            *accepted.entry(key).or_default() += 1;
        }
    }
    for protocol in ["websocket", "exec/1", "echo/1.0"] {
        for is_connect in [false, true] {
            let found = accepted.get(&(protocol.to_owned(), is_connect));
            assert!(found >= Some(&20), "{protocol} of {accepted:?}");
        }
    }
}

/// `1*tchar`.
const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}";
