//! What is told that a profile allows, against what the kernel would allow.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use learner::drift::files::Paths;
use learner::drift::language::Language;
use learner::drift::side::{Kind, Side};
use profile_emit::apparmor::read::side;
use proptest::prelude::*;
use tracer::abi::{capabilities, sockets};

use super::alone;
use crate::automaton::may;
use crate::parser;

fn told(text: &str) -> (Side, Vec<String>) {
    let all = alone(text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
    side::side(&all[0]).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

const PATHS: [&str; 12] = [
    "/a",
    "/a/",
    "/a/b",
    "/a/*",
    "/a/**",
    "/{,a/}b",
    "/a/[bc]",
    "/**",
    "/a{,/}",
    "/a/b/",
    "/*/c",
    "/a/{b,c}/**",
];
const PERMISSIONS: [&str; 8] = ["r", "w", "rw", "a", "k", "m", "ix", "rwkmix"];
const DENIED: [&str; 6] = ["r", "w", "a", "k", "x", "rwkmx"];
const PROBES: [&str; 12] =
    ["/", "/a", "/b", "/a/b", "/a/c", "/b/c", "/a/b/c", "/a/d", "/c", "/a/b/d", "/x/y/z", "/a/c/c"];

/// Rules for files, some of which deny.
fn rules() -> BoxedStrategy<Vec<String>> {
    let rule = (
        any::<bool>(),
        0..4_u8,
        prop::sample::select(&PATHS[..]),
        prop::sample::select(&PERMISSIONS[..]),
        prop::sample::select(&DENIED[..]),
    )
        .prop_map(|(owner, deny, path, permissions, denied)| {
            let owner = if owner { "owner " } else { "" };
            match deny {
                0 => format!("deny {owner}{path} {denied},"),
                _ => format!("{owner}{path} {permissions},"),
            }
        });
    prop::collection::vec(rule, 1..8).boxed()
}

/// The names of what may be done with a file, for its owner or for others.
fn named(side: &Side, path: &str, owner: bool) -> BTreeSet<String> {
    let fits = |paths: &Paths| match paths {
        Paths::One(one) => one.as_bytes() == path.as_bytes(),
        Paths::Many { expression, .. } => {
            Language::of(std::slice::from_ref(expression)).unwrap().holds(path.as_bytes())
        }
    };
    let rules = side.files.iter().flatten().filter(|rule| owner || !rule.owner);
    rules.filter(|rule| fits(&rule.paths)).flat_map(|rule| rule.access.clone()).collect()
}

fn of_bits(bits: u32) -> BTreeSet<String> {
    let all = [
        (may::READ, "read"),
        (may::WRITE, "write"),
        (may::APPEND, "append"),
        (may::LOCK, "lock"),
        (may::MAP, "mmap-exec"),
        (may::EXEC, "exec"),
        (may::READ | may::WRITE, "rename"),
        (may::LOCK | may::WRITE, "lock-exclusive"),
    ];
    let has =
        |(bit, name): &(u32, &'static str)| (bits & bit == *bit).then_some((*name).to_owned());
    all.iter().filter_map(has).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    #[ignore = "needs apparmor_parser: run by make test"]
    fn files_are_told_as_the_kernel_allows_them(rules in rules()) {
        let text = format!("abi <abi/3.0>,\nprofile p {{\n  {}\n}}\n", rules.join("\n  "));
        let compiled = parser::one(&text);
        let (side, notes) = told(&text);
        let known =
            ["read", "write", "append", "lock", "mmap-exec", "exec", "rename", "lock-exclusive"];
        let of_two = |name: &str| ["rename", "lock-exclusive"].contains(&name);
        for path in PROBES {
            // A name is a file's or a directory's: what is allowed of either is told of it.
            let plain = compiled.file(path.as_bytes());
            let slashed = match path {
                "/" => (0, 0),
                path => compiled.file(format!("{path}/").as_bytes()),
            };
            for (owner, plain, slashed) in [(true, plain.0, slashed.0), (false, plain.1, slashed.1)] {
                let wanted = &of_bits(plain) | &of_bits(slashed);
                let all = named(&side, path, owner);
                let told: BTreeSet<String> = all.iter().filter(|name| known.contains(&name.as_str())).cloned().collect();
                let exact = notes.is_empty();
                let renames = |set: &BTreeSet<String>| set.contains("rename");
                prop_assert!(all.contains("getattr") && all.contains("chdir") && all.contains("setattr"));
                if exact {
                    prop_assert_eq!(&told, &wanted, "{} (owner: {}) of\n{}", path, owner, text);
                } else {
                    let less: BTreeSet<_> = wanted.difference(&told).filter(|name| !of_two(name)).collect();
                    prop_assert!(less.is_empty(), "{} {:?} of\n{}\n{:?}", path, less, text, notes);
                    let why = |about: &str| notes.iter().any(|note| note.contains(about));
                    prop_assert!(renames(&told) || !renames(&wanted) || why("renamed"), "{} of\n{}", path, text);
                    prop_assert!(told == wanted || why("denies") || why("renamed") || why("locked"), "{} of\n{}", path, text);
                }
            }
        }
    }
}

/// Every family and type, by rules of all forms.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn sockets_are_told_as_the_kernel_allows_them() {
    for rules in [
        "",
        "network,",
        "network inet,",
        "network stream,",
        "network packet,",
        "network packet packet,",
        "network inet tcp,",
        "network tcp,",
        "network udp,",
        "network icmp,",
        "network inet6 udp,",
        "network inet icmp,",
        "network netlink raw, network unix dgram,",
        "network, deny network inet,",
        "network inet, deny network inet raw,",
        "network, deny network stream,",
        "deny network inet, network,",
    ] {
        let text = format!("abi <abi/3.0>,\nprofile p {{ {rules} }}\n");
        let compiled = parser::one(&text);
        let set = told(&text).0.sets.remove(&Kind::Socket).unwrap();
        for (family, kind) in
            (1..46_u16).flat_map(|family| (1..11_u16).map(move |kind| (family, kind)))
        {
            // Only what has a name for the parser is told.
            if !matches!(kind, 1..=5 | 10) || family == 12 {
                continue;
            }
            let name =
                format!("{} {} 0", sockets::family(family.into()), sockets::kind(kind.into()));
            assert_eq!(
                set.contains_key(&name),
                compiled.makes_socket(family, kind),
                "{name} of {rules}"
            );
        }
    }
}

#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn capabilities_are_told_as_the_kernel_allows_them() {
    for rules in [
        "",
        "capability,",
        "capability chown kill,",
        "capability, deny capability sys_admin,",
        "capability chown, deny capability,",
        "deny capability chown, capability chown, audit capability kill,",
    ] {
        let text = format!("abi <abi/3.0>,\nprofile p {{ {rules} }}\n");
        let (side, _) = told(&text);
        let told = side.sets[&Kind::Capability]
            .keys()
            .map(|name| 1_u64 << capabilities::number(name).unwrap())
            .fold(0, |all, bit| all | bit);
        // The parser allows those too that there are not.
        let known = (1 << capabilities::NAMES.len()) - 1;
        assert_eq!(told, parser::one(&text).capabilities & known, "{rules}");
    }
}

/// What comes with hats and with changing the profile; what can't be told is a note, each with its place.
#[test]
fn what_is_not_told_is_noted() {
    let rules = [
        ("ptrace read,", "tracing"),
        ("dbus send,", "D-Bus"),
        ("mount,", "mounts"),
        ("pivot_root,", "pivot_root"),
        ("change_profile -> x,", "change_profile"),
        ("set rlimit nofile <= 1,", "limits"),
        ("userns,", "user namespaces"),
        ("mqueue,", "message queues"),
        ("io_uring,", "io_uring"),
        ("all,", "everything"),
        ("link /a -> /b,", "a link may be made to"),
        ("/a px,", "another profile (px)"),
        ("/a ix -> b,", "another profile (ix)"),
        ("/a Ux,", "without a profile (Ux)"),
        ("signal send peer=other,", "another profile"),
        ("signal receive,", "received"),
        ("signal send set=(emt),", "no number"),
        ("unix send peer=(label=x),", "unix sockets"),
        ("unix (create) type=\"s*\",", "pattern of types"),
        ("network tcp,", "protocol"),
        ("/a/* r, deny /a/b* r,", "denies r for a part of /a/*"),
        ("/a r, deny owner /a r,", "denies r for a part of /a"),
        ("/a/** r, /** w,", "renamed"),
    ];
    for (rule, about) in rules {
        // Types of unix sockets have no patterns in the parser's 3.0.
        let text = format!("profile p {{\n{rule}\n}}");
        let (_, notes) = told(&text);
        assert!(
            notes.iter().any(|note| note.starts_with("text:2: ") && note.contains(about)),
            "{rule} {notes:?}"
        );
    }
    let (_, notes) = told("profile p flags=(complain) { }");
    assert!(notes[0].contains("complain"), "{notes:?}");
    let (side, notes) =
        told("profile p { capability chown, /a r, signal send peer=@{profile_name}, }");
    assert_eq!(notes, Vec::<String>::new());
    assert_eq!(side.sets[&Kind::Signal].len(), 65);
    for (rules, writes) in
        [("", false), ("^h { }", true), ("change_profile,", true), ("deny change_profile,", false)]
    {
        let (side, _) = told(&format!("profile p {{ {rules} }}"));
        let own = named(&side, "/proc/1/attr/current", true);
        assert_eq!(own.contains("write"), writes, "{rules}");
        assert!(!named(&side, "/proc/1/attr/current", false).contains("write"));
    }
}

/// Aliases replace the beginning of a rule's text, each alone.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn aliases_are_replaced_as_the_parser_replaces_them() {
    let mut text = String::from(
        "abi <abi/3.0>,\nalias /a/ -> /b/,\nalias /a -> /c,\nalias /b/ -> /d/,\nprofile p {\n",
    );
    for rule in
        ["/a/x r,", "/ax k,", "/{a,q}/y r,", "deny /a/z r,", "/**/z r,", "link /a/l -> /a/m,"]
    {
        writeln!(text, "  {rule}").unwrap();
    }
    text.push('}');
    let compiled = parser::one(&text);
    let (side, _) = told(&text);
    for path in [
        "/a/x", "/b/x", "/c/x", "/d/x", "/ax", "/cx", "/bx", "/q/y", "/b/y", "/c/z", "/b/z",
        "/d/z", "/a/z",
    ] {
        let own = named(&side, path, false);
        let bits = compiled.file(path.as_bytes()).1;
        let told = (own.contains("read"), own.contains("lock"));
        // That a part is denied is noted, and told as allowed.
        if !path.ends_with("/z") {
            assert_eq!(told, (bits & may::READ != 0, bits & may::LOCK != 0), "{path}");
        }
    }
}
