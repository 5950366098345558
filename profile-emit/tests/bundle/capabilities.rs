//! capabilities.json: what is written is read, and what is something else is refused.

use profile_emit::capabilities::{Capabilities, emit};
use proptest::prelude::*;
use tracer::abi::capabilities::NAMES;

use crate::support;

proptest! {
    #[test]
    fn any_names_come_back(drop: Vec<String>, add: Vec<String>) {
        let capabilities = Capabilities { drop, add };
        let text = capabilities.to_json();
        prop_assert!(text.ends_with('\n'));
        prop_assert_eq!(Capabilities::from_json(text.as_bytes()).unwrap(), capabilities);
    }

    #[test]
    fn any_bytes_are_no_panic(bytes: Vec<u8>) {
        if let Ok(read) = Capabilities::from_json(&bytes) {
            prop_assert_eq!(Capabilities::from_json(read.to_json().as_bytes()).unwrap(), read);
        }
    }

    #[test]
    fn half_a_file_is_refused(add in prop::collection::vec("[A-Z_]{1,8}", 0..4), cut: prop::sample::Index) {
        let text = Capabilities { drop: vec!["ALL".to_owned()], add }.to_json();
        let text = text.trim_end();
        prop_assert!(Capabilities::from_json(&text.as_bytes()[..cut.index(text.len())]).is_err());
    }

    #[test]
    fn a_policy_s_capabilities_are_added_to_none(some in prop::collection::btree_set(prop::sample::select(&NAMES[..]), 0..8)) {
        let mut policy = support::nothing("x");
        policy.capabilities = some.iter().rev().map(|name| support::capability(name)).collect();
        let written = emit(&policy);
        prop_assert_eq!(&written.drop, &["ALL"]);
        prop_assert!(written.add.is_sorted() && written.add.iter().all(|name| !name.starts_with("CAP_")));
        prop_assert!(written.added().eq(some.iter().map(|name| (*name).to_owned())));
    }
}

#[test]
fn both_spellings_name_the_same() {
    let read = Capabilities::from_json(br#"{"drop":["ALL"],"add":["CAP_CHOWN","KILL"]}"#).unwrap();
    assert!(read.added().eq(["CAP_CHOWN", "CAP_KILL"]));
}

#[test]
fn other_texts_are_refused_with_their_place() {
    for (text, words) in [
        ("", "line 1"),
        ("[]", "length 0"),
        ("{\"drop\":[\"ALL\"]}", "missing field `add`"),
        ("{\"add\":[]}", "missing field `drop`"),
        ("{\"drop\":[],\"add\":[],\n\"privileged\":true}", "unknown field `privileged`"),
        ("{\"drop\":[],\"add\":[],\n\"add\":[\"SYS_ADMIN\"]}", "duplicate field `add`"),
        ("{\"drop\":[],\"add\":[7]}", "integer `7`, expected a string at line 1 column"),
        ("{\"drop\":[],\"add\":null}", "null"),
        ("{\"drop\":[],\"add\":[]} {}", "trailing"),
        ("{\"drop\":\"ALL\",\"add\":[]}", "expected a sequence"),
    ] {
        let error = Capabilities::from_json(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(words), "{text}: {error}");
    }
    assert!(Capabilities::from_json(b"{\"drop\":[],\"add\":[\"\xff\"]}").is_err());
    let deep = format!("{{\"drop\":{}", "[".repeat(100_000));
    assert!(Capabilities::from_json(deep.as_bytes()).is_err());
}
