//! Calls of i386 that are made through another one, whose first argument says which.
//!
//! libseccomp allows a call that a profile names in both forms (seccomp_rule_add(3), "BUGS"), and so does what is made here.

use tracer::abi::Abi;

/// `socketcall`: linux/net.h, `SYS_SOCKET` and following.
const SOCKETCALL: [(&str, u32); 20] = [
    ("accept", 5),
    ("accept4", 18),
    ("bind", 2),
    ("connect", 3),
    ("getpeername", 7),
    ("getsockname", 6),
    ("getsockopt", 15),
    ("listen", 4),
    ("recv", 10),
    ("recvfrom", 12),
    ("recvmmsg", 19),
    ("recvmsg", 17),
    ("send", 9),
    ("sendmmsg", 20),
    ("sendmsg", 16),
    ("sendto", 11),
    ("setsockopt", 14),
    ("shutdown", 13),
    ("socket", 1),
    ("socketpair", 8),
];

/// `ipc`: linux/ipc.h, `SEMOP` and following.
const IPC: [(&str, u32); 12] = [
    ("msgctl", 14),
    ("msgget", 13),
    ("msgrcv", 12),
    ("msgsnd", 11),
    ("semctl", 3),
    ("semget", 2),
    ("semop", 1),
    ("semtimedop", 4),
    ("shmat", 21),
    ("shmctl", 24),
    ("shmdt", 22),
    ("shmget", 23),
];

/// The call through which one can be made too, and the first argument that says so.
pub(super) fn through(abi: Abi, name: &str) -> Option<(&'static str, u32)> {
    if abi != Abi::I386 {
        return None;
    }
    [("socketcall", &SOCKETCALL[..]), ("ipc", &IPC)].into_iter().find_map(|(call, table)| {
        table.iter().find(|(known, _)| *known == name).map(|(_, operation)| (call, *operation))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer::abi::calls;

    #[test]
    fn rows_are_sorted_and_of_calls() {
        for table in [&SOCKETCALL[..], &IPC] {
            assert!(table.is_sorted());
            for (name, _) in table {
                // What only exists through the other call has no number.
                let alone = ["recv", "send", "semop"].contains(name);
                assert!(alone || calls::number(Abi::X86_64, name).is_some(), "{name}");
            }
        }
        assert_eq!(through(Abi::I386, "socket"), Some(("socketcall", 1)));
        assert_eq!(through(Abi::X86_64, "socket"), None);
    }
}
