//! Which accesses were granted: all that succeeded, and those that failed after they had been granted.

use tracer::recording::{Access, Runs, succeeded};

/// Errors with which a call fails only after the security module has allowed the access: a profile that does not allow it
/// turns them into `EACCES`, and the program takes another way than in its training.
const AFTERWARDS: [(&str, &[Access], &str); 8] = [
    (
        "ENXIO",
        &[Access::Read, Access::Write, Access::Append],
        "a driver's open, after security_file_open (do_dentry_open, fs/open.c): /dev/tty without a terminal, a FIFO without a reader",
    ),
    (
        "ENODEV",
        &[Access::Read, Access::Write, Access::Append],
        "as above: a device without a driver",
    ),
    ("EBUSY", &[Access::Read, Access::Write, Access::Append], "as above: a device for one only"),
    (
        "EAGAIN",
        &[Access::Lock, Access::LockExclusive],
        "security_file_lock comes first (flock, fs/locks.c): another one has the lock",
    ),
    (
        "ENOTEMPTY",
        &[Access::Rmdir, Access::Rename],
        "security_path_rmdir and security_path_rename come first (fs/namei.c)",
    ),
    (
        "EISDIR",
        &[Access::Delete, Access::Rename],
        "security_path_unlink and security_path_rename come before may_delete (fs/namei.c)",
    ),
    (
        "ENOTDIR",
        &[Access::Rename],
        "as above; of rmdir the rule would be for a directory of this name, and there is none",
    ),
    (
        "ENOEXEC",
        &[Access::Exec],
        "security_bprm_creds_for_exec comes before the search for who can load it (fs/exec.c): shells then read it themselves",
    ),
];

/// In at least one run the access was granted.
pub(crate) fn granted(access: Access, runs: &Runs) -> bool {
    let afterwards = |outcome: &str| {
        AFTERWARDS.iter().any(|(errno, of, _)| outcome == *errno && of.contains(&access))
    };
    succeeded(runs)
        || runs.values().any(|seen| seen.outcomes.keys().any(|outcome| afterwards(outcome)))
}

#[cfg(test)]
mod tests {
    use tracer::recording::Seen;

    use super::*;

    #[test]
    fn what_fails_afterwards_was_granted() {
        let seen = |outcome| Runs::from_iter([("run".into(), Seen::ending(outcome, 1))]);
        for (errno, accesses, _) in AFTERWARDS {
            assert!(accesses.iter().all(|access| granted(*access, &seen(errno))), "{errno}");
            assert!(!granted(Access::Chmod, &seen(errno)), "{errno}");
        }
        assert!(granted(Access::Chmod, &seen(Seen::OK)));
        for refused in ["EACCES", "EPERM", "ENOENT", "EEXIST", "EROFS"] {
            assert!(!granted(Access::Read, &seen(refused)), "{refused}");
        }
    }
}
