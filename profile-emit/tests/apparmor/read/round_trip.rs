//! What the emitter writes is read as the policy that it was made from.

use std::collections::{BTreeMap, BTreeSet};

use learner::Policy;
use learner::drift::files::Paths;
use learner::drift::language::Language;
use learner::drift::side::{Kind, Side};
use learner::drift::{Direction, Drift};
use learner::policy::{Class, Part, Pattern, SignalRule, SocketRule};
use profile_emit::apparmor::quote::{self, Directory};
use profile_emit::apparmor::read::ast::Rule;
use profile_emit::apparmor::read::glob::Glob;
use profile_emit::apparmor::read::permissions::Permissions;
use profile_emit::apparmor::read::profiles::{Resolved, profiles};
use profile_emit::apparmor::read::{read, side};
use profile_emit::apparmor::{self, Mode};
use proptest::prelude::*;
use tracer::recording::{Access, SocketAction};

use crate::paths::pattern;
use crate::profile::policy;
use crate::support::{self, rule};

/// tunables/kernelvars of the package apparmor.
const GLOBAL: &str = "@{pid}={[1-9],[1-9][0-9],[1-9][0-9][0-9],[1-9][0-9][0-9][0-9],[1-9][0-9][0-9][0-9][0-9],[1-9][0-9][0-9][0-9][0-9][0-9],[1-4][0-9][0-9][0-9][0-9][0-9][0-9]}\n";

fn profile(text: &str) -> Resolved {
    let included: BTreeMap<String, Vec<u8>> =
        [("tunables/global".to_owned(), GLOBAL.as_bytes().to_vec())].into();
    let file = read("text", text.as_bytes(), &included).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut all = profiles(&file).unwrap();
    assert_eq!(all.len(), 1, "{text}");
    all.remove(0)
}

fn emitted(policy: &Policy) -> Resolved {
    profile(&apparmor::emit(policy, Mode::Enforce).0)
}

fn told(policy: &Policy) -> Side {
    side::side(&emitted(policy)).unwrap().0
}

/// The pattern as it is written, as the reader has the word.
fn word(pattern: &Pattern, directory: Directory) -> Vec<u8> {
    let text = quote::pattern(pattern, directory);
    let read = profile(&format!("include <tunables/global>\nprofile p {{ {text} r, }}"));
    let Rule::File { path, .. } = &read.rules[0].is.1 else { panic!("{text}") };
    read.variables.expand(path.as_bytes()).unwrap()
}

/// What a pattern stands for, by the policy's own words.
fn expression(pattern: &Pattern) -> String {
    let part = |part: &Part| match part {
        Part::Literal(bytes) => {
            bytes.as_bytes().iter().map(|byte| format!(r"\x{byte:02x}")).collect()
        }
        // What the kernel gives, as the emitter has it.
        Part::Class { class: Class::Pid } => "(?:[1-9][0-9]{0,5}|[1-4][0-9]{6})".to_owned(),
        class => match Paths::from(&Pattern(vec![class.clone()])) {
            Paths::Many { expression, .. } => expression,
            Paths::One(_) => unreachable!("a class is no path"),
        },
    };
    pattern.0.iter().map(part).collect()
}

fn language(expression: String) -> Language {
    Language::of(&[expression]).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A pattern that is written stands for what it stood for, and for nothing else.
    #[test]
    fn a_pattern_stands_for_the_same_paths(pattern in pattern(), other in pattern()) {
        let own = expression(&pattern);
        for (directory, wanted) in [
            (Directory::No, own.clone()),
            (Directory::Maybe, format!("(?:{own})/?")),
            (Directory::Yes, format!("(?:{own})/")),
        ] {
            let read = language(Glob::read(&word(&pattern, directory)).unwrap().expression());
            let wanted = language(wanted);
            prop_assert_eq!(read.beyond(&wanted), Ok(None), "{}", pattern);
            prop_assert_eq!(wanted.beyond(&read), Ok(None), "{}", pattern);
            // The twin.
            if other.to_string() != pattern.to_string() {
                let twin = language(Glob::read(&word(&other, directory)).unwrap().expression());
                let (a, b) = (twin.beyond(&wanted), wanted.beyond(&twin));
                let same = expression(&other) == own || language(expression(&other)).beyond(&language(own.clone())) == Ok(None);
                prop_assert!(same || a != Ok(None) || b != Ok(None));
            }
        }
    }
}

/// The letters that a policy's rules ask for, by the words of their paths, and whether for owners only.
fn wanted(policy: &Policy) -> BTreeMap<(Vec<u8>, bool), BTreeSet<char>> {
    let mut all: BTreeMap<(Vec<u8>, bool), BTreeSet<char>> = BTreeMap::new();
    let mut ask = |pattern: &Pattern, directory, owner, letters: &str| {
        all.entry((word(pattern, directory), owner)).or_default().extend(letters.chars());
    };
    for rule in &policy.files {
        use Access::{
            Append, Exec, Lock, LockExclusive, Mkdir, MmapExec, Read, Rename, Rmdir, Symlink,
            Truncate, Write,
        };
        let rule = &rule.allow;
        let has = |all: &[Access]| rule.access.iter().any(|access| all.contains(access));
        let directory = match (
            has(&[Mkdir, Rmdir]),
            has(&[Append, Exec, MmapExec, Symlink, Truncate, Write]),
        ) {
            (true, false) => Directory::Yes,
            (false, true) => Directory::No,
            _ => Directory::Maybe,
        };
        let text = rule.path.to_string();
        let trees = ["/dev/shm/", "/home/", "/proc/", "/run/user/", "/tmp/", "/var/tmp/"];
        let owner = rule.owner && trees.iter().any(|tree| text.starts_with(tree));
        for access in &rule.access {
            let letters = match access {
                Read => "r",
                Rename => "rw",
                Lock => "k",
                LockExclusive => "wk",
                MmapExec => "m",
                Exec => "x",
                Access::Link | Access::Setattr | Access::Getattr | Access::Chdir => continue,
                _ => "w",
            };
            ask(&rule.path, directory, owner, letters);
        }
    }
    let mut exactly = |path: &[u8], letters| {
        ask(&Pattern::literal(path), Directory::No, false, letters);
    };
    for rule in policy.execs.iter().map(|rule| &rule.allow) {
        exactly(rule.path.as_bytes(), if rule.interpreter.is_some() { "rx" } else { "x" });
        rule.interpreter.iter().for_each(|path| exactly(path.as_bytes(), "x"));
        rule.loader.iter().for_each(|path| exactly(path.as_bytes(), "rm"));
    }
    for rule in policy.addresses.iter().map(|rule| &rule.allow) {
        let rooted = rule.path.iter().filter(|path| path.as_bytes().starts_with(b"/"));
        let letters = if rule.action == SocketAction::Bind { "w" } else { "rw" };
        rooted.for_each(|path| exactly(path.as_bytes(), letters));
    }
    for letters in all.values_mut().filter(|letters| letters.contains(&'w')) {
        letters.remove(&'a');
    }
    all
}

fn letters(permissions: &Permissions) -> BTreeSet<char> {
    permissions.to_string().replace("ix", "x").chars().collect()
}

/// Without what the emitter can't say: a link without a target; and numbers of processes, of which policies allow more than there are.
fn sayable(mut policy: Policy) -> Policy {
    policy.files.retain(|rule| !rule.allow.path.0.contains(&Part::Class { class: Class::Pid }));
    for rule in policy.files.iter_mut().filter(|rule| rule.allow.links_to.is_empty()) {
        rule.allow.access.remove(&Access::Link);
    }
    policy
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn each_rule_is_read_as_it_was_written(policy in policy()) {
        let read = emitted(&policy);
        let mut found: BTreeMap<(Vec<u8>, bool), BTreeSet<char>> = BTreeMap::new();
        let mut links = BTreeSet::new();
        for node in &read.rules {
            match &node.is {
                (qualifiers, Rule::File { path, permissions, .. }) => {
                    let path = read.variables.expand(path.as_bytes()).unwrap();
                    let before = found.insert((path, qualifiers.owner), letters(permissions));
                    prop_assert_eq!(before, None);
                }
                (_, Rule::Link { link, target, .. }) => {
                    links.insert((read.variables.expand(link.as_bytes()).unwrap(), read.variables.expand(target.as_bytes()).unwrap()));
                }
                _ => {}
            }
        }
        prop_assert_eq!(found, wanted(&policy));
        let wanted: BTreeSet<_> = policy
            .files
            .iter()
            .filter(|rule| rule.allow.access.contains(&Access::Link))
            .flat_map(|rule| rule.allow.links_to.iter().map(|target| (word(&rule.allow.path, Directory::No), word(target, Directory::No))))
            .collect();
        prop_assert_eq!(links, wanted);
    }

    #[test]
    fn what_the_policy_allows_the_profile_allows(policy in policy()) {
        let policy = sayable(policy);
        let (own, read) = (Side::of(&policy), told(&policy));
        prop_assert_eq!(own.sets[&Kind::Capability].keys().collect::<Vec<_>>(), read.sets[&Kind::Capability].keys().collect::<Vec<_>>());
        let drift = Drift::between(&own, &read);
        let less = drift.differences.iter().filter(|d| d.kind == Kind::File && d.direction != Direction::Widened);
        prop_assert_eq!(less.collect::<Vec<_>>(), Vec::<&learner::drift::Difference>::new(), "{}", apparmor::emit(&policy, Mode::Enforce).0);
        // Families, types and signals without a name are refused, and told so.
        let notes = apparmor::emit(&policy, Mode::Enforce).1.join("\n");
        for SocketRule { family, kind, .. } in policy.sockets.iter().map(|rule| &rule.allow) {
            let name = format!("{} {} 0", tracer::abi::sockets::family(*family), tracer::abi::sockets::kind(*kind));
            let refused = notes.contains(&format!("family {family} and type {kind}:"));
            prop_assert_eq!(read.sets[&Kind::Socket].contains_key(&name), !refused, "{}", name);
        }
        prop_assert!(read.sets[&Kind::Socket].len() <= policy.sockets.len());
        let signals: BTreeSet<String> = policy
            .signals
            .iter()
            .map(|rule| &rule.allow)
            .filter(|rule| rule.signal <= 64)
            .flat_map(|SignalRule { signal, inside }| {
                // A rule for others is one without a peer.
                let others = (!inside).then(|| format!("{signal} to others"));
                others.into_iter().chain([format!("{signal} to its own")])
            })
            .collect();
        prop_assert_eq!(read.sets[&Kind::Signal].keys().cloned().collect::<BTreeSet<_>>(), signals);
    }

    /// The twin of each has one rule more, and is told from it.
    #[test]
    fn a_twin_is_told_different(policy in policy()) {
        let own = told(&policy);
        prop_assert_eq!(Drift::between(&own, &told(&policy)), Drift::default());
        let kinds = |twin: &Policy| -> Vec<(Kind, Direction)> {
            Drift::between(&own, &told(twin)).differences.iter().map(|d| (d.kind, d.direction)).collect()
        };
        let mut twin = policy.clone();
        twin.files.push(support::file(Pattern::literal(b"/only/the/twin/has/it"), &[Access::Read], false));
        prop_assert_eq!(kinds(&twin), [(Kind::File, Direction::Widened)]);
        let mut twin = policy.clone();
        let without: Vec<_> = twin.capabilities.iter().filter(|rule| rule.allow.name != "CAP_BPF").cloned().collect();
        let had = without.len() < twin.capabilities.len();
        twin.capabilities = without;
        if !had {
            twin.capabilities.push(support::capability("CAP_BPF"));
        }
        prop_assert_eq!(kinds(&twin), [(Kind::Capability, if had { Direction::Narrowed } else { Direction::Widened })]);
        let mut twin = policy.clone();
        if !own.sets[&Kind::Signal].contains_key("9 to others") {
            twin.signals.push(rule(SignalRule { signal: 9, inside: false }));
            prop_assert!(kinds(&twin).contains(&(Kind::Signal, Direction::Widened)));
        }
        let mut twin = policy.clone();
        if !own.sets[&Kind::Socket].contains_key("AF_INET SOCK_STREAM 0") {
            twin.sockets.push(rule(SocketRule { family: 2, kind: 1, protocol: 0 }));
            prop_assert_eq!(kinds(&twin), [(Kind::Socket, Direction::Widened)]);
        }
    }
}
