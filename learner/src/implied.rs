//! Calls that a program makes when something happens to it which a training run need not show.

use tracer::abi::Abi;
use tracer::recording::Origin;

use crate::arguments;
use crate::policy::{Condition, Evidence};
use crate::syscalls::{Rules, abis, allow};

/// A row: the call, when it is implied, and why.
struct Implied {
    name: &'static str,
    when: When,
    why: &'static str,
}

#[derive(PartialEq, Eq)]
enum When {
    /// For any program.
    Always,
    /// For a program that starts threads.
    Threads,
    /// For a container runtime written in Go, which starts the program under the filter.
    GoRuntime,
}

/// The filter of the program is asked about what the runtime still does before the program begins, and Go's scheduler does as time
/// has it: <https://github.com/golang/go/blob/go1.19/src/runtime/sys_linux_amd64.s>, `os_linux.go`, `netpoll_epoll.go`, `mem_linux.go`.
const GO: &str =
    "Go's scheduler makes it as time has it, in the container runtime that starts the program";

/// `CLONE_VM|FS|FILES|SIGHAND|SYSVSEM|THREAD`: Go's threads (runtime/os_linux.go, `cloneFlags`).
const GO_THREAD: u32 = 0x100 | 0x200 | 0x400 | 0x800 | 0x4_0000 | 0x1_0000;
/// `SIGURG`, by which it interrupts a thread (runtime/signal_unix.go, `sigPreempt`).
const SIGURG: u32 = 23;

const fn row(name: &'static str, when: When, why: &'static str) -> Implied {
    Implied { name, when, why }
}

const TABLE: [Implied; 19] = [
    row("clone", When::GoRuntime, GO),
    row("epoll_pwait", When::GoRuntime, GO),
    row(
        "exit",
        When::Threads,
        "a thread ends by it, unless the process ends before (pthread_exit(3), _exit(2))",
    ),
    row(
        "exit_group",
        When::Always,
        "every program ends by it (exit_group(2)); a killed one is not seen to",
    ),
    row("futex", When::GoRuntime, GO),
    row("futex", When::Threads, "a thread waits by it only when another is late (futex(2))"),
    row("futex_time64", When::Threads, "a thread waits by it only when another is late (futex(2))"),
    row("getpid", When::GoRuntime, GO),
    row("gettid", When::GoRuntime, GO),
    row("madvise", When::GoRuntime, GO),
    row("mmap", When::GoRuntime, GO),
    row("nanosleep", When::GoRuntime, GO),
    row(
        "restart_syscall",
        When::Always,
        "the kernel makes the program call it after a stop signal interrupted a sleep (restart_syscall(2))",
    ),
    row("rt_sigprocmask", When::GoRuntime, GO),
    row("rt_sigreturn", When::Always, "the return from any signal handler (sigreturn(2))"),
    row("sched_yield", When::GoRuntime, GO),
    row("sigaltstack", When::GoRuntime, GO),
    row(
        "sigreturn",
        When::Always,
        "the return from a signal handler without SA_SIGINFO (sigreturn(2))",
    ),
    row("tgkill", When::GoRuntime, GO),
];

/// Adds what is implied by the calls that were seen.
pub(crate) fn add(rules: &mut Rules) {
    for abi in abis(rules) {
        let threads = starts_threads(rules, abi);
        let go = go_runtime(rules, abi);
        for row in &TABLE {
            let because = match row.when {
                When::Always => Some(Evidence::default()),
                When::Threads => threads.clone(),
                When::GoRuntime => go.clone(),
            };
            if let Some(because) = because {
                let conditions = conditions(row);
                allow(rules, abi, row.name, conditions.clone(), &because, row.why);
                if row.when == When::GoRuntime {
                    also(rules, abi, row, conditions);
                }
            }
        }
    }
}

/// Lets a call that has conditions already be made with these too.
fn also(rules: &mut Rules, abi: Abi, row: &Implied, conditions: Vec<Vec<Condition>>) {
    let number = tracer::abi::calls::number(abi, row.name);
    let Some(rule) = number.and_then(|nr| rules.get_mut(&(abi, nr))) else { return };
    if rule.allow.when.is_empty() {
        return;
    }
    let before = rule.allow.when.len();
    rule.allow.when.extend(conditions);
    rule.allow.when.sort();
    rule.allow.when.dedup();
    if rule.allow.when.len() > before {
        rule.evidence.widened(row.why);
    }
}

/// What a row's call may be made with.
fn conditions(row: &Implied) -> Vec<Vec<Condition>> {
    let one = |index, value| vec![vec![Condition { index, mask: u32::MAX, value }]];
    match row.name {
        name if arguments::FUTEX.contains(&name) => arguments::futex(std::iter::empty()).0,
        "clone" => one(0, GO_THREAD),
        // Memory for itself: MAP_PRIVATE|MAP_ANONYMOUS, read and written or not at all.
        "mmap" => [0, 3]
            .map(|protection| {
                vec![
                    Condition { index: 2, mask: u32::MAX, value: protection },
                    Condition { index: 3, mask: u32::MAX, value: 0x22 },
                ]
            })
            .to_vec(),
        "tgkill" => one(2, SIGURG),
        _ => Vec::new(),
    }
}

/// The evidence of a container runtime written in Go: before the program begins, its poller looks at the files it opens.
fn go_runtime(rules: &Rules, abi: Abi) -> Option<Evidence> {
    rules
        .values()
        .filter(|rule| rule.allow.abi == abi && rule.allow.name.as_deref() == Some("epoll_ctl"))
        .find(|rule| rule.evidence.origins.contains(Origin::Runtime))
        .map(|rule| rule.evidence.clone())
}

/// The evidence of a call that starts threads: clone with `CLONE_THREAD`, or clone3, whose flags can't be seen.
fn starts_threads(rules: &Rules, abi: Abi) -> Option<Evidence> {
    const CLONE_THREAD: u32 = 0x1_0000;
    let may = |when: &[Vec<crate::policy::Condition>]| {
        when.is_empty()
            || when.iter().any(|all| {
                all.iter().all(|c| c.mask & CLONE_THREAD == 0 || c.value & CLONE_THREAD != 0)
            })
    };
    rules
        .values()
        .filter(|rule| rule.allow.abi == abi)
        .find(|rule| match rule.allow.name.as_deref() {
            Some("clone3") => true,
            Some("clone") => may(&rule.allow.when),
            _ => false,
        })
        .map(|rule| rule.evidence.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{CallRule, Rule};
    use tracer::abi::calls;

    #[test]
    fn a_runtime_in_go_may_schedule_and_another_has_no_need_to() {
        let call = |name: &str, origin| {
            let abi = Abi::X86_64;
            let nr = calls::number(abi, name).unwrap();
            let evidence =
                Evidence { origins: enumset::EnumSet::only(origin), ..Evidence::default() };
            let allow = CallRule { abi, nr, name: Some(name.to_owned()), when: Vec::new() };
            ((abi, nr), Rule { allow, evidence })
        };
        let names = |origin| -> Vec<String> {
            let mut rules: Rules = [call("epoll_ctl", origin)].into();
            add(&mut rules);
            rules.into_values().filter_map(|rule| rule.allow.name).collect()
        };
        let go = names(Origin::Runtime);
        assert!(
            ["nanosleep", "tgkill", "futex"].iter().all(|name| go.contains(&(*name).to_owned()))
        );
        assert!(!names(Origin::Entry).contains(&"nanosleep".to_owned()));
    }

    #[test]
    fn a_signal_is_added_to_those_that_are_sent() {
        let abi = Abi::X86_64;
        let nr = calls::number(abi, "tgkill").unwrap();
        let aborts = vec![Condition { index: 2, mask: u32::MAX, value: 6 }];
        let allow = CallRule { abi, nr, name: None, when: vec![aborts.clone()] };
        let mut rules: Rules = [((abi, nr), Rule { allow, evidence: Evidence::default() })].into();
        let row = Implied { name: "tgkill", when: When::GoRuntime, why: GO };
        also(&mut rules, abi, &row, conditions(&row));
        let rule = rules.into_values().next().unwrap();
        assert_eq!(rule.allow.when.len(), 2);
        assert!(rule.allow.when.contains(&aborts) && rule.evidence.generalised.is_some());
    }

    #[test]
    fn rows_are_sorted_and_of_real_calls() {
        assert!(TABLE.is_sorted_by(|a, b| a.name <= b.name));
        for row in &TABLE {
            assert!(
                [Abi::X86_64, Abi::I386].iter().any(|abi| calls::number(*abi, row.name).is_some()),
                "{}",
                row.name
            );
        }
    }
}
