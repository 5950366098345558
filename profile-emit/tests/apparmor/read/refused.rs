//! Texts that are refused, with the line that is told, each with a twin that is read. The parser agrees about all of them.

use std::collections::BTreeMap;

use profile_emit::apparmor::read::{ReadError, side};

use super::alone;
use crate::parser;

/// A text that is refused, the line, and a text that is not. `|` stands for the beginning of a profile, so that its rules are from line 3 on.
const TABLE: &[(&str, usize, &str)] = &[
    // The preamble.
    ("@{X}=\nprofile p { }", 1, "@{X}=\"\"\nprofile p { }"),
    ("@{X}=a,\nprofile p { }", 1, "@{X}=a,b\nprofile p { }"),
    ("@{X}=a\n@{X}=b\nprofile p { }", 2, "@{X}=a\n@{X}+=b\nprofile p { }"),
    ("\n@{X}+=a\nprofile p { }", 2, "\n@{X}=a\nprofile p { }"),
    ("@{1X}=a\nprofile p { }", 1, "@{X1}=a\nprofile p { }"),
    ("@{X-Y}=a\nprofile p { }", 1, "@{X_Y}=a\nprofile p { }"),
    ("@{X}=a!\nprofile p { }", 1, "@{X}=a\\!\nprofile p { }"),
    ("${X}=maybe\nprofile p { }", 1, "${X}=TRUE\nprofile p { }"),
    ("${X}=true\n${X}=true\nprofile p { }", 2, "${X}=true\n${Y}=true\nprofile p { }"),
    ("alias a -> /b,\nprofile p { }", 1, "alias /a -> b,\nprofile p { }"),
    ("alias /a -> /b\nprofile p { }", 2, "alias /a -> /b,\nprofile p { }"),
    ("abi <abi/3.0>\nprofile p { }", 2, "abi <abi/3.0>,\nprofile p { }"),
    ("profile p { }\n@{X}=a", 2, "@{X}=a\nprofile p { }"),
    ("profile p { }\nalias /a -> /b,", 2, "alias /a -> /b,\nprofile p { }"),
    ("profile p { }\nabi <abi/3.0>,", 2, "abi <abi/3.0>,\nprofile p { }"),
    ("/a r,", 1, "profile p { /a r, }"),
    ("profile p { }\n}", 2, "profile p { }\n"),
    // Heads.
    ("p { }", 1, "profile p { }"),
    ("profile { }", 1, "profile q { }"),
    ("profile &p { }", 1, "profile p { }"),
    ("profile p b { }", 1, "profile p /b { }"),
    ("profile p \"b\" { }", 1, "profile p \"/b\" { }"),
    ("profile p{ }", 1, "profile \"p\"{ }"),
    ("profile p\nflags=complain { }", 2, "profile p\nflags=(complain) { }"),
    ("profile p flags=() { }", 1, "profile p flags=(audit) { }"),
    ("profile p flags=(x) { }", 1, "profile p (complain) { }"),
    ("profile p flags=(complain,enforce) { }", 1, "profile p flags=(complain,audit) { }"),
    ("profile p flags=(audit) xattrs=(a=b) { }", 1, "profile p xattrs=(a=b) flags=(audit) { }"),
    ("profile p {\n^ h { } }", 2, "profile p {\n^h { } }"),
    ("profile p {\n/h { } }", 2, "profile p {\nprofile /h { } }"),
    ("profile p {\n", 3, "profile p {\n}"),
    // Qualifiers and blocks.
    ("|owner deny /a r,", 3, "|deny owner /a r,"),
    ("|deny audit /a r,", 3, "|audit deny /a r,"),
    ("|audit audit /a r,", 3, "|audit /a r,"),
    ("|allow deny /a r,", 3, "|allow /a r,"),
    ("|owner capability chown,", 3, "|owner { capability chown, }"),
    ("|owner signal,", 3, "|audit signal,"),
    ("|deny { /a r, }", 3, "|owner { deny /a r, }"),
    ("|deny set rlimit nofile <= 1,", 3, "|set rlimit nofile <= 1,"),
    ("|audit profile c { }", 3, "|profile c { }"),
    ("|deny include if exists <x>", 3, "|include if exists <x>"),
    // Conditions.
    ("|if ${B} { /a r, }", 3, "|if defined ${B} { /a r, }"),
    ("|if defined B { }", 3, "|if not defined @{B} { } else { }"),
    ("|if defined @{B} /a r,", 3, "|if defined @{B} { /a r, }"),
    // File rules.
    ("|/a r\n", 5, "|/a r,\n"),
    ("|/a\n\nr /b,", 5, "|/a\n\nr,"),
    ("|/a r,,", 3, "|/a r,"),
    ("|/a r;", 3, "|/a r,"),
    ("|/a x,", 3, "|deny /a x,"),
    ("|deny /a ix,", 3, "|/a ix,"),
    ("|/a wa,", 3, "|/a w,"),
    ("|/a pxux,", 3, "|/a pux,"),
    ("|/a uix,", 3, "|/a pix,"),
    ("|/a rz,", 3, "|/a rk,"),
    ("|/a r}", 3, "|/a r,}\nprofile q {"),
    ("|a/b r,", 3, "|/a/b r,"),
    ("|\"a\" r,", 3, "|\"/a\" r,"),
    ("|\n\"/a r,", 4, "|\n\"/a\" r,"),
    ("|/a\"b\" r,", 3, "|/a\\\"b\\\" r,"),
    ("|/a! r,", 3, "|/a\\! r,"),
    ("|/a b r,", 3, "|/a\\ b r,"),
    ("|*a r,", 3, "|/*a r,"),
    ("|{/a,/b} r,", 5, "|/{a,b} r,"),
    ("|file rw,", 3, "|file rw /a,"),
    ("|file /a,", 3, "|file /a r,"),
    ("|link /a,", 3, "|link /a -> /b,"),
    ("|rl subset /a -> /b,", 3, "|l subset /a -> /b,"),
    ("|/a -> /b l,", 3, "|/a l -> /b,"),
    ("|/a px->b,", 3, "|/a px -> b,"),
    ("|/a px -> b c,", 3, "|/a px -> \"b c\","),
    // Patterns and variables, which no rule but the one that has them can tell.
    ("|\n/a{b r,", 4, "|\n/a{b,} r,"),
    ("|/a[b-] r,", 3, "|/a[-b] r,"),
    ("|\"/a\\\" r,", 3, "|\"/a\\134\" r,"),
    ("|\n\n/@{NO} r,", 5, "|\n\n/@{V} r,"),
    (
        "@{X}=@{Y}\n@{Y}=@{X}\nprofile p {\n/@{X} r,\n}",
        4,
        "@{X}=@{Y}\n@{Y}=a\nprofile p {\n/@{X} r,\n}",
    ),
    // The other rules.
    ("|capability CHOWN,", 3, "|capability chown,"),
    ("|capability chown, kill,", 3, "|capability chown kill,"),
    ("|capability flying,", 3, "|capability,"),
    ("|network inet stream tcp,", 3, "|network inet stream,"),
    ("|network unix tcp,", 3, "|network tcp,"),
    ("|network inet, stream,", 3, "|network stream,"),
    ("|network inet6 icmp,", 3, "|network inet icmp,"),
    ("|network AF_INET,", 3, "|network inet,"),
    ("|signal send receive,", 3, "|signal (send receive),"),
    ("|signal (fly),", 3, "|signal (send),"),
    ("|signal set=(fly),", 3, "|signal set=(hup),"),
    ("|signal set=(rtmin+33),", 3, "|signal set=(rtmin+32),"),
    ("|signal set in (hup),", 3, "|signal set = (hup),"),
    ("|signal set=(),", 3, "|signal set=(hup, int),"),
    ("|signal peer=(a),", 3, "|signal peer=a,"),
    ("|signal peer=a peer=b,", 3, "|signal set=hup set=int,"),
    ("|signal peer=,", 3, "|signal peer=\"\","),
    ("|ptrace set=x,", 3, "|ptrace peer=x,"),
    ("|ptrace receive,", 3, "|ptrace read,"),
    ("|dbus fly,", 3, "|dbus send,"),
    ("|dbus send fly=x,", 3, "|dbus send path=/x,"),
    ("|dbus send peer=x,", 3, "|dbus send peer=(label=x),"),
    ("|unix stream,", 3, "|unix type=stream,"),
    ("|unix peer=x,", 3, "|unix connect peer=(addr=@x),"),
    ("|mount (ro) /a,", 3, "|mount options=(ro) /a,"),
    ("|mount /a /b,", 3, "|mount /a -> /b,"),
    ("|mount options in ro,", 3, "|mount options in (ro),"),
    ("|remount /a -> /b,", 3, "|remount /a,"),
    ("|pivot_root a/,", 3, "|pivot_root /a/,"),
    ("|pivot_root new=/a/,", 3, "|pivot_root oldroot=/a/,"),
    ("|change_profile a,", 3, "|change_profile -> a,"),
    ("|change_profile safe -> a,", 3, "|change_profile safe /b -> a,"),
    ("|set nofile <= 1,", 3, "|set rlimit nofile <= 1,"),
    ("|set rlimit nofile = 1,", 3, "|set rlimit nofile <= 1,"),
    ("|set rlimit flying <= 1,", 3, "|set rlimit nice <= -1,"),
    ("|set rlimit data <= 1k,", 3, "|set rlimit data <= 1K,"),
    ("|flying,", 3, "|file,"),
    // Includes.
    ("|\ninclude <nope>", 4, "|\ninclude if exists <nope>"),
    ("|#include <nope>", 3, "|# include <nope>"),
    ("|include<x>", 3, "|include if exists <x>"),
    ("|include if exists", 5, "|include if exists \"/x\""),
];

fn whole(text: &str) -> String {
    match text.strip_prefix('|') {
        Some(rules) => format!("@{{V}}=x\nprofile p {{\n{rules}\n}}\n"),
        None => format!("{text}\n"),
    }
}

fn read(text: &str) -> Result<(), ReadError> {
    alone(text.as_bytes())?.iter().try_for_each(|profile| side::side(profile).map(drop))
}

#[test]
fn what_is_refused_is_told_with_its_line() {
    let mut wrongly = Vec::new();
    for (wrong, line, right) in TABLE {
        match read(&whole(wrong)) {
            Ok(()) => wrongly.push(format!("{wrong:?} is read")),
            Err(error) if error.place.line != *line => wrongly.push(format!("{wrong:?}: {error}")),
            Err(_) => {}
        }
        if let Err(error) = read(&whole(right)) {
            wrongly.push(format!("{right:?}: {error}"));
        }
    }
    assert!(wrongly.is_empty(), "{wrongly:#?}");
}

#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn the_parser_refuses_and_accepts_the_same() {
    let mut otherwise = Vec::new();
    for (wrong, _, right) in TABLE {
        if parser::compile(&whole(wrong)).is_ok() {
            otherwise.push(format!("{wrong:?} is accepted"));
        }
        if let Err(error) = parser::compile(&whole(right)) {
            otherwise.push(error);
        }
    }
    assert!(otherwise.is_empty(), "{otherwise:#?}");
}

/// An error in a file that is included is told with that file and its line.
#[test]
fn an_error_is_where_it_is() {
    let included: BTreeMap<_, _> = [("x".to_owned(), b"/a r,\n/b z,\n".to_vec())].into();
    let text = b"profile p {\n  include <x>\n}\n";
    let error = profile_emit::apparmor::read::read("text", text, &included).unwrap_err();
    assert_eq!(
        error.to_string(),
        "x:2: \"z\" are no permissions: the letters are r, w, a, l, k, m, and x behind i, p, c or u"
    );
    let close: BTreeMap<_, _> = [("x".to_owned(), b"/a r,\n}\n".to_vec())].into();
    let error = profile_emit::apparmor::read::read("text", text, &close).unwrap_err();
    assert_eq!(error.place.to_string(), "x:2");
}

/// What later parsers know.
#[test]
fn rules_of_the_parser_s_4_0_are_read() {
    for rule in [
        "userns,",
        "userns create,",
        "mqueue,",
        "mqueue (create, read) type=posix /name,",
        "io_uring,",
        "io_uring (override_creds) label=x,",
        "all,",
        "audit allow all,",
    ] {
        read(&whole(&format!("|{rule}"))).unwrap();
    }
    assert!(read(&whole("|all /a,")).is_ok(), "these are permissions");
    assert!(read(&whole("|userns fly,")).is_err());
}
