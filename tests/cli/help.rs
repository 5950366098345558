//! Help, manual pages, completions, colours.

use std::fs;

use crate::support::{INPUT, OUTPUT, Room};

const VERBS: [&str; 9] =
    ["record", "mark", "merge", "show", "generate", "explain", "diff", "verify", "doctor"];

#[test]
fn every_verb_has_an_example_and_its_exit_codes() {
    let room = Room::new();
    let top = room.learn(&["--help"]).succeeded().out;
    assert!(top.contains("Examples:\n  learn record"), "{top}");
    for code in 120..=127 {
        assert!(top.contains(&format!("\n  {code}  ")), "{code}: {top}");
    }
    for verb in VERBS {
        assert!(top.contains(&format!("\n  {verb} ")), "{top}");
        let help = room.learn(&[verb, "--help"]).succeeded().out;
        let example = help.split("Example").nth(1).unwrap();
        assert!(example.contains(&format!("\n  learn {verb}")), "{help}");
        assert!(help.contains("\nExit status:\n"), "{help}");
    }
    for verb in ["record", "verify"] {
        let help = room.learn(&[verb, "--help"]).succeeded().out;
        for code in [122, 123, 124, 125, 126, 127] {
            assert!(help.contains(&format!("\n  {code}  ")), "{code}: {help}");
        }
    }
}

#[test]
fn manual_pages_know_every_verb_and_exit_code() {
    let room = Room::new();
    let page = room.learn(&["man"]).succeeded().out;
    for verb in VERBS {
        assert!(page.contains(&format!("learn\\-{verb}(1)")), "{verb}: {page}");
    }
    for code in 120..=127 {
        assert!(page.contains(&format!("\\fB{code}\\fR")), "{code}: {page}");
    }
    fs::create_dir(room.path("man1")).unwrap();
    room.learn(&["man", "man1"]).succeeded();
    for verb in VERBS {
        let page = String::from_utf8(room.read(&format!("man1/learn-{verb}.1"))).unwrap();
        assert!(page.contains("EXIT STATUS") && page.contains("EXAMPLES"), "{page}");
    }
    assert_eq!(room.read("man1/learn.1"), page.as_bytes());
    assert_eq!(fs::read_dir(room.path("man1")).unwrap().count(), VERBS.len() + 1);
    room.learn(&["man", "nowhere"]).refused(OUTPUT, &["write nowhere/learn.1", "give a directory"]);
}

#[test]
fn completions_know_every_verb() {
    let room = Room::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = room.learn(&["completions", shell]).succeeded().out;
        for verb in VERBS {
            assert!(text.contains(verb), "{shell}: {verb}");
        }
    }
    room.learn(&["completions", "tcsh"]).refused(INPUT, &["tcsh", "bash"]);
}

#[test]
fn what_learn_does_not_know_is_refused_in_a_line() {
    let room = Room::new();
    room.learn(&["frobnicate"]).refused(INPUT, &["frobnicate", "see learn --help"]);
    room.learn(&["show", "--frob", "x"]).refused(INPUT, &["--frob", "see learn show --help"]);
    room.learn(&["-q", "-v", "doctor"]).refused(INPUT, &["--quiet", "--verbose"]);
    let nothing = room.learn(&[]);
    assert_eq!((nothing.code, nothing.out.as_str()), (INPUT, ""));
    assert!(nothing.err.contains("Usage: learn"), "{}", nothing.err);
    let version = room.learn(&["--version"]).succeeded().out;
    assert_eq!(version, concat!("learn ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn colours_are_for_terminals_unless_told() {
    let room = Room::new();
    let coloured = |arguments: &[&str]| room.learn(arguments).err.contains('\x1b');
    assert!(!coloured(&["show", "missing"]));
    assert!(!coloured(&["--color", "never", "show", "missing"]));
    assert!(coloured(&["--color", "always", "show", "missing"]));
}
