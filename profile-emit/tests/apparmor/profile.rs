//! A policy's profile allows what the policy allows, and nothing else.

use std::collections::BTreeSet;

use learner::Policy;
use learner::policy::{
    AddressRule, CallRule, ExecRule, FileRule, Pattern, Rule, SignalRule, SocketRule,
};
use profile_emit::apparmor::{self, Mode};
use proptest::prelude::*;
use tracer::abi::{Abi, calls, capabilities};
use tracer::recording::{Access, ByteString, SocketAction};

use crate::automaton::{Compiled, may};
use crate::parser;
use crate::paths::{path, pattern, probes, stands_for};
use crate::support::{self, nothing, rule};

const ACCESSES: [Access; 21] = {
    use Access::*;
    [
        Read,
        Write,
        Append,
        Create,
        Delete,
        Rename,
        Link,
        Symlink,
        Mkdir,
        Rmdir,
        Mknod,
        Chmod,
        Chown,
        Truncate,
        Setattr,
        Getattr,
        Lock,
        LockExclusive,
        MmapExec,
        Exec,
        Chdir,
    ]
};

const RUN: u32 = may::EXEC | may::MAP;

/// What the kernel asks for when this is done (`apparmor_path_*` and `aa_map_file_to_perms`, security/apparmor/lsm.c). As the parser
/// compiles them, writing includes appending, and running includes mapping.
fn asked(access: Access) -> u32 {
    const WRITE: u32 = may::WRITE | may::APPEND;
    match access {
        Access::Read => may::READ,
        Access::Rename => may::READ | WRITE,
        Access::Lock => may::LOCK,
        Access::LockExclusive => may::LOCK | WRITE,
        Access::MmapExec => may::MAP,
        Access::Exec => RUN,
        Access::Link => may::LINK,
        Access::Setattr | Access::Getattr | Access::Chdir => 0,
        _ => WRITE,
    }
}

/// Where the kernel ends a directory's path with a slash, and whether this is one.
fn forms(access: &BTreeSet<Access>) -> (bool, bool) {
    use Access::{Append, Exec, Mkdir, MmapExec, Rmdir, Symlink, Truncate, Write};
    let any = |of: &[Access]| of.iter().any(|a| access.contains(a));
    let made = any(&[Mkdir, Rmdir]);
    let written = any(&[Append, Exec, MmapExec, Symlink, Truncate, Write]);
    (written || !made, made || !written)
}

/// What a policy allows the owner of a file and others, and whether as a link's new name.
fn expected(policy: &Policy, path: &[u8]) -> (u32, u32) {
    let without = path.strip_suffix(b"/").filter(|path| !path.is_empty());
    let (mut owner, mut others) = (0, 0);
    for FileRule { path: pattern, access, owner: owned, links_to, .. } in allowed(&policy.files) {
        let (plain, slash) = forms(access);
        let as_file = stands_for(pattern, path);
        let matches =
            as_file && plain || slash && without.is_some_and(|path| stands_for(pattern, path));
        let links = as_file && access.contains(&Access::Link) && !links_to.is_empty();
        let bits = |access: &Access| match access {
            Access::Link => 0,
            other if matches => asked(*other),
            _ => 0,
        };
        let bits = access.iter().fold(0, |all, access| all | bits(access));
        owner |= bits;
        let private = *owned
            && [&b"/dev/shm/"[..], b"/home/", b"/proc/", b"/run/user/", b"/tmp/", b"/var/tmp/"]
                .iter()
                .any(|tree| path.starts_with(tree));
        others |= if private { 0 } else { bits };
        if links {
            owner |= may::LINK;
            others |= may::LINK;
        }
    }
    let mut permit = |bytes: &ByteString, bits| {
        // A unix socket's other names are no paths.
        if bytes.as_bytes() == path && path.starts_with(b"/") {
            owner |= bits;
            others |= bits;
        }
    };
    for ExecRule { path, interpreter, loader } in allowed(&policy.execs) {
        // The interpreter opens a script.
        permit(path, if interpreter.is_some() { RUN | may::READ } else { RUN });
        interpreter.iter().for_each(|path| permit(path, RUN));
        loader.iter().for_each(|path| permit(path, may::READ | may::MAP));
    }
    for AddressRule { action, path, .. } in allowed(&policy.addresses) {
        let reads = if *action == SocketAction::Bind { 0 } else { may::READ };
        path.iter().for_each(|path| permit(path, reads | may::WRITE | may::APPEND));
    }
    (owner, others)
}

fn allowed<T>(rules: &[Rule<T>]) -> impl Iterator<Item = &T> {
    rules.iter().map(|rule| &rule.allow)
}

/// Some paths are below a tree whose files have owners.
fn placed(path: BoxedStrategy<Pattern>) -> BoxedStrategy<Pattern> {
    let tree = prop::sample::select(&["", "/tmp", "/home", "/proc", "/etc", "/dev/shm"][..]);
    (tree, path)
        .prop_map(|(tree, Pattern(mut parts))| {
            if let Some(learner::policy::Part::Literal(first)) = parts.first_mut() {
                *first = ByteString::new([tree.as_bytes(), first.as_bytes()].concat());
            }
            Pattern(parts)
        })
        .boxed()
}

fn file() -> BoxedStrategy<Rule<FileRule>> {
    let access = prop::collection::btree_set(prop::sample::select(&ACCESSES[..]), 1..5);
    let names = || prop::collection::btree_set(pattern(), 0..3);
    (placed(pattern()), access, any::<bool>(), names(), names())
        .prop_map(|(path, mut access, owner, links_to, renames_to)| {
            // What the learner promises: a program that may be run is named exactly.
            if path.as_literal().is_none() {
                access.remove(&Access::Exec);
            }
            rule(FileRule { path, access, owner, links_to, renames_to })
        })
        .boxed()
}

fn bytes() -> BoxedStrategy<ByteString> {
    path().prop_map(ByteString::new).boxed()
}

fn exec() -> BoxedStrategy<Rule<ExecRule>> {
    (bytes(), prop::option::of(bytes()), prop::option::of(bytes()))
        .prop_map(|(path, interpreter, loader)| rule(ExecRule { path, interpreter, loader }))
        .boxed()
}

fn address() -> BoxedStrategy<Rule<AddressRule>> {
    use SocketAction::{Bind, Connect, Listen, Send};
    let action = prop::sample::select(&[Bind, Connect, Listen, Send][..]);
    let named = prop_oneof![
        bytes(),
        bytes().prop_map(|path| ByteString::new([b"@", path.as_bytes()].concat()))
    ];
    (action, prop::option::of(named))
        .prop_map(|(action, path)| {
            rule(AddressRule { action, family: 1, port: None, class: None, path })
        })
        .boxed()
}

pub(crate) fn policy() -> BoxedStrategy<Policy> {
    let files = prop::collection::vec(file(), 0..30);
    let execs = prop::collection::vec(exec(), 0..5);
    let addresses = prop::collection::vec(address(), 0..5);
    let capabilities =
        prop::collection::btree_set(prop::sample::select(&capabilities::NAMES[..]), 0..5);
    let sockets = prop::collection::btree_set((0..50_u32, 0..12_u32), 0..5);
    let signals = prop::collection::btree_set((0..70_u32, any::<bool>()), 0..5);
    (any::<String>(), files, execs, addresses, capabilities, sockets, signals)
        .prop_map(|(name, files, execs, addresses, capabilities, sockets, signals)| Policy {
            files,
            execs,
            addresses,
            capabilities: capabilities.into_iter().map(support::capability).collect(),
            sockets: sockets
                .into_iter()
                .map(|(family, kind)| rule(SocketRule { family, kind, protocol: 0 }))
                .collect(),
            signals: signals
                .into_iter()
                .map(|(signal, inside)| rule(SignalRule { signal, inside }))
                .collect(),
            ..nothing(&name)
        })
        .boxed()
}

fn compiled(policy: &Policy) -> Result<Compiled, TestCaseError> {
    let mut profiles =
        parser::compile(&apparmor::emit(policy, Mode::Enforce).0).map_err(TestCaseError::fail)?;
    prop_assert_eq!(profiles.len(), 1);
    Ok(profiles.remove(0))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    #[ignore = "needs apparmor_parser: run by make test"]
    fn files_are_allowed_as_the_policy_has_them(policy in policy(), choice: [u8; 4]) {
        let profile = compiled(&policy)?;
        let named = policy.files.iter().flat_map(|rule| {
            rule.allow.links_to.iter().chain(&rule.allow.renames_to).chain([&rule.allow.path]).cloned().collect::<Vec<_>>()
        });
        let exact = policy.execs.iter().flat_map(|rule| {
            let ExecRule { path, interpreter, loader } = &rule.allow;
            [Some(path), interpreter.as_ref(), loader.as_ref()].into_iter().flatten()
        });
        let sockets = policy.addresses.iter().filter_map(|rule| rule.allow.path.as_ref());
        let exact = exact.chain(sockets).map(|path| Pattern::literal(path.as_bytes()));
        for pattern in named.chain(exact) {
            for probe in probes(&pattern, &choice) {
                prop_assert_eq!(
                    profile.file(&probe), expected(&policy, &probe),
                    "{} of\n{}", probe.escape_ascii(), apparmor::emit(&policy, Mode::Enforce).0
                );
            }
        }
    }

    #[test]
    #[ignore = "needs apparmor_parser: run by make test"]
    fn links_are_made_to_their_targets_only(policy in policy(), choice: [u8; 4]) {
        let profile = compiled(&policy)?;
        let patterns = || policy.files.iter().flat_map(|rule| rule.allow.links_to.iter().chain(&rule.allow.renames_to).chain([&rule.allow.path]));
        for new in policy.files.iter().map(|rule| probes(&rule.allow.path, &choice).remove(0)) {
            for existing in patterns().map(|pattern| probes(pattern, &choice).remove(0)) {
                let wanted = allowed(&policy.files).any(|rule| {
                    rule.access.contains(&Access::Link)
                        && stands_for(&rule.path, &new)
                        && rule.links_to.iter().any(|target| stands_for(target, &existing))
                });
                prop_assert_eq!(profile.links(&new, &existing), wanted);
            }
        }
    }

    #[test]
    #[ignore = "needs apparmor_parser: run by make test"]
    fn capabilities_and_sockets_are_those_of_the_policy(policy in policy()) {
        let profile = compiled(&policy)?;
        let wanted = allowed(&policy.capabilities)
            .map(|rule| 1_u64 << capabilities::number(&rule.name).unwrap())
            .fold(0, |all, bit| all | bit);
        prop_assert_eq!(profile.capabilities, wanted);
        let notes = apparmor::emit(&policy, Mode::Enforce).1.join("\n");
        for family in 0..50 {
            for kind in 0..12 {
                let wanted = allowed(&policy.sockets)
                    .any(|rule| (rule.family, rule.kind) == (family.into(), kind.into()));
                let refused = notes.contains(&format!("family {family} and type {kind}:"));
                prop_assert_eq!(
                    profile.makes_socket(family, kind), wanted && !refused,
                    "family {} type {}", family, kind
                );
            }
        }
    }
}

/// What the learner found is what the parser knows by name: every capability and every signal.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn each_capability_and_signal_has_a_name() {
    let mut policy = nothing("all");
    policy.capabilities =
        capabilities::NAMES.iter().map(|name| support::capability(name)).collect();
    policy.signals =
        (0..=64).map(|signal| rule(SignalRule { signal, inside: signal % 2 == 0 })).collect();
    let (text, notes) = apparmor::emit(&policy, Mode::Enforce);
    assert_eq!(parser::one(&text).capabilities, (1 << capabilities::NAMES.len()) - 1);
    assert_eq!(notes, Vec::<String>::new());
}

/// A file without a place in the tree of files (memfd_create(2), pipe(7)) has no rule to be written, and none is.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn what_is_no_path_makes_a_note() {
    let mut policy = nothing("odd");
    let odd = ["memfd:x", "", "pipe:[1]", "@{HOME}/x", "/a\0b"];
    policy.files = odd
        .iter()
        .map(|path| support::file(Pattern::literal(path.as_bytes()), &[Access::Read], false))
        .collect();
    policy.execs = odd
        .iter()
        .map(|path| rule(ExecRule { path: (*path).into(), interpreter: None, loader: None }))
        .collect();
    policy.files.push(support::file(Pattern::literal(b"/plain"), &[Access::Read], false));
    let (text, notes) = apparmor::emit(&policy, Mode::Enforce);
    let profile = parser::one(&text);
    assert_eq!(profile.file(b"/plain"), (may::READ, may::READ));
    for path in ["/a", "/a\0b", "/memfd:x", "memfd:x", "", "/root/x"] {
        assert_eq!(profile.file(path.as_bytes()), (0, 0), "{path:?}");
    }
    for path in ["memfd:x", "pipe:[1]"] {
        assert!(notes.iter().any(|note| note.contains(path)), "{path}: {notes:?}");
    }
}

/// What is done to other processes and to mounts has rules of its own, and only where it was done.
#[test]
#[ignore = "needs apparmor_parser: run by make test"]
fn processes_and_mounts_have_rules() {
    let with = |made: &[&str], path: &str| {
        let mut policy = nothing("x");
        let call = |name: &&str| {
            let nr = calls::number(Abi::X86_64, name).unwrap();
            let name = Some((*name).to_owned());
            rule(CallRule { abi: Abi::X86_64, nr, name, when: Vec::new() })
        };
        policy.calls = made.iter().map(call).collect();
        policy.files =
            vec![support::file(Pattern::literal(path.as_bytes()), &[Access::Read], false)];
        let (text, notes) = apparmor::emit(&policy, Mode::Enforce);
        parser::one(&text);
        let rule = |line: &&str| {
            ["ptrace", "mount", "umount", "pivot_root"].iter().any(|word| line.starts_with(word))
        };
        let rules: Vec<String> =
            text.lines().map(str::trim).filter(rule).map(str::to_owned).collect();
        (rules, notes.len())
    };
    let (read, trace) = (
        "ptrace (read, readby) peer=@{profile_name},".to_owned(),
        "ptrace (trace, tracedby) peer=@{profile_name},".to_owned(),
    );
    assert_eq!(with(&["ptrace"], "/proc/12/maps"), (vec![read.clone(), trace], 0));
    assert_eq!(with(&["kcmp"], "/proc/12/status"), (vec![read], 0));
    let mounts = ["mount,", "pivot_root,", "umount,"].map(str::to_owned).to_vec();
    assert_eq!(with(&["mount", "umount2", "pivot_root"], "/etc/x"), (mounts, 1));
    assert_eq!(with(&["read"], "/etc/x"), (Vec::new(), 0));
}
