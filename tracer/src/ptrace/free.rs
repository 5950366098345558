//! Which calls may run without a stop once they are known: those of which the next can teach nothing.

use crate::abi::arguments;
use crate::abi::paths::{self, Object};
use crate::decode::files::{self, Opened};
use crate::decode::{self, Call, capabilities, sockets};

/// Calls that tell what happens to a task: who loads a filter of his own is observed to the end, and what never returns, or returns
/// elsewhere, has no result that could be known.
const ALWAYS: [&str; 8] = [
    "execve",
    "execveat",
    "exit",
    "exit_group",
    "restart_syscall",
    "rt_sigreturn",
    "seccomp",
    "sigreturn",
];

/// How the call ends decides nothing but what it does to a file, if it concerns one.
pub(super) fn ends_plainly(call: &Call) -> bool {
    let Some(name) = call.name() else { return false };
    let matters = ALWAYS.contains(&name)
        || sockets::address_arguments(name).is_some()
        || decode::SIGNALS.iter().any(|(signals, _)| *signals == name)
        || decode::changes_view(name)
        || decode::IO_URING.contains(&name);
    !matters
}

/// The next call with these arguments teaches nothing that this one did not, whatever its other arguments are. For a task with
/// capabilities (`privileged`) it also uses none.
pub(super) fn teaches_nothing(call: &Call, privileged: bool) -> bool {
    let Some(name) = call.name() else { return false };
    ends_plainly(call)
        && arguments::in_memory(name).is_none()
        && !concerns_file(name, call)
        && !(privileged && capabilities::may_need(call))
}

/// The call loads a filter of the program's own: `seccomp`, or prctl(2) with `PR_SET_SECCOMP`.
pub(super) fn is_filter(call: &Call) -> bool {
    const PR_SET_SECCOMP: u32 = 22;
    match call.name() {
        Some("seccomp") => true,
        Some("prctl") => decode::low(call.args[0]) == PR_SET_SECCOMP,
        _ => false,
    }
}

fn concerns_file(name: &str, call: &Call) -> bool {
    let Some(row) = paths::of(name) else { return false };
    // By a descriptor, and only with other arguments.
    let succeeded = Call { result: Some(0), ..*call };
    !matches!(row.object, Object::Fd(_))
        || !files::accesses(row, &succeeded, Some(Opened::default())).is_empty()
}

/// The argument that holds the mode of what a call makes or changes, of those that may give it a set-id bit.
const MODES: [(&str, usize); 9] = [
    ("chmod", 1),
    ("creat", 1),
    ("fchmod", 1),
    ("fchmodat", 2),
    ("fchmodat2", 2),
    ("mknod", 1),
    ("mknodat", 2),
    ("open", 2),
    ("openat", 3),
];
/// `S_ISUID` and `S_ISGID` (inode(7)).
pub(super) const SET_ID: u32 = 0o6000;

/// There may be a file with a set-id bit after the call, which the next `write` takes away by `CAP_FSETID` (`should_remove_suid`,
/// fs/attr.c). How openat2 makes files stands in memory: it is taken to give any mode.
pub(super) fn may_set_id(call: &Call, creates: bool) -> bool {
    let Some(name) = call.name() else { return false };
    if name == "openat2" {
        return creates;
    }
    let mode = MODES.iter().find(|(known, _)| *known == name).map(|(_, at)| call.args[*at]);
    let counts = creates || !name.starts_with("open");
    counts && mode.is_some_and(|mode| mode & u64::from(SET_ID) != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Abi, calls};

    fn call(name: &str, args: [u64; 6]) -> Call {
        let nr = calls::number(Abi::X86_64, name).unwrap();
        Call { abi: Abi::X86_64, nr, args, result: None }
    }

    fn free(name: &str, args: [u64; 6]) -> [bool; 2] {
        [false, true].map(|privileged| teaches_nothing(&call(name, args), privileged))
    }

    #[test]
    fn numbers_alone_run_free() {
        for name in ["getppid", "read", "write", "epoll_wait", "close", "futex", "brk", "poll"] {
            assert_eq!(free(name, [0; 6]), [true, true], "{name}");
        }
    }

    #[test]
    fn paths_addresses_signals_and_changes_of_the_task_do_not() {
        for name in [
            "openat",
            "execve",
            "newfstatat",
            "connect",
            "sendto",
            "kill",
            "setuid",
            "prctl",
            "seccomp",
            "io_uring_enter",
            "clone3",
            "flock",
            "exit_group",
        ] {
            assert_eq!(free(name, [0; 6]), [false, false], "{name}");
        }
    }

    #[test]
    fn arguments_decide_where_they_do() {
        // Protection: reading, and executing.
        assert_eq!(free("mmap", [0, 0, 1, 2, 3, 0]), [true, true]);
        assert_eq!(free("mmap", [0, 0, 5, 2, 3, 0]), [false, false]);
        // F_GETFL, F_SETLK.
        assert_eq!(free("fcntl", [3, 3, 0, 0, 0, 0]), [true, true]);
        assert_eq!(free("fcntl", [3, 6, 0, 0, 0, 0]), [false, false]);
        // TCGETS, TIOCGPTPEER.
        assert_eq!(free("ioctl", [3, 0x5401, 0, 0, 0, 0]), [true, true]);
        assert_eq!(free("ioctl", [3, 0x5441, 0, 0, 0, 0]), [false, false]);
    }

    #[test]
    fn what_may_need_a_capability_stops_for_those_who_have_some() {
        for name in ["mlock", "reboot", "sethostname", "sendmsg", "sched_setaffinity", "shmctl"] {
            assert!(!free(name, [0; 6])[1], "{name}");
        }
        // F_SETPIPE_SZ; CLONE_NEWNET.
        assert_eq!(free("fcntl", [3, 1031, 0, 0, 0, 0]), [true, false]);
        assert_eq!(free("clone", [0x4000_0000, 0, 0, 0, 0, 0]), [true, false]);
    }

    #[test]
    fn files_with_set_id_bits_are_heard_of() {
        assert!(may_set_id(&call("chmod", [0, 0o4755, 0, 0, 0, 0]), false));
        assert!(!may_set_id(&call("chmod", [0, 0o755, 0, 0, 0, 0]), false));
        let open = call("openat", [0, 0, 0o2101, 0o2755, 0, 0]);
        assert!(may_set_id(&open, true) && !may_set_id(&open, false));
        assert!(may_set_id(&call("openat2", [0; 6]), true));
    }
}
