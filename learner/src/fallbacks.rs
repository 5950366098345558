//! Calls to answer with `ENOSYS`, so that libc falls back to what training showed.

use tracer::abi::calls;

use crate::policy::{CallRule, FallbackRule, Rule};

/// A call that libc tries first, and what it does when the kernel does not have it.
struct Fallback {
    name: &'static str,
    instead: &'static str,
    source: &'static str,
}

const fn row(name: &'static str, instead: &'static str, source: &'static str) -> Fallback {
    Fallback { name, instead, source }
}

/// The table, sorted by name. Sources are files of glibc (sysdeps/unix/sysv/linux unless another is named). The calls that
/// end in `64` are those of 32-bit ABIs with a 64-bit clock.
const TABLE: [Fallback; 23] = [
    row("clock_getres_time64", "clock_getres", "clock_getres.c"),
    row("clock_gettime64", "clock_gettime", "clock_gettime.c"),
    row("clock_nanosleep_time64", "clock_nanosleep", "clock_nanosleep.c"),
    row("clone3", "clone", "clone-internal.c"),
    row("close_range", "close, one by one", "closefrom_fallback.c"),
    row("epoll_pwait2", "epoll_pwait", "epoll_pwait2(2)"),
    row("execveat", "execve of /proc/self/fd", "fexecve.c"),
    row("faccessat2", "faccessat", "faccessat.c"),
    row("fchmodat2", "fchmodat", "fchmodat.c"),
    row("futex_time64", "futex", "nptl/futex-internal.c"),
    row("landlock_create_ruleset", "no sandbox of its own", "landlock(7)"),
    row("openat2", "openat", "openat2(2); container runtimes, runc issue 2151"),
    row("pidfd_open", "waitid and kill", "pidfd_open(2); Python and Go probe for it"),
    row("ppoll_time64", "ppoll", "ppoll.c"),
    row("preadv2", "preadv", "preadv2.c"),
    row("pselect6_time64", "pselect6", "pselect.c"),
    row("pwritev2", "pwritev", "pwritev2.c"),
    row("renameat2", "renameat", "renameat2.c; coreutils' mv"),
    row("rseq", "no restartable sequences", "rseq-internal.h"),
    row("rt_sigtimedwait_time64", "rt_sigtimedwait", "sigtimedwait.c"),
    row("statx", "newfstatat", "fstatat64.c"),
    row("timerfd_settime64", "timerfd_settime", "timerfd_settime.c"),
    row("utimensat_time64", "utimensat", "utimensat.c"),
];

/// The fallbacks for each ABI in use: what is in the table and not allowed.
pub(crate) fn rules(calls: &[Rule<CallRule>]) -> Vec<FallbackRule> {
    let mut abis: Vec<_> = calls.iter().map(|rule| rule.allow.abi).collect();
    abis.dedup();
    let mut rules = Vec::new();
    for abi in abis {
        for Fallback { name, instead, source } in TABLE {
            let Some(nr) = calls::number(abi, name) else { continue };
            let allowed = calls.iter().any(|rule| rule.allow.abi == abi && rule.allow.nr == nr);
            if !allowed {
                rules.push(FallbackRule {
                    abi,
                    nr,
                    name: name.to_owned(),
                    instead: format!("{instead} ({source})"),
                });
            }
        }
    }
    rules.sort();
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Evidence;
    use tracer::abi::Abi;

    fn call(abi: Abi, name: &str) -> Rule<CallRule> {
        let nr = calls::number(abi, name).unwrap();
        let allow = CallRule { abi, nr, name: Some(name.to_owned()), when: Vec::new() };
        Rule { allow, evidence: Evidence::default() }
    }

    #[test]
    fn rows_are_sorted_and_of_real_calls() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        for row in TABLE {
            assert!(
                [Abi::X86_64, Abi::I386].iter().any(|abi| calls::number(*abi, row.name).is_some()),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn what_is_allowed_is_not_answered() {
        let names = |calls: &[Rule<CallRule>]| -> Vec<(Abi, String)> {
            rules(calls).into_iter().map(|rule| (rule.abi, rule.name)).collect()
        };
        let some = names(&[call(Abi::X86_64, "read"), call(Abi::X86_64, "statx")]);
        assert!(some.contains(&(Abi::X86_64, "clone3".to_owned())));
        assert!(!some.contains(&(Abi::X86_64, "statx".to_owned())));
        assert!(!some.iter().any(|(abi, _)| *abi == Abi::I386), "only the ABIs in use");
        assert!(!some.iter().any(|(_, name)| name.ends_with("time64")));
        assert!(
            names(&[call(Abi::I386, "read")]).contains(&(Abi::I386, "clock_gettime64".to_owned()))
        );
        assert!(names(&[]).is_empty());
    }
}
