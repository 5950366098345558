//! Which capability a call used, deduced from the call, the task's credentials and the files: for a backend that does
//! not see the kernel's checks.
//!
//! A capability is deduced only when the task has it, the call succeeded, and it would have been refused without:
//! capabilities(7) and the manual page of each call. What depends on the call's arguments alone is in the rows of
//! [`crate::abi::capabilities::NEEDED`].

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use super::Call;
use super::credentials::Credentials;
use super::resolve::View;
use crate::abi::capabilities::{NEEDED, Only, number};
use crate::abi::paths::{Effect, PathCall};
use crate::recording::{Access, ByteString};

const S_ISVTX: u32 = 0o1000;
const S_ISGID: u64 = 0o2000;

/// What else is known of a call, beyond its registers.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// The port that `bind` asks for.
    pub port: Option<u16>,
    /// The first port that everybody may bind.
    pub unprivileged_ports_from: u16,
    /// The process that the call is about, unless it is the task's own.
    pub other: Option<Credentials>,
    /// The call raises a hard resource limit, or goes beyond a limit of pipes.
    pub raises_limit: bool,
    /// The call locks more memory than the task may.
    pub locks_beyond_limit: bool,
    /// The call makes the task nicer than it was: a lower value.
    pub lowers_nice: bool,
    /// The call concerns an open file of another owner.
    pub others_file: bool,
    /// The call writes to a file that has a set-id bit.
    pub set_id_file: bool,
    /// The call gives a file a flag that makes it immutable or append-only.
    pub protects_file: bool,
    /// The call uses an object of System V IPC that its mode does not grant to the task, or changes one of another owner.
    pub ipc: Option<Ipc>,
    /// The kernel's messages are for the privileged only (`kernel.dmesg_restrict`).
    pub messages_restricted: bool,
    /// The message that is sent to the kernel's audit system.
    pub audit_message: Option<u16>,
    /// The task can gain no privileges (`no_new_privs`).
    pub no_new_privileges: bool,
    /// What [`POINTED`] says that the call points to.
    pub pointed: Vec<u8>,
}

/// What a call wants of an object of System V IPC without being allowed to (svipc(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ipc {
    /// To use it.
    Uses,
    /// To change or remove it.
    Changes,
}

/// The capability that a call needed for itself, not for a file it names.
pub fn of_call(call: &Call, who: &Credentials, about: &Circumstances) -> Option<&'static str> {
    let name = call.name()?;
    let capability = by_circumstances(name, call, who, about).or_else(|| {
        let rows = NEEDED.iter().filter(|row| row.call == name);
        rows.filter(|row| applies(row.only, call, about)).map(|row| row.capability).next()
    })?;
    who.has(number(capability)?).then_some(capability)
}

/// Whether a call with these arguments may need a capability at all, whoever makes it and whatever else is the case: but for `write` to
/// a file with a set-id bit.
pub fn may_need(call: &Call) -> bool {
    let Some(name) = call.name() else { return true };
    let all = Credentials { effective: u64::MAX, permitted: u64::MAX, ..Credentials::default() };
    let worst = Circumstances {
        port: Some(1),
        unprivileged_ports_from: 1024,
        other: Some(Credentials { uid: [1; 4], gid: [1; 4], users: 1, ..all.clone() }),
        raises_limit: true,
        locks_beyond_limit: true,
        lowers_nice: true,
        others_file: true,
        set_id_file: false,
        protects_file: true,
        ipc: Some(Ipc::Changes),
        messages_restricted: true,
        audit_message: Some(1100),
        no_new_privileges: false,
        pointed: Vec::new(),
    };
    let possible = |only| match only {
        Only::Pointed(..) | Only::PointedLacks(..) => true,
        _ => applies(only, call, &worst),
    };
    NEEDED.iter().any(|row| row.call == name && possible(row.only))
        || by_circumstances(name, call, &all, &worst).is_some()
}

fn argument(call: &Call, at: u8) -> u32 {
    super::low(call.args[usize::from(at)])
}

/// The arguments are those of a row.
fn applies(only: Only, call: &Call, about: &Circumstances) -> bool {
    let word = |offset: usize| {
        let bytes = about.pointed.get(offset..offset + 4)?;
        Some(bytes.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)))
    };
    match only {
        Only::Always => true,
        Only::Is(at, values) => values.contains(&argument(call, at)),
        Only::Has(at, any, none) => argument(call, at) & any != 0 && argument(call, at) & none == 0,
        Only::Lacks(at, bits) => argument(call, at) & bits == 0,
        Only::Pointed(at, any, none) => {
            word(at).is_some_and(|word| word & any != 0 && word & none == 0)
        }
        Only::PointedLacks(at, bits) => word(at).is_some_and(|word| word & bits == 0),
        Only::Option(level, options) => {
            argument(call, 1) == level && options.contains(&argument(call, 2))
        }
        Only::Raw => matches!(argument(call, 0), 2 | 10) && argument(call, 1) & 0xf == 3,
        Only::Device(mode) => {
            // S_IFCHR or S_IFBLK (inode(7)).
            matches!(argument(call, mode) & 0o170_000, 0o020_000 | 0o060_000)
                && argument(call, mode + 1) != 0
        }
    }
}

/// What depends on who and what is concerned: credentials(7), capabilities(7).
fn by_circumstances(
    name: &str,
    call: &Call,
    who: &Credentials,
    about: &Circumstances,
) -> Option<&'static str> {
    let foreign = |ids: &[u32; 4], wanted: &[u8]| {
        wanted.iter().any(|at| {
            let id = argument(call, *at);
            id != u32::MAX && !ids[..3].contains(&id)
        })
    };
    // setuid(2), setgid(2): with the capability all ids are set, without it the effective one.
    let not_all = |ids: &[u32; 4]| ids[..3].iter().any(|id| *id != argument(call, 0));
    let other = about.other.as_ref();
    match name {
        "bind" => {
            let low = about.port.is_some_and(|p| p != 0 && p < about.unprivileged_ports_from);
            low.then_some("CAP_NET_BIND_SERVICE")
        }
        "setuid" | "setuid32" => not_all(&who.uid).then_some("CAP_SETUID"),
        "setreuid" | "setreuid32" => foreign(&who.uid, &[0, 1]).then_some("CAP_SETUID"),
        "setresuid" | "setresuid32" => foreign(&who.uid, &[0, 1, 2]).then_some("CAP_SETUID"),
        "setfsuid" | "setfsuid32" => {
            (foreign(&who.uid, &[0]) && argument(call, 0) != who.uid[3]).then_some("CAP_SETUID")
        }
        "setgid" | "setgid32" => not_all(&who.gid).then_some("CAP_SETGID"),
        "setregid" | "setregid32" => foreign(&who.gid, &[0, 1]).then_some("CAP_SETGID"),
        "setresgid" | "setresgid32" => foreign(&who.gid, &[0, 1, 2]).then_some("CAP_SETGID"),
        "setfsgid" | "setfsgid32" => {
            (foreign(&who.gid, &[0]) && argument(call, 0) != who.gid[3]).then_some("CAP_SETGID")
        }
        "kill" | "tkill" | "tgkill" | "rt_sigqueueinfo" | "rt_tgsigqueueinfo" => other
            .is_some_and(|other| {
                // kill(2): the sender's real or effective user is the receiver's real or saved one.
                ![who.uid[0], who.uid[1]].iter().any(|me| [other.uid[0], other.uid[2]].contains(me))
            })
            .then_some("CAP_KILL"),
        "process_vm_readv" | "process_vm_writev" | "kcmp" | "pidfd_getfd" | "ptrace" => {
            other.is_some_and(|other| !who.may_trace(other)).then_some("CAP_SYS_PTRACE")
        }
        "sched_setaffinity" | "sched_setattr" | "sched_setparam" | "sched_setscheduler"
        | "setpriority" | "ioprio_set"
            if other.is_some_and(|other| ![other.uid[0], other.uid[1]].contains(&who.uid[1])) =>
        {
            Some("CAP_SYS_NICE")
        }
        "setpriority" => about.lowers_nice.then_some("CAP_SYS_NICE"),
        "prlimit64" | "setrlimit" => about.raises_limit.then_some("CAP_SYS_RESOURCE"),
        // F_SETPIPE_SZ, F_SETLEASE (linux/fcntl.h).
        "fcntl" | "fcntl64" => match argument(call, 1) {
            1031 => about.raises_limit.then_some("CAP_SYS_RESOURCE"),
            1024 => about.others_file.then_some("CAP_LEASE"),
            _ => None,
        },
        "mlock" | "mlock2" | "mlockall" => about.locks_beyond_limit.then_some("CAP_IPC_LOCK"),
        "write" | "writev" | "pwrite64" | "pwritev" | "pwritev2" => {
            about.set_id_file.then_some("CAP_FSETID")
        }
        // FS_IOC_SETFLAGS (linux/fs.h).
        "ioctl" if argument(call, 1) == 0x4008_6602 => {
            about.protects_file.then_some("CAP_LINUX_IMMUTABLE")
        }
        "shmctl" | "shmat" | "msgctl" | "msgrcv" | "msgsnd" | "semctl" | "semop" => {
            about.ipc.map(|ipc| match ipc {
                Ipc::Uses => "CAP_IPC_OWNER",
                Ipc::Changes => "CAP_SYS_ADMIN",
            })
        }
        // Reading all, and the buffer's size (syslog(2)).
        "syslog" => (about.messages_restricted || !matches!(argument(call, 0), 3 | 10))
            .then_some("CAP_SYSLOG"),
        // Messages of users (linux/audit.h: AUDIT_USER, AUDIT_FIRST_USER_MSG and following); others control the audit system.
        "sendto" | "sendmsg" => about.audit_message.map(|kind| match kind {
            1005 | 1100..=1199 | 2100..=2999 => "CAP_AUDIT_WRITE",
            _ => "CAP_AUDIT_CONTROL",
        }),
        // SECCOMP_SET_MODE_FILTER, PR_SET_SECCOMP.
        "seccomp" if argument(call, 0) == 1 => {
            (!about.no_new_privileges).then_some("CAP_SYS_ADMIN")
        }
        "prctl" if argument(call, 0) == 22 && argument(call, 1) == 2 => {
            (!about.no_new_privileges).then_some("CAP_SYS_ADMIN")
        }
        _ => None,
    }
}

/// The capabilities that accesses to files may need.
const RELEVANT: [&str; 8] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_SETFCAP",
    "CAP_SYS_ADMIN",
    "CAP_SYS_PTRACE",
];

/// The capabilities that a call needed for a file. To be asked before the call takes effect.
pub fn of_file(
    row: &PathCall,
    call: &Call,
    accesses: &[Access],
    path: &ByteString,
    view: &View,
    who: &Credentials,
    attribute: Option<&[u8]>,
) -> Vec<&'static str> {
    // Without any of these there is nothing to find out.
    let relevant: u64 = RELEVANT.iter().filter_map(|c| number(c)).map(|c| 1 << c).sum();
    if who.effective & relevant == 0 {
        return Vec::new();
    }
    let file = std::fs::symlink_metadata(view.outside(path.as_bytes())).ok();
    let mut found = Vec::new();
    let mut find = |capability: &'static str| {
        let has = |capability| number(capability).is_some_and(|n| who.has(n));
        // Overriding includes reading and searching: the kernel asks for the lesser one first (fs/namei.c,
        // `generic_permission`).
        let used = match capability {
            "CAP_DAC_READ_SEARCH" if !has(capability) => "CAP_DAC_OVERRIDE",
            other => other,
        };
        if has(used) && !found.contains(&used) {
            found.push(used);
        }
    };
    if !matches!(row.object, crate::abi::paths::Object::Fd(_)) {
        for directory in parents(path.as_bytes()) {
            let searchable = std::fs::metadata(view.outside(directory));
            if searchable.is_ok_and(|d| !who.mode_grants(&d, 1)) {
                find("CAP_DAC_READ_SEARCH");
            }
        }
        let changes_directory = accesses.iter().any(|a| {
            use Access::{Create, Delete, Link, Mkdir, Mknod, Rename, Rmdir, Symlink};
            matches!(a, Create | Delete | Link | Mkdir | Mknod | Rename | Rmdir | Symlink)
        });
        let parent = parents(path.as_bytes()).next();
        let parent = parent.and_then(|p| std::fs::metadata(view.outside(p)).ok());
        if let Some(parent) = parent.filter(|_| changes_directory) {
            if !who.mode_grants(&parent, 3) {
                find("CAP_DAC_OVERRIDE");
            }
            let removes = accesses
                .iter()
                .any(|a| matches!(a, Access::Delete | Access::Rename | Access::Rmdir));
            let sticky = parent.mode() & S_ISVTX != 0 && !who.owns(&parent);
            if removes && sticky && file.as_ref().is_some_and(|f| !who.owns(f)) {
                find("CAP_FOWNER");
            }
        }
    }
    let Some(file) = file else { return found };
    if let Some(name) = attribute {
        of_attribute(name, &file, who).into_iter().for_each(&mut find);
        return found;
    }
    if let Some(other) = process_looked_into(path.as_bytes(), accesses)
        && Credentials::of(other).is_some_and(|other| !who.may_trace(&other))
    {
        find("CAP_SYS_PTRACE");
    }
    for access in accesses {
        match access {
            Access::Read if !by_descriptor(row) && !who.mode_grants(&file, 4) => {
                find("CAP_DAC_READ_SEARCH")
            }
            Access::Write | Access::Append | Access::Truncate
                if !by_descriptor(row) && !who.mode_grants(&file, 2) =>
            {
                find("CAP_DAC_OVERRIDE");
            }
            Access::Chmod => {
                if !who.owns(&file) {
                    find("CAP_FOWNER");
                }
                // The bit would be dropped (chmod(2)).
                if mode(call) & S_ISGID != 0 && !who.in_group(file.gid()) && !file.is_dir() {
                    find("CAP_FSETID");
                }
            }
            Access::Setattr if !who.owns(&file) => find("CAP_FOWNER"),
            Access::Read if no_access_time(row, call) && !who.owns(&file) => find("CAP_FOWNER"),
            Access::Chown if changes_owner(call, &file, who) => find("CAP_CHOWN"),
            _ => {}
        }
    }
    found
}

fn by_descriptor(row: &PathCall) -> bool {
    matches!(row.object, crate::abi::paths::Object::Fd(_))
        || !matches!(
            row.effect,
            Effect::Open(_)
                | Effect::OpenHow(_)
                | Effect::Creat
                | Effect::Does(_)
                | Effect::RenameBy(_)
        )
}

/// The mode that a call gives.
fn mode(call: &Call) -> u64 {
    call.args[if matches!(call.name(), Some("fchmodat" | "fchmodat2")) { 2 } else { 1 }]
}

/// `O_NOATIME` (open(2)): for the owner only.
fn no_access_time(row: &PathCall, call: &Call) -> bool {
    matches!(row.effect, Effect::Open(at) if call.args[usize::from(at)] & 0o1_000_000 != 0)
}

/// xattr(7), and capabilities(7) for those of the namespace `security`.
fn of_attribute(name: &[u8], file: &Metadata, who: &Credentials) -> Option<&'static str> {
    if name == b"security.capability" {
        Some("CAP_SETFCAP")
    } else if name.starts_with(b"security.") || name.starts_with(b"trusted.") {
        Some("CAP_SYS_ADMIN")
    } else if name.starts_with(b"system.") || file.mode() & S_ISVTX != 0 && file.is_dir() {
        (!who.owns(file)).then_some("CAP_FOWNER")
    } else {
        (!who.mode_grants(file, 2)).then_some("CAP_DAC_OVERRIDE")
    }
}

/// What a process keeps for those who may trace it (proc(5), "ptrace access mode").
const KEPT: [&str; 18] = [
    "auxv",
    "cwd",
    "environ",
    "exe",
    "fd",
    "fdinfo",
    "io",
    "map_files",
    "maps",
    "mem",
    "ns",
    "numa_maps",
    "pagemap",
    "personality",
    "root",
    "smaps",
    "smaps_rollup",
    "syscall",
];

/// The process whose private files in procfs a path leads to.
fn process_looked_into(path: &[u8], accesses: &[Access]) -> Option<u32> {
    if !accesses.iter().any(|a| matches!(a, Access::Read | Access::Write | Access::Getattr)) {
        return None;
    }
    let rest = std::str::from_utf8(path.strip_prefix(b"/proc/")?).ok()?;
    let (process, rest) = rest.split_once('/')?;
    let rest = match rest.strip_prefix("task/") {
        Some(rest) => rest.split_once('/')?.1,
        None => rest,
    };
    let file = rest.split('/').next()?;
    // What lies beneath is looked into, and links are read; attributes of the file itself are for all.
    let looks = rest.contains('/')
        || accesses.iter().any(|a| matches!(a, Access::Read | Access::Write))
        || matches!(file, "cwd" | "exe" | "root");
    (looks && KEPT.contains(&file)).then(|| process.parse().ok()).flatten()
}

/// chown(2): only the owner may give the file to one of its groups; anything else needs the capability.
fn changes_owner(call: &Call, file: &Metadata, who: &Credentials) -> bool {
    let first = if call.name() == Some("fchownat") { 2 } else { 1 };
    let id = |at: usize| u32::try_from(call.args[at] & 0xffff_ffff).unwrap_or(u32::MAX);
    let (uid, gid) = (id(first), id(first + 1));
    let gives_away = uid != u32::MAX && (uid != file.uid() || !who.owns(file));
    let foreign_group =
        gid != u32::MAX && gid != file.gid() && !(who.owns(file) && who.in_group(gid));
    gives_away || foreign_group
}

/// The directories above, nearest first.
fn parents(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.iter()
        .enumerate()
        .rev()
        .filter(|(_, b)| **b == b'/')
        .map(|(at, _)| if at == 0 { &path[..1] } else { &path[..at] })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Abi, calls, paths};

    fn call(name: &str, args: &[u64]) -> Call {
        let mut all = [0; 6];
        all[..args.len()].copy_from_slice(args);
        Call {
            abi: Abi::X86_64,
            nr: calls::number(Abi::X86_64, name).unwrap(),
            args: all,
            result: Some(0),
        }
    }

    fn root() -> Credentials {
        Credentials { effective: u64::MAX, ..Credentials::default() }
    }

    fn of(name: &str, args: &[u64], who: &Credentials) -> Option<&'static str> {
        of_call(
            &call(name, args),
            who,
            &Circumstances { unprivileged_ports_from: 1024, ..Default::default() },
        )
    }

    #[test]
    fn only_what_would_be_refused_needs() {
        assert_eq!(of("setuid", &[33], &root()), Some("CAP_SETUID"));
        assert_eq!(of("setuid", &[0], &root()), None, "to an id that it has");
        assert_eq!(of("setresuid", &[0xffff_ffff, 5, 0xffff_ffff], &root()), Some("CAP_SETUID"));
        assert_eq!(of("setgroups", &[0, 0], &root()), Some("CAP_SETGID"));
        assert_eq!(of("socket", &[2, 3, 1], &root()), Some("CAP_NET_RAW"));
        assert_eq!(of("socket", &[2, 1, 0], &root()), None);
        assert_eq!(of("unshare", &[0x1000_0000], &root()), None, "a user namespace is free");
        assert_eq!(of("unshare", &[0x0002_0000], &root()), Some("CAP_SYS_ADMIN"));
        let nobody = Credentials { effective: 0, ..root() };
        assert_eq!(of("chroot", &[0], &nobody), None, "who has none used none");
        assert_eq!(of("chroot", &[0], &root()), Some("CAP_SYS_CHROOT"));
    }

    #[test]
    fn ports_below_the_limit_need() {
        let bind = call("bind", &[3, 0, 16]);
        let with = |port| Circumstances {
            port: Some(port),
            unprivileged_ports_from: 1024,
            ..Default::default()
        };
        assert_eq!(of_call(&bind, &root(), &with(80)), Some("CAP_NET_BIND_SERVICE"));
        assert_eq!(of_call(&bind, &root(), &with(1024)), None);
        assert_eq!(of_call(&bind, &root(), &with(0)), None);
    }

    #[test]
    fn files_need_when_their_mode_denies() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let me = std::fs::metadata(dir.path()).unwrap().uid();
        std::fs::write(dir.path().join("f"), "").unwrap();
        std::fs::set_permissions(dir.path().join("f"), std::fs::Permissions::from_mode(0o600))
            .unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let view = View::within(dir.path().to_owned(), 1, 1);
        let open = call("openat", &[0, 0, 0]);
        let needs = |uid, effective| {
            let who =
                Credentials { uid: [uid; 4], gid: [u32::MAX; 4], effective, ..Default::default() };
            of_file(
                paths::of("openat").unwrap(),
                &open,
                &[Access::Read],
                &"/f".into(),
                &view,
                &who,
                None,
            )
        };
        let all = u64::MAX;
        assert!(needs(me, all).is_empty(), "the owner may");
        assert_eq!(needs(me + 1, all), ["CAP_DAC_READ_SEARCH"]);
        let override_only = 1 << number("CAP_DAC_OVERRIDE").unwrap();
        assert_eq!(needs(me + 1, override_only), ["CAP_DAC_OVERRIDE"], "as in a container");
    }
}
