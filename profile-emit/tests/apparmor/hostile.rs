//! Whatever a name says, it writes no rule that it did not earn.

use learner::Policy;
use profile_emit::apparmor::{self, Mode};
use proptest::prelude::*;
use tracer::abi::capabilities;

use crate::automaton::may;
use crate::parser;
use crate::support::{HOSTILE, of_text};

/// The words before the first quote and after the last, line by line: what the parser takes for rules.
fn skeleton(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.starts_with("profile "))
        .map(|line| match (line.find('"'), line.rfind('"')) {
            (Some(first), Some(last)) => (line[..first].to_owned(), line[last..].to_owned()),
            _ => (line.to_owned(), String::new()),
        })
        .collect()
}

fn check_text(policy: &Policy) -> Result<(), TestCaseError> {
    let (text, _) = apparmor::emit(policy, Mode::Enforce);
    let (plain, _) = apparmor::emit(&of_text("plain"), Mode::Enforce);
    let sorted = |text: &str| {
        let mut lines = skeleton(text);
        lines.sort();
        lines
    };
    prop_assert_eq!(sorted(&text), sorted(&plain), "{}", text);
    Ok(())
}

proptest! {
    #[test]
    fn a_name_changes_no_rule(text in "[^\0/]{1,20}") {
        check_text(&of_text(&text))?;
    }
}

#[test]
fn a_name_that_reads_like_rules_changes_none() {
    for text in HOSTILE {
        check_text(&of_text(text)).unwrap();
    }
}

#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn what_is_compiled_allows_what_was_seen() {
    for text in HOSTILE {
        let policy = of_text(text);
        let profile = parser::one(&apparmor::emit(&policy, Mode::Enforce).0);
        assert_eq!(profile.capabilities, 1 << capabilities::number("CAP_CHOWN").unwrap());
        let all = may::READ | may::WRITE | may::APPEND | may::EXEC | may::MAP;
        // The parser takes several slashes for one, as the kernel does.
        let path = format!("/{text}").replace("//", "/");
        assert_eq!(profile.file(path.as_bytes()), (all, all), "{text:?}");
        assert!(profile.links(b"/linked", path.as_bytes()), "{text:?}");
        for other in ["/etc/shadow", "/", "/x", "/y", "/root/x", "/home/a/x", "/x\n", "/reboot"] {
            assert_eq!(profile.file(other.as_bytes()), (0, 0), "{text:?} allows {other:?}");
            assert!(!profile.links(b"/linked", other.as_bytes()), "{text:?} links {other:?}");
        }
        assert!(!profile.makes_socket(2, 1), "{text:?}");
    }
}

/// The words of the parser's language, and names that mean something to engines.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn any_name_is_a_profile_s_name() {
    let words = [
        "",
        "profile",
        "flags",
        "file",
        "capability",
        "network",
        "deny",
        "owner",
        "hat",
        "if",
        "include",
        "abi",
        "set",
        "unconfined",
        "..",
        "/",
        "a/b",
        "^hat",
        "a//b",
        ":ns:x",
        "@{HOME}",
        "-r",
        "a b",
        "ä",
    ];
    for word in words.iter().chain(&HOSTILE) {
        let profile = parser::one(&apparmor::emit(&crate::support::nothing(word), Mode::Enforce).0);
        assert_eq!(profile.name, apparmor::quote::name(word));
        assert_eq!(profile.capabilities, 0);
        for path in ["/", "/etc/shadow", "/x"] {
            assert_eq!(profile.file(path.as_bytes()), (0, 0), "{word:?}");
        }
    }
}
