//! Cheaper ways out: how a capability can often be done without. Advice for the reviewer, as data with its source.

use std::collections::BTreeSet;

use learner::policy::{CapabilityRule, Policy, Rule};

/// How a capability can be done without, when it was used by one of these calls.
#[derive(Debug)]
struct Advice {
    capability: &'static str,
    /// Any of them; empty: whatever the call.
    calls: &'static [&'static str],
    instead: &'static str,
    source: &'static str,
}

const fn advice(
    capability: &'static str,
    calls: &'static [&'static str],
    instead: &'static str,
    source: &'static str,
) -> Advice {
    Advice { capability, calls, instead, source }
}

/// Sorted by capability.
static TABLE: &[Advice] = &[
    advice(
        "CAP_BPF",
        &[],
        "load the programs before the container starts, and pin what it needs in bpffs",
        "bpf(2), BPF_OBJ_PIN",
    ),
    advice(
        "CAP_CHOWN",
        &[],
        "give the files to their owner when the image is built (COPY --chown), or start as that user",
        "Dockerfile reference, COPY --chown; chown(2)",
    ),
    advice(
        "CAP_DAC_OVERRIDE",
        &[],
        "let the files' modes or groups permit what is done, or run as their owner",
        "path_resolution(7), \"Permissions\"",
    ),
    advice(
        "CAP_DAC_READ_SEARCH",
        &[],
        "let the files' modes or groups permit reading, or run as their owner",
        "path_resolution(7), \"Permissions\"",
    ),
    advice(
        "CAP_FOWNER",
        &[],
        "let the files belong to the user who changes them, when the image is built",
        "chmod(2), utimensat(2)",
    ),
    advice(
        "CAP_FSETID",
        &[],
        "set the set-id bits when the image is built, or leave them out",
        "chmod(2); inode(7)",
    ),
    advice(
        "CAP_IPC_LOCK",
        &["mlock", "mlock2", "mlockall", "mmap"],
        "raise the limit of locked memory instead (--ulimit memlock=...)",
        "mlock(2), \"Limits and permissions\"",
    ),
    advice("CAP_KILL", &[], "run whoever signals as the user who receives", "kill(2)"),
    advice(
        "CAP_MKNOD",
        &[],
        "have the engine make the device (--device)",
        "docker-run(1), --device",
    ),
    advice(
        "CAP_NET_BIND_SERVICE",
        &[],
        "bind a port from 1024 on, or lower the first unprivileged one (--sysctl net.ipv4.ip_unprivileged_port_start=0)",
        "ip(7), ip_unprivileged_port_start",
    ),
    advice(
        "CAP_NET_RAW",
        &["socket"],
        "for ping: open ICMP datagram sockets to its group (--sysctl net.ipv4.ping_group_range=\"0 2147483647\")",
        "icmp(7), ping_group_range",
    ),
    advice(
        "CAP_SETGID",
        &[],
        "start as the user and group that it becomes (USER in the image, --user)",
        "Dockerfile reference, USER; setgid(2)",
    ),
    advice(
        "CAP_SETUID",
        &[],
        "start as the user that it becomes (USER in the image, --user)",
        "Dockerfile reference, USER; setuid(2)",
    ),
    advice(
        "CAP_SYS_ADMIN",
        &["mount", "umount2"],
        "have the engine mount it (--mount, --tmpfs)",
        "docker-run(1), --mount",
    ),
    advice(
        "CAP_SYS_ADMIN",
        &["sethostname"],
        "have the engine set the name (--hostname)",
        "docker-run(1), --hostname",
    ),
    advice(
        "CAP_SYS_ADMIN",
        &["seccomp", "prctl"],
        "set no_new_privs before the filter (PR_SET_NO_NEW_PRIVS)",
        "seccomp(2), SECCOMP_SET_MODE_FILTER",
    ),
    advice(
        "CAP_SYS_CHROOT",
        &[],
        "the container has a root of its own: leave the change of root out, or make the image that tree",
        "chroot(2)",
    ),
    advice(
        "CAP_SYS_NICE",
        &[],
        "allow it by a limit instead (--ulimit nice=..., --ulimit rtprio=...)",
        "getrlimit(2), RLIMIT_NICE, RLIMIT_RTPRIO",
    ),
    advice(
        "CAP_SYS_PTRACE",
        &[],
        "run whoever looks as the user of the process that is looked at",
        "ptrace(2), \"Ptrace access mode checking\"",
    ),
    advice(
        "CAP_SYS_RESOURCE",
        &["prlimit64", "setrlimit"],
        "have the engine set the limit (--ulimit)",
        "docker-run(1), --ulimit",
    ),
    advice("CAP_SYS_TIME", &[], "leave the clock to the host", "time_namespaces(7)"),
];

/// A line of advice for each capability of the policy that there is any for.
pub(crate) fn lines(policy: &Policy) -> Vec<String> {
    policy.capabilities.iter().filter_map(line).collect()
}

fn line(rule: &Rule<CapabilityRule>) -> Option<String> {
    let CapabilityRule { name, calls } = &rule.allow;
    let fitting = |row: &&Advice| {
        row.capability == name
            && (row.calls.is_empty() || row.calls.iter().any(|call| calls.contains(*call)))
    };
    let instead: BTreeSet<String> = TABLE
        .iter()
        .filter(fitting)
        .map(|row| format!("{} ({})", row.instead, row.source))
        .collect();
    let programs: Vec<_> = rule.evidence.programs.iter().map(|path| path.escaped()).collect();
    let calls: Vec<&str> = calls.iter().map(String::as_str).collect();
    let used = match calls.is_empty() {
        true => String::new(),
        false => format!(", for `{}`", calls.join("`, `")),
    };
    (!instead.is_empty()).then(|| {
        let instead: Vec<String> = instead.into_iter().collect();
        format!("`{name}` of `{}`{used}: {}", programs.join("`, `"), instead.join("; or "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use learner::policy::Evidence;
    use tracer::abi::{calls, capabilities};
    use tracer::recording::FewSet;

    #[test]
    fn rows_are_of_real_capabilities_and_calls_with_their_source() {
        assert!(TABLE.is_sorted_by_key(|row| row.capability));
        for row in TABLE {
            assert!(capabilities::number(row.capability).is_some(), "{row:?}");
            let known = |call: &&str| calls::number(tracer::abi::Abi::X86_64, call).is_some();
            assert!(row.calls.iter().all(known) && !row.source.is_empty(), "{row:?}");
        }
    }

    #[test]
    fn advice_is_of_what_the_capability_was_used_for() {
        let rule = |name: &str, call: &str| Rule {
            allow: CapabilityRule {
                name: name.to_owned(),
                calls: BTreeSet::from([call.to_owned()]),
            },
            evidence: Evidence {
                programs: FewSet::from_iter(["/usr/sbin/nginx".into()]),
                ..Evidence::default()
            },
        };
        let port = line(&rule("CAP_NET_BIND_SERVICE", "bind")).unwrap();
        assert!(port.starts_with("`CAP_NET_BIND_SERVICE` of `/usr/sbin/nginx`, for `bind`: "));
        assert!(port.contains("ip_unprivileged_port_start"), "{port}");
        assert!(line(&rule("CAP_SYS_ADMIN", "mount")).unwrap().contains("--tmpfs"));
        assert_eq!(line(&rule("CAP_SYS_ADMIN", "setns")), None);
        assert_eq!(line(&rule("CAP_WAKE_ALARM", "timerfd_create")), None);
    }
}
