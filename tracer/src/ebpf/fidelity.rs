//! What this backend's facts are worth.

use std::collections::BTreeMap;

use crate::recording::{Degree, FactKind, Fidelity};

use super::programs::{CAPABILITIES, Hook, OPERATIONS};

/// How capability checks are seen at each of their hooks.
const CHECKS: [&str; CAPABILITIES.len()] = [
    "the kernel's own checks; those that it makes without need by a table",
    "the kernel's own checks, at the return of its function, which tells what is asked in silence too; not those that \
     compilers build into their callers: prctl(PR_SET_SECUREBITS), and capset that adds to the inheritable set; those \
     that it makes without need by a table",
];

/// Whether the operations of io_uring on files are seen, where the programs are attached to these hooks.
pub(super) fn sees_operations(hooks: &[Hook]) -> bool {
    OPERATIONS.iter().all(|(_, hook)| hooks.contains(hook))
}

/// The fidelity of each kind of fact, where the programs are attached to these hooks.
pub(super) fn of(hooks: &[Hook]) -> BTreeMap<FactKind, Fidelity> {
    let row = |kind, degree, how: &str| (kind, Fidelity { degree, how: how.to_owned() });
    let place = |hook: &Hook| CAPABILITIES.iter().position(|(_, known)| known == hook);
    let checks = hooks.iter().filter_map(place).next().and_then(|place| CHECKS.get(place));
    BTreeMap::from([
        row(FactKind::Call, Degree::Observed, "at the entry and the exit of each call"),
        row(
            FactKind::Argument,
            Degree::Observed,
            "the registers at the end of each call, and the words in memory that the table names as they are then",
        ),
        row(
            FactKind::File,
            Degree::Resolved,
            "opened files and directories by the kernel's own resolution at the end of the call; names that are not \
             opened from the directory that the kernel resolved, by a walk through the file system soon after the call: \
             a symbolic link that changes meanwhile is seen as it is then",
        ),
        row(FactKind::Exec, Degree::Observed, "the file that the kernel executed"),
        match checks {
            Some(how) => row(FactKind::Capability, Degree::Observed, how),
            None => row(
                FactKind::Capability,
                Degree::None,
                "this kernel has no tracepoint for capability checks (6.16 has), and lets none watch its functions",
            ),
        },
        row(
            FactKind::Socket,
            Degree::Resolved,
            "calls and the addresses they give; not those of sendmsg",
        ),
        row(FactKind::Signal, Degree::Observed, "signals that the kernel generates for a call"),
        match sees_operations(hooks) {
            true => row(
                FactKind::IoUring,
                Degree::Resolved,
                "files that are opened, made, removed, linked and renamed, where the kernel asks its security modules: an \
                 operation that none of them refuses is taken for one that succeeded; not its sockets",
            ),
            false => row(
                FactKind::IoUring,
                Degree::None,
                "its operations are no calls; they are seen from Linux 5.12 on, where programs may watch the kernel's functions",
            ),
        },
    ])
}
