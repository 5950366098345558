//! Calls that libc or another architecture uses in each other's place.

use tracer::abi::arguments::{self, Argument};

use crate::policy::{CallRule, Condition};
use crate::syscalls::{NO_NAMESPACES, Rules, allow};

/// The families. The names are those of the manual's section 2, which describes each group on one page or names the others
/// under "VERSIONS" or "C library/kernel differences". clone3 is of the family of clone, but is answered by a fallback.
const TABLE: [&[&str]; 29] = [
    &["accept", "accept4"],
    &["access", "faccessat", "faccessat2"],
    &["chmod", "fchmodat", "fchmodat2"],
    &["chown", "fchownat", "lchown"],
    &["clock_nanosleep", "nanosleep"],
    &["clone", "fork", "vfork"],
    &["creat", "open", "openat", "openat2"],
    &["dup2", "dup3"],
    &["epoll_create", "epoll_create1"],
    &["epoll_pwait", "epoll_pwait2", "epoll_wait"],
    &["eventfd", "eventfd2"],
    &["fstat", "lstat", "newfstatat", "stat", "statx"],
    &["futimesat", "utime", "utimensat", "utimes"],
    &["getdents", "getdents64"],
    &["getrlimit", "prlimit64"],
    &["inotify_init", "inotify_init1"],
    &["link", "linkat"],
    &["mkdir", "mkdirat"],
    &["mknod", "mknodat"],
    &["pipe", "pipe2"],
    &["poll", "ppoll"],
    &["preadv", "preadv2"],
    &["pselect6", "select"],
    &["pwritev", "pwritev2"],
    &["readlink", "readlinkat"],
    &["rename", "renameat", "renameat2"],
    &["rmdir", "unlink", "unlinkat"],
    &["signalfd", "signalfd4"],
    &["symlink", "symlinkat"],
];

/// Allows, for each call that is allowed, the others of its family: with its conditions where the arguments are the same.
pub(crate) fn close(rules: &mut Rules) {
    let known: Vec<_> = rules.values().cloned().collect();
    for rule in known {
        let abi = rule.allow.abi;
        let Some(name) = rule.allow.name.as_deref() else { continue };
        for family in TABLE.iter().filter(|family| family.contains(&name)) {
            let why = format!("libc and architectures use it in place of {name}");
            for other in family.iter().filter(|other| **other != name) {
                let when = if *other == "clone" {
                    vec![vec![NO_NAMESPACES]]
                } else {
                    translated(&rule.allow, arguments::of(abi, name), arguments::of(abi, other))
                };
                allow(rules, abi, other, when, &rule.evidence, &why);
            }
        }
    }
}

/// Two calls are of one family.
pub(crate) fn related(one: &str, other: &str) -> bool {
    TABLE.iter().any(|family| family.contains(&one) && family.contains(&other))
}

/// A rule's conditions for a call whose arguments stand elsewhere: those of the same name mean the same in a family.
fn translated(rule: &CallRule, from: &[Argument], to: &[Argument]) -> Vec<Vec<Condition>> {
    let there = |condition: &Condition| {
        let named = from.iter().find(|argument| argument.index == condition.index)?;
        let index = to.iter().find(|argument| argument.name == named.name)?.index;
        Some(Condition { index, ..*condition })
    };
    let when: Vec<Vec<Condition>> =
        rule.when.iter().map(|all| all.iter().filter_map(there).collect()).collect();
    if when.iter().any(Vec::is_empty) { Vec::new() } else { when }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer::abi::{Abi, calls};

    #[test]
    fn rows_are_sorted_and_of_real_calls() {
        assert!(TABLE.is_sorted_by(|a, b| a[0] < b[0]));
        for family in TABLE {
            assert!(family.is_sorted() && family.len() > 1, "{family:?}");
            for name in family {
                assert!(calls::number(Abi::X86_64, name).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn conditions_go_with_the_argument_of_the_same_name() {
        let of = |name| arguments::of(Abi::X86_64, name);
        let when = vec![vec![Condition { index: 2, mask: !1, value: 0 }]];
        let rule = CallRule { abi: Abi::X86_64, nr: 257, name: Some("openat".to_owned()), when };
        let open = translated(&rule, of("openat"), of("open"));
        assert_eq!(open, [[Condition { index: 1, mask: !1, value: 0 }]]);
        // creat has no flags, openat2 has them in memory.
        assert!(translated(&rule, of("openat"), of("openat2")).is_empty());
    }
}
