//! A quoted path matches itself and nothing else.

use std::fmt::Write as _;

use learner::policy::Pattern;
use profile_emit::apparmor::quote::{self, Directory};
use proptest::prelude::*;

use crate::automaton::may;
use crate::parser;
use crate::paths::{path, pattern, probes, stands_for};

/// Rules in one profile: the parser is started once for many paths.
fn profile(rules: &[(Pattern, Directory, char)]) -> String {
    let mut text = String::from("abi <abi/3.0>,\ninclude <tunables/global>\nprofile test {\n");
    for (pattern, directory, permission) in rules {
        writeln!(text, "  {} {permission},", quote::pattern(pattern, *directory)).unwrap();
    }
    text + "}\n"
}

fn bit(permission: char) -> u32 {
    match permission {
        'r' => may::READ,
        'k' => may::LOCK,
        'a' => may::APPEND,
        _ => may::MAP,
    }
}

fn expected(rules: &[(Pattern, Directory, char)], path: &[u8]) -> u32 {
    let without = path.strip_suffix(b"/").filter(|path| !path.is_empty());
    rules
        .iter()
        .filter(|(pattern, directory, _)| {
            let plain = || stands_for(pattern, path);
            let slash = || without.is_some_and(|path| stands_for(pattern, path));
            match directory {
                Directory::No => plain(),
                Directory::Maybe => plain() || slash(),
                Directory::Yes => slash(),
            }
        })
        .fold(0, |bits, (_, _, permission)| bits | bit(*permission))
}

fn rules() -> BoxedStrategy<Vec<(Pattern, Directory, char)>> {
    let directory = prop::sample::select(&[Directory::No, Directory::Maybe, Directory::Yes][..]);
    let permission = prop::sample::select(&['r', 'k', 'a', 'm'][..]);
    prop::collection::vec((pattern(), directory, permission), 40..80).boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    #[ignore = "needs apparmor_parser: run by make test"]
    fn a_pattern_matches_what_it_stands_for(rules in rules(), choice: [u8; 4]) {
        let compiled = parser::compile(&profile(&rules));
        let compiled = compiled.map_err(TestCaseError::fail)?;
        for (pattern, ..) in &rules {
            for probe in probes(pattern, &choice) {
                let wanted = expected(&rules, &probe);
                prop_assert_eq!(
                    compiled[0].file(&probe), (wanted, wanted),
                    "{:?} beside {}", probe.escape_ascii().to_string(), pattern
                );
            }
        }
    }
}

/// Each byte by itself, at the beginning, in the middle and at the end of a name.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn each_byte_is_itself() {
    let paths = |byte: u8| {
        [&[byte][..], &[b'a', byte], &[byte, b'a'], &[byte, byte], &[b'a', byte, b'{', byte, b'1']]
            .map(|name| [b"/", name].concat())
    };
    let bytes = || (1..=255).filter(|byte| *byte != b'/');
    let rules: Vec<_> = bytes()
        .step_by(2)
        .flat_map(paths)
        .map(|path| (Pattern::literal(&path), Directory::No, 'r'))
        .collect();
    let compiled = parser::one(&profile(&rules));
    for (n, byte) in bytes().enumerate() {
        for path in paths(byte) {
            // Every other byte has rules, those between have none.
            let wanted = if n % 2 == 0 { may::READ } else { 0 };
            assert_eq!(compiled.file(&path), (wanted, wanted), "{}", path.escape_ascii());
        }
    }
}

#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn the_root_is_no_other_directory() {
    for directory in [Directory::No, Directory::Maybe, Directory::Yes] {
        let compiled = parser::one(&profile(&[(Pattern::literal(b"/"), directory, 'r')]));
        assert_eq!(compiled.file(b"/"), (may::READ, may::READ));
        for other in ["", "//", "/a", "/a/"] {
            assert_eq!(compiled.file(other.as_bytes()), (0, 0), "{other:?}");
        }
    }
}

proptest! {
    /// Whatever the path, its text ends where it should: the scanner takes a quote without a backslash before it for the end,
    /// and a line for a line.
    #[test]
    fn a_quoted_path_is_one_word_of_plain_text(path in path()) {
        let text = quote::pattern(&Pattern::literal(&path), Directory::No);
        let inside = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap();
        prop_assert!(text.chars().all(|c| c.is_ascii_graphic()), "{}", text);
        prop_assert!(!inside.contains('"') && !inside.contains("@{"), "{}", text);
        prop_assert!(!inside.ends_with('\\'), "{} escapes its end", text);
    }

    #[test]
    fn different_paths_have_different_texts(one in path(), other in path()) {
        let text = |path: &[u8]| quote::pattern(&Pattern::literal(path), Directory::No);
        prop_assert_eq!(one == other, text(&one) == text(&other));
    }

    #[test]
    fn a_name_is_one_word_that_engines_take(name in any::<String>()) {
        let name = quote::name(&name);
        prop_assert!(name.starts_with(|c: char| c.is_ascii_alphanumeric()), "{}", name);
        prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "_.+-".contains(c)), "{}", name);
        prop_assert_eq!(quote::name(&name), name);
    }
}

/// `--security-opt apparmor=unconfined` is Docker's way to say that no profile applies.
#[test]
fn no_name_means_no_profile() {
    assert_ne!(quote::name("unconfined"), "unconfined");
}
