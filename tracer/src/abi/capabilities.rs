//! Capabilities: their names, which calls need one by themselves, and which checks the kernel makes without need.

/// Names by number (include/uapi/linux/capability.h).
pub static NAMES: [&str; 41] = [
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
];

/// The name of a capability's number.
pub fn name(number: u32) -> String {
    NAMES.get(number as usize).map_or_else(|| format!("CAP_{number}"), |name| (*name).to_owned())
}

/// The number of a capability's name.
pub fn number(name: &str) -> Option<u32> {
    NAMES.iter().position(|known| *known == name).and_then(|at| u32::try_from(at).ok())
}

/// A call that succeeds only with a capability, with these arguments.
#[derive(Debug)]
pub struct Needed {
    /// The call.
    pub call: &'static str,
    /// With which arguments.
    pub only: Only,
    /// The capability.
    pub capability: &'static str,
    /// Where that is documented.
    pub source: &'static str,
}

/// Which arguments need a capability. Arguments are compared in their low 32 bits.
#[derive(Clone, Copy, Debug)]
pub enum Only {
    /// All.
    Always,
    /// This argument is one of these.
    Is(u8, &'static [u32]),
    /// This argument has one of the first bits and none of the second.
    Has(u8, u32, u32),
    /// This argument has none of these bits.
    Lacks(u8, u32),
    /// The word at this offset of what is pointed to has one of the first bits and none of the second.
    Pointed(usize, u32, u32),
    /// The word at this offset of what is pointed to has none of these bits.
    PointedLacks(usize, u32),
    /// The option of this level is one of these.
    Option(u32, &'static [u32]),
    /// A raw socket of the internet.
    Raw,
    /// The mode that is this argument is a device's, and the number that follows is not zero (a whiteout).
    Device(u8),
}

/// Where a call's arguments are, if not in its registers: the argument with the address, and how many bytes are read.
pub static POINTED: &[(&str, u8, usize)] =
    &[("adjtimex", 0, 4), ("clock_adjtime", 1, 4), ("clone3", 0, 80), ("perf_event_open", 0, 48)];

/// `CLONE_NEWNS|CGROUP|UTS|IPC|PID|NET|TIME` (linux/sched.h): namespaces that need `CAP_SYS_ADMIN`.
pub const NAMESPACES: u32 = 0x6e02_0080;
/// `CLONE_NEWUSER` (linux/sched.h).
pub const CLONE_NEWUSER: u32 = 0x1000_0000;

/// Requests that change an interface (linux/sockios.h): SIOCADDRT, SIOCDELRT, SIOCSIFFLAGS and its kin, SIOCSARP, SIOCDARP, those of
/// bridges; and TUNSETIFF (linux/if_tun.h).
static INTERFACES: &[u32] = &[
    0x890b,
    0x890c,
    0x8914,
    0x8916,
    0x8918,
    0x891a,
    0x891c,
    0x891e,
    0x8922,
    0x8923,
    0x8924,
    0x8936,
    0x8937,
    0x8943,
    0x8953,
    0x8955,
    0x89a0,
    0x89a1,
    0x89a2,
    0x89a3,
    0x4004_54ca,
];

const fn needed(
    call: &'static str,
    only: Only,
    capability: &'static str,
    source: &'static str,
) -> Needed {
    Needed { call, only, capability, source }
}

/// Calls that need a capability by themselves, sorted by name. What depends on the ids, limits and files of those concerned is
/// in [`crate::decode::capabilities`].
pub static NEEDED: &[Needed] = &[
    needed("acct", Only::Always, "CAP_SYS_PACCT", "acct(2)"),
    needed(
        "adjtimex",
        Only::Pointed(0, !0, 0),
        "CAP_SYS_TIME",
        "adjtimex(2): modes other than zero",
    ),
    needed(
        "bpf",
        Only::Always,
        "CAP_BPF",
        "capabilities(7); kernel.unprivileged_bpf_disabled is set by default",
    ),
    needed("chroot", Only::Always, "CAP_SYS_CHROOT", "chroot(2)"),
    needed(
        "clock_adjtime",
        Only::Pointed(0, !0, 0),
        "CAP_SYS_TIME",
        "clock_adjtime(2): modes other than zero",
    ),
    needed("clock_settime", Only::Always, "CAP_SYS_TIME", "clock_settime(2)"),
    needed("clone", Only::Has(0, NAMESPACES, CLONE_NEWUSER), "CAP_SYS_ADMIN", "clone(2)"),
    needed("clone3", Only::Pointed(0, NAMESPACES, CLONE_NEWUSER), "CAP_SYS_ADMIN", "clone(2)"),
    needed("clone3", Only::Pointed(72, !0, 0), "CAP_CHECKPOINT_RESTORE", "clone(2): set_tid_size"),
    needed("delete_module", Only::Always, "CAP_SYS_MODULE", "delete_module(2)"),
    needed("finit_module", Only::Always, "CAP_SYS_MODULE", "finit_module(2)"),
    needed("fsmount", Only::Always, "CAP_SYS_ADMIN", "fsmount(2)"),
    needed("fsopen", Only::Always, "CAP_SYS_ADMIN", "fsopen(2)"),
    needed("init_module", Only::Always, "CAP_SYS_MODULE", "init_module(2)"),
    needed("ioctl", Only::Is(1, INTERFACES), "CAP_NET_ADMIN", "netdevice(7)"),
    needed("ioperm", Only::Always, "CAP_SYS_RAWIO", "ioperm(2)"),
    needed("iopl", Only::Always, "CAP_SYS_RAWIO", "iopl(2)"),
    needed("kexec_load", Only::Always, "CAP_SYS_BOOT", "kexec_load(2)"),
    needed("mknod", Only::Device(1), "CAP_MKNOD", "mknod(2)"),
    needed("mknodat", Only::Device(2), "CAP_MKNOD", "mknod(2)"),
    needed("mount", Only::Always, "CAP_SYS_ADMIN", "mount(2)"),
    needed("mount_setattr", Only::Always, "CAP_SYS_ADMIN", "mount_setattr(2)"),
    needed("move_mount", Only::Always, "CAP_SYS_ADMIN", "move_mount(2)"),
    needed("open_by_handle_at", Only::Always, "CAP_DAC_READ_SEARCH", "open_by_handle_at(2)"),
    needed(
        "perf_event_open",
        Only::PointedLacks(40, 1 << 5),
        "CAP_PERFMON",
        "perf_event_open(2): exclude_kernel; kernel.perf_event_paranoid is 2 by default",
    ),
    needed("pivot_root", Only::Always, "CAP_SYS_ADMIN", "pivot_root(2)"),
    needed(
        "prctl",
        Only::Is(0, &[24, 28]),
        "CAP_SETPCAP",
        "prctl(2): PR_CAPBSET_DROP, PR_SET_SECUREBITS",
    ),
    needed("reboot", Only::Always, "CAP_SYS_BOOT", "reboot(2)"),
    needed(
        "sched_setscheduler",
        Only::Is(1, &[1, 2, 6]),
        "CAP_SYS_NICE",
        "sched(7): SCHED_FIFO, SCHED_RR, SCHED_DEADLINE",
    ),
    needed("setdomainname", Only::Always, "CAP_SYS_ADMIN", "setdomainname(2)"),
    needed("setgroups", Only::Always, "CAP_SETGID", "setgroups(2)"),
    needed("setgroups32", Only::Always, "CAP_SETGID", "setgroups(2)"),
    needed("sethostname", Only::Always, "CAP_SYS_ADMIN", "sethostname(2)"),
    needed("setns", Only::Lacks(1, CLONE_NEWUSER), "CAP_SYS_ADMIN", "setns(2)"),
    needed(
        "setsockopt",
        Only::Option(1, &[36]),
        "CAP_NET_RAW",
        "socket(7): SO_MARK; capabilities(7)",
    ),
    needed(
        "setsockopt",
        Only::Option(1, &[32, 33]),
        "CAP_NET_ADMIN",
        "socket(7): SO_SNDBUFFORCE, SO_RCVBUFFORCE",
    ),
    needed("setsockopt", Only::Option(0, &[19]), "CAP_NET_RAW", "ip(7): IP_TRANSPARENT"),
    needed("setsockopt", Only::Option(41, &[75]), "CAP_NET_RAW", "ip(7): IPV6_TRANSPARENT"),
    needed("settimeofday", Only::Always, "CAP_SYS_TIME", "settimeofday(2)"),
    needed("socket", Only::Is(0, &[17]), "CAP_NET_RAW", "packet(7)"),
    needed("socket", Only::Raw, "CAP_NET_RAW", "raw(7)"),
    needed("swapoff", Only::Always, "CAP_SYS_ADMIN", "swapoff(2)"),
    needed("swapon", Only::Always, "CAP_SYS_ADMIN", "swapon(2)"),
    needed("timer_create", Only::Is(0, &[8, 9]), "CAP_WAKE_ALARM", "timer_create(2)"),
    needed("timerfd_create", Only::Is(0, &[8, 9]), "CAP_WAKE_ALARM", "timerfd_create(2)"),
    needed("umount", Only::Always, "CAP_SYS_ADMIN", "umount(2)"),
    needed("umount2", Only::Always, "CAP_SYS_ADMIN", "umount2(2)"),
    needed("unshare", Only::Has(0, NAMESPACES, CLONE_NEWUSER), "CAP_SYS_ADMIN", "unshare(2)"),
    needed("vhangup", Only::Always, "CAP_SYS_TTY_CONFIG", "vhangup(2)"),
];

/// A check that the kernel makes though the call does not depend on its answer, always or with some arguments.
#[derive(Debug)]
pub struct Probe {
    /// The capability that is asked for.
    pub capability: &'static str,
    /// The calls in which it is.
    pub calls: &'static [&'static str],
    /// When the answer does not matter.
    pub when: When,
    /// The same check is made outside of calls too, in a page fault.
    pub outside_calls: bool,
    /// The kernel function that asks, and what the answer changes.
    pub source: &'static str,
}

/// When a call does not depend on the answer to a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Whatever its arguments.
    Always,
    /// The mode that is this argument has no `S_ISGID`.
    ModeWithoutGroupBit(u8),
    /// The user, the first argument, is the task's real, effective and saved one.
    SameUser,
    /// The group, the first argument, is the task's real, effective and saved one.
    SameGroup,
    /// The flags of the new task ask for no namespace, or for one of users too, in which it has every capability.
    NoNamespace,
    /// The task can gain no privileges (`no_new_privs`), or the call loads no filter.
    NoPrivilegesToGain,
    /// The events are those of the task itself outside of the kernel.
    OwnEvents,
}

const fn probe(
    capability: &'static str,
    calls: &'static [&'static str],
    when: When,
    source: &'static str,
) -> Probe {
    Probe { capability, calls, when, outside_calls: false, source }
}

/// Checks that prove no need.
pub static PROBES: &[Probe] = &[
    Probe {
        capability: "CAP_SYS_ADMIN",
        calls: &[
            "brk",
            "execve",
            "execveat",
            "fork",
            "ftruncate",
            "fallocate",
            "io_uring_setup",
            "madvise",
            "memfd_create",
            "mmap",
            "mmap2",
            "mprotect",
            "mremap",
            "pkey_mprotect",
            "pwrite64",
            "remap_file_pages",
            "rt_sigreturn",
            "shmat",
            "shmget",
            "swapoff",
            "truncate",
            "vfork",
            "write",
            "writev",
        ],
        when: When::Always,
        outside_calls: true,
        source: "cap_vm_enough_memory (security/commoncap.c), CAP_OPT_NOAUDIT: a share of memory is kept for administrators",
    },
    probe(
        "CAP_SYS_ADMIN",
        &["clone", "clone3"],
        When::NoNamespace,
        "cap_vm_enough_memory (security/commoncap.c) for the copied memory; copy_namespaces (kernel/nsproxy.c) needs it",
    ),
    probe(
        "CAP_SYS_ADMIN",
        &["prctl", "seccomp"],
        When::NoPrivilegesToGain,
        "seccomp_prepare_filter (kernel/seccomp.c), ns_capable_noaudit: not needed with no_new_privs; else as mmap",
    ),
    probe(
        "CAP_PERFMON",
        &["perf_event_open"],
        When::OwnEvents,
        "perf_check_permission (kernel/events/core.c) asks before it compares the tasks; perf_allow_kernel needs it",
    ),
    probe(
        "CAP_SYS_ADMIN",
        &["flistxattr", "listxattr", "llistxattr"],
        When::Always,
        "simple_xattr_list and the trusted handler (fs/xattr.c), ns_capable_noaudit: names of trusted.* are shown or not",
    ),
    probe(
        "CAP_NET_ADMIN",
        &[
            "access",
            "faccessat",
            "faccessat2",
            "fstatat64",
            "getdents",
            "getdents64",
            "lstat",
            "newfstatat",
            "open",
            "openat",
            "openat2",
            "pread64",
            "read",
            "readv",
            "stat",
            "statx",
        ],
        When::Always,
        "net_ctl_permissions (net/sysctl_net.c), ns_capable_noaudit: /proc/sys/net may be read by all; writing asks again",
    ),
    probe(
        "CAP_SYS_PTRACE",
        &["pread64", "read", "readv"],
        When::Always,
        "do_task_stat (fs/proc/array.c), PTRACE_MODE_NOAUDIT: addresses are shown or zero",
    ),
    probe(
        "CAP_IPC_LOCK",
        &["io_uring_setup"],
        When::Always,
        "io_uring_create (io_uring/io_uring.c): without it memory is accounted to the user",
    ),
    probe(
        "CAP_FSETID",
        &["chmod", "fchmod"],
        When::ModeWithoutGroupBit(1),
        "setattr_prepare and setattr_copy (fs/attr.c), in_group_or_capable: the answer decides whether S_ISGID stays",
    ),
    probe("CAP_FSETID", &["fchmodat", "fchmodat2"], When::ModeWithoutGroupBit(2), "as chmod"),
    probe(
        "CAP_SETUID",
        &["setuid", "setuid32"],
        When::SameUser,
        "__sys_setuid (kernel/sys.c) asks before it compares: a task may always become what it is",
    ),
    probe(
        "CAP_SETGID",
        &["setgid", "setgid32"],
        When::SameGroup,
        "__sys_setgid (kernel/sys.c) asks before it compares: a task may always become what it is",
    ),
];

/// The check proves no need. `needless` tells that the arguments and the task's ids were those of the row's [`When`], `unaudited`
/// that the kernel did not want the check in its audit log, where that is seen: mostly since it copes with any answer, but a row
/// that looks closer decides.
pub fn is_probe(capability: &str, call: Option<&str>, needless: bool, unaudited: bool) -> bool {
    let mut rows = PROBES.iter().filter(|row| row.capability == capability);
    match call {
        Some(call) => rows
            .find(|row| row.calls.contains(&call))
            .map_or(unaudited, |row| needless || row.when == When::Always),
        None => unaudited || rows.any(|row| row.outside_calls),
    }
}

/// The arguments for which a call is not sure to need what it asks for.
pub fn when(call: &str) -> Option<When> {
    let rows = PROBES.iter().filter(|row| row.when != When::Always);
    rows.filter(|row| row.calls.contains(&call)).map(|row| row.when).next()
}

/// A check whose refusal the kernel passes over when something else holds that it looks at only afterwards.
#[derive(Debug)]
pub struct AskedFirst {
    /// The capability.
    pub capability: &'static str,
    /// The calls.
    pub calls: &'static [&'static str],
    /// The kernel function, and what it looks at afterwards.
    pub source: &'static str,
}

/// Such checks: a refusal tells nothing, a need shows as the call's own error.
pub static ASKED_FIRST: &[AskedFirst] = &[AskedFirst {
    capability: "CAP_DAC_OVERRIDE",
    calls: &["link", "linkat"],
    source: "may_linkat (fs/namei.c): safe_hardlink_source asks for writing, then the owner is looked at",
}];

/// The refusal of this check tells nothing.
pub fn is_asked_first(capability: &str, call: Option<&str>) -> bool {
    let rows = ASKED_FIRST.iter().filter(|row| row.capability == capability);
    call.is_some_and(|call| rows.into_iter().any(|row| row.calls.contains(&call)))
}

/// Capabilities of which the kernel asks for one after the other, until one is granted.
#[derive(Debug)]
pub struct Alternatives {
    /// In the order in which it asks.
    pub capabilities: &'static [&'static str],
    /// The calls; empty: all.
    pub calls: &'static [&'static str],
    /// The kernel function.
    pub source: &'static str,
}

/// What is asked for in turn: the refusal of the first means nothing where a later one is granted.
pub static ALTERNATIVES: &[Alternatives] = &[
    Alternatives {
        capabilities: &["CAP_BPF", "CAP_SYS_ADMIN"],
        calls: &[],
        source: "bpf_capable (include/linux/capability.h), bpf_token_capable (kernel/bpf/token.c)",
    },
    Alternatives {
        capabilities: &["CAP_PERFMON", "CAP_SYS_ADMIN"],
        calls: &[],
        source: "perfmon_capable (include/linux/capability.h)",
    },
    Alternatives {
        capabilities: &["CAP_CHECKPOINT_RESTORE", "CAP_SYS_ADMIN"],
        calls: &[],
        source: "checkpoint_restore_ns_capable (include/linux/capability.h)",
    },
    Alternatives {
        capabilities: &["CAP_DAC_READ_SEARCH", "CAP_DAC_OVERRIDE"],
        calls: &[],
        source: "generic_permission (fs/namei.c)",
    },
    Alternatives {
        capabilities: &["CAP_NET_RAW", "CAP_NET_ADMIN"],
        calls: &["setsockopt"],
        source: "sk_setsockopt (net/core/sock.c), SO_MARK and SO_PRIORITY",
    },
    Alternatives {
        capabilities: &["CAP_SYS_ADMIN", "CAP_SYS_NICE"],
        calls: &["ioprio_set"],
        source: "ioprio_check_cap (block/ioprio.c)",
    },
    Alternatives {
        capabilities: &["CAP_SYS_RESOURCE", "CAP_SYS_ADMIN"],
        calls: &[],
        source: "copy_process (kernel/fork.c), pipe_is_unprivileged_user (fs/pipe.c), too_many_unix_fds (net/core/scm.c)",
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Abi, calls};

    #[test]
    fn rows_are_of_real_calls_and_capabilities() {
        let real =
            |call| [Abi::X86_64, Abi::I386].iter().any(|abi| calls::number(*abi, call).is_some());
        for row in NEEDED {
            assert!(real(row.call) && number(row.capability).is_some(), "{row:?}");
        }
        for row in PROBES {
            assert!(
                row.calls.iter().all(|c| real(c)) && number(row.capability).is_some(),
                "{row:?}"
            );
        }
    }

    #[test]
    fn a_link_asks_before_it_looks_at_the_owner() {
        assert!(is_asked_first("CAP_DAC_OVERRIDE", Some("linkat")));
        assert!(!is_asked_first("CAP_DAC_OVERRIDE", Some("openat")));
        assert!(
            !is_asked_first("CAP_CHOWN", Some("link")) && !is_asked_first("CAP_DAC_OVERRIDE", None)
        );
    }

    #[test]
    fn a_mapping_probes_and_a_mount_needs() {
        for (at, row) in PROBES.iter().enumerate() {
            let alike = PROBES[..at].iter().filter(|other| other.capability == row.capability);
            let calls = alike.flat_map(|other| other.calls);
            assert!(calls.into_iter().all(|call| !row.calls.contains(call)), "{row:?}");
        }
        assert!(is_probe("CAP_SYS_ADMIN", Some("mmap"), false, false));
        assert!(is_probe("CAP_SYS_ADMIN", None, false, false));
        assert!(!is_probe("CAP_SYS_ADMIN", Some("mount"), false, false));
        assert!(!is_probe("CAP_CHOWN", Some("mmap"), false, false));
    }

    #[test]
    fn some_checks_are_probes_with_some_arguments_only() {
        assert!(is_probe("CAP_SETUID", Some("setuid"), true, false));
        // The kernel asks in silence, and needs it all the same.
        assert!(!is_probe("CAP_SYS_ADMIN", Some("seccomp"), false, true));
        assert!(is_probe("CAP_SYS_ADMIN", Some("seccomp"), true, true));
        assert!(is_probe("CAP_SYS_ADMIN", Some("read"), false, true));
        assert!(!is_probe("CAP_SETUID", Some("setuid"), false, false));
        assert_eq!(when("fchmodat"), Some(When::ModeWithoutGroupBit(2)));
        assert_eq!(when("mmap"), None);
        // One condition a call: that is what the kernel's side can tell.
        for row in PROBES.iter().filter(|row| row.when != When::Always) {
            assert!(row.calls.iter().all(|call| when(call) == Some(row.when)), "{row:?}");
        }
    }

    #[test]
    fn alternatives_are_of_real_calls_and_capabilities() {
        for row in ALTERNATIVES {
            assert!(row.capabilities.iter().all(|name| number(name).is_some()), "{row:?}");
            let known = |call| calls::number(Abi::X86_64, call).is_some();
            assert!(row.calls.iter().all(|call| known(call)), "{row:?}");
        }
    }
}
