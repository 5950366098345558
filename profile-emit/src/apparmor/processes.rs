//! Rules for what is done to other processes, and to the tree of mounts: AppArmor mediates them apart from files, under the profile's
//! own processes too.

use learner::Policy;
use learner::policy::{Class, Part, Pattern};

use crate::Note;

/// What the profile's processes may do to each other.
const READ: &str = "ptrace (read, readby)";
const TRACE: &str = "ptrace (trace, tracedby)";
/// Which mounts, nobody has recorded.
const MOUNT: &str = "mount";
const UMOUNT: &str = "umount";
const PIVOT_ROOT: &str = "pivot_root";

/// A call that AppArmor is asked about, the rule that allows it, and where it asks.
const CALLS: [(&str, &str, &str); 17] = [
    ("fsmount", MOUNT, "security/apparmor/lsm.c, apparmor_move_mount"),
    ("get_robust_list", READ, "kernel/futex/syscalls.c, PTRACE_MODE_READ_REALCREDS"),
    ("kcmp", READ, "kernel/kcmp.c, PTRACE_MODE_READ_REALCREDS"),
    ("migrate_pages", READ, "mm/mempolicy.c, PTRACE_MODE_READ_REALCREDS"),
    ("mount", MOUNT, "security/apparmor/lsm.c, apparmor_sb_mount"),
    ("mount_setattr", MOUNT, "security/apparmor/lsm.c, apparmor_sb_mount"),
    ("move_mount", MOUNT, "security/apparmor/lsm.c, apparmor_move_mount"),
    ("move_pages", READ, "mm/migrate.c, PTRACE_MODE_READ_REALCREDS"),
    ("open_tree", MOUNT, "security/apparmor/lsm.c, apparmor_move_mount"),
    ("pidfd_getfd", TRACE, "kernel/pid.c, PTRACE_MODE_ATTACH_REALCREDS"),
    ("pivot_root", PIVOT_ROOT, "security/apparmor/lsm.c, apparmor_sb_pivotroot"),
    ("process_madvise", READ, "mm/madvise.c, PTRACE_MODE_READ_FSCREDS"),
    ("process_vm_readv", TRACE, "mm/process_vm_access.c, PTRACE_MODE_ATTACH_REALCREDS"),
    ("process_vm_writev", TRACE, "mm/process_vm_access.c, PTRACE_MODE_ATTACH_REALCREDS"),
    ("ptrace", TRACE, "kernel/ptrace.c, PTRACE_MODE_ATTACH_REALCREDS"),
    ("umount", UMOUNT, "security/apparmor/lsm.c, apparmor_sb_umount"),
    ("umount2", UMOUNT, "security/apparmor/lsm.c, apparmor_sb_umount"),
];

/// Entries of a process's directory in procfs that are for those who may look into it: `PTRACE_MODE_READ` (fs/proc/base.c, fd.c,
/// namespaces.c, task_mmu.c).
const READERS: [&str; 16] = [
    "auxv",
    "cwd",
    "environ",
    "exe",
    "fd",
    "fdinfo",
    "io",
    "map_files",
    "maps",
    "ns",
    "numa_maps",
    "pagemap",
    "root",
    "smaps",
    "smaps_rollup",
    "timerslack_ns",
];
/// And for those who may change it: `PTRACE_MODE_ATTACH`.
const TRACERS: [&str; 4] = ["mem", "personality", "stack", "syscall"];

/// The rules.
pub(super) fn rules(policy: &Policy, peer: &str, notes: &mut Vec<Note>) -> Vec<String> {
    let calls = policy.calls.iter().filter_map(|rule| rule.allow.name.as_deref());
    let of_call = |name: &str| CALLS.iter().find(|(call, ..)| *call == name).map(|row| row.1);
    let mut rules: Vec<&str> = calls.filter_map(of_call).collect();
    rules.extend(policy.files.iter().filter_map(|rule| of_path(&rule.allow.path)));
    rules.sort_unstable();
    rules.dedup();
    if rules.contains(&MOUNT) || rules.contains(&UMOUNT) {
        notes.push(
            "the AppArmor profile lets the program mount and unmount anything that its capabilities let it: mounts are not recorded one by one"
                .to_owned(),
        );
    }
    let to = |rule: &str| match rule {
        READ | TRACE => format!("{rule} peer={peer}"),
        rule => rule.to_owned(),
    };
    rules.into_iter().map(to).collect()
}

/// What looking at a process through procfs asks for. Whose it is, a pattern does not tell: one's own needs nothing.
fn of_path(path: &Pattern) -> Option<&'static str> {
    let name = match path.0.as_slice() {
        [Part::Literal(proc), Part::Class { class: Class::Pid }, Part::Literal(rest), ..]
            if proc.as_bytes() == b"/proc/" =>
        {
            rest.as_bytes().strip_prefix(b"/")?
        }
        [Part::Literal(all), ..] => {
            let rest = all.as_bytes().strip_prefix(b"/proc/")?;
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            rest.get(digits..).filter(|_| digits > 0)?.strip_prefix(b"/")?
        }
        _ => return None,
    };
    let name = name.split(|byte| *byte == b'/').next().unwrap_or_default();
    // A thread's own directory has the same entries.
    let has = |names: &[&str]| names.iter().any(|known| known.as_bytes() == name);
    match (has(&READERS), has(&TRACERS)) {
        (true, _) => Some(READ),
        (_, true) => Some(TRACE),
        _ if name == b"task" => Some(READ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_looks_into_processes_is_told_by_the_path() {
        let pid = |rest: &str| {
            Pattern(vec![
                Part::Literal("/proc/".into()),
                Part::Class { class: Class::Pid },
                Part::Literal(rest.into()),
            ])
        };
        assert_eq!(of_path(&pid("/maps")), Some(READ));
        assert_eq!(of_path(&pid("/ns/mnt")), Some(READ));
        assert_eq!(of_path(&pid("/mem")), Some(TRACE));
        assert_eq!(of_path(&pid("/status")), None);
        assert_eq!(of_path(&Pattern::literal(b"/proc/12/exe")), Some(READ));
        for other in [&b"/proc/meminfo"[..], b"/proc/maps", b"/srv/proc/12/exe", b"/proc/12"] {
            assert_eq!(of_path(&Pattern::literal(other)), None);
        }
    }

    #[test]
    fn the_table_is_in_order() {
        assert!(CALLS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
