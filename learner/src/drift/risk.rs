//! How much it matters that something is allowed more: an order for the reader, no measure. Each row says why, and who says so.

use serde::Serialize;

use super::side::Kind;

/// The order in which differences are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing is known that would make it matter more than others.
    Low,
    /// It reaches kernel code that attacks have used, or other containers' things.
    Medium,
    /// With it, getting out of a container is known to be easy or root's power is near.
    High,
}

impl Level {
    /// Its name in texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// A row of the table.
#[derive(Debug)]
pub struct Risk {
    /// What it is about.
    pub kind: Kind,
    /// The names.
    pub names: &'static [&'static str],
    /// Of a call: only when an argument can have these bits: its position, the bits, and their value.
    pub when: Option<(u8, u32, u32)>,
    /// How much it matters.
    pub level: Level,
    /// Why.
    pub because: &'static str,
    /// Who says so.
    pub source: &'static str,
}

const fn row(
    kind: Kind,
    names: &'static [&'static str],
    level: Level,
    because: &'static str,
    source: &'static str,
) -> Risk {
    Risk { kind, names, when: None, level, because, source }
}

const fn call(
    names: &'static [&'static str],
    level: Level,
    because: &'static str,
    source: &'static str,
) -> Risk {
    row(Kind::Call, names, level, because, source)
}

const fn when(
    names: &'static [&'static str],
    argument: (u8, u32, u32),
    level: Level,
    because: &'static str,
    source: &'static str,
) -> Risk {
    Risk { when: Some(argument), ..call(names, level, because, source) }
}

const ALL: u32 = u32::MAX;
/// What Docker's documentation says of the calls that its default profile refuses.
const DOCKER: &str =
    "docs.docker.com/engine/security/seccomp, significant calls blocked by the default profile";

use Level::{High, Medium};

/// The table: the first row that fits decides, so the higher stand first.
pub static TABLE: &[Risk] = &[
    row(
        Kind::Default,
        &["x86_64", "i386", "x32", "aarch64"],
        High,
        "every call that is not named is allowed",
        "seccomp(2): an allowlist is more robust",
    ),
    call(
        &["init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load"],
        High,
        "loads code into the kernel",
        DOCKER,
    ),
    call(&["bpf"], High, "programs in the kernel: CVE-2021-3490, CVE-2022-23222", DOCKER),
    call(
        &["io_uring_setup", "io_uring_enter", "io_uring_register"],
        High,
        "its operations pass by this filter, and its code is often attacked",
        "moby/moby pull 46762; Google security blog, 14 June 2023: 60 % of kCTF's exploits",
    ),
    call(
        &["open_by_handle_at"],
        High,
        "opens files outside of the container (shocker.c, 2014), with CAP_DAC_READ_SEARCH",
        DOCKER,
    ),
    call(
        &["userfaultfd"],
        High,
        "halts the kernel at a page of one's own, which makes races winnable",
        "userfaultfd(2); kernel sysctl vm.unprivileged_userfaultfd",
    ),
    when(
        &["clone", "unshare"],
        (0, 0x1000_0000, 0x1000_0000),
        High,
        "CLONE_NEWUSER: every capability over kernel code that only root could reach before",
        "user_namespaces(7); Debian sysctl kernel.unprivileged_userns_clone",
    ),
    call(&["setns"], High, "enters other namespaces", DOCKER),
    call(
        &[
            "mount",
            "umount2",
            "pivot_root",
            "fsopen",
            "fsconfig",
            "fsmount",
            "move_mount",
            "open_tree",
            "mount_setattr",
        ],
        High,
        "changes the tree of files; CVE-2022-0185",
        DOCKER,
    ),
    call(
        &[
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "process_madvise",
            "pidfd_getfd",
            "kcmp",
        ],
        Medium,
        "reads and changes other processes",
        DOCKER,
    ),
    call(
        &["add_key", "keyctl", "request_key"],
        Medium,
        "the kernel's keyrings are not namespaced; CVE-2016-0728",
        DOCKER,
    ),
    call(
        &["perf_event_open", "lookup_dcookie"],
        Medium,
        "tells of the host; CVE-2013-2094",
        DOCKER,
    ),
    call(&["iopl", "ioperm"], High, "the machine's ports", DOCKER),
    call(
        &[
            "reboot",
            "swapon",
            "swapoff",
            "settimeofday",
            "clock_settime",
            "clock_adjtime",
            "adjtimex",
            "sethostname",
            "setdomainname",
            "acct",
            "quotactl",
            "syslog",
            "vhangup",
        ],
        Medium,
        "changes the host",
        DOCKER,
    ),
    when(
        &["socket", "socketpair"],
        (0, ALL, 38),
        High,
        "AF_ALG: the kernel's cryptography; CVE-2026-31431",
        "containers/oci-seccomp-bpf-hook pull 209",
    ),
    when(
        &["socket", "socketpair"],
        (0, ALL, 40),
        High,
        "AF_VSOCK: reaches the hypervisor's host past network namespaces",
        "moby/moby pull 44563",
    ),
    when(
        &["socket"],
        (0, ALL, 17),
        Medium,
        "AF_PACKET: raw frames; CVE-2017-7308, CVE-2020-14386",
        "packet(7)",
    ),
    when(
        &["socket"],
        (0, ALL, 16),
        Medium,
        "AF_NETLINK: nf_tables and its like; CVE-2022-32250, CVE-2024-1086",
        "netlink(7)",
    ),
    when(&["socket"], (1, 0xf, 3), Medium, "raw sockets", "raw(7)"),
    when(
        &["ioctl"],
        (1, ALL, 0x5412),
        High,
        "TIOCSTI: types into the terminal that started the container; CVE-2017-5226",
        "ioctl_tty(2); kernel sysctl dev.tty.legacy_tiocsti",
    ),
    when(&["ioctl"], (1, ALL, 0x541c), High, "TIOCLINUX: the console", "ioctl_console(2)"),
    when(
        &["mmap", "mmap2", "mprotect", "pkey_mprotect"],
        (2, 6, 6),
        Medium,
        "memory that is written and executed",
        "mprotect(2); systemd.exec(5), MemoryDenyWriteExecute",
    ),
    when(
        &["personality"],
        (0, 0x0004_0000, 0x0004_0000),
        Medium,
        "ADDR_NO_RANDOMIZE",
        "personality(2)",
    ),
    call(&["seccomp"], Level::Low, "narrows only", "seccomp(2)"),
    call(&["execve", "execveat", "memfd_create"], Medium, "starts programs", "execve(2)"),
    row(
        Kind::Capability,
        &[
            "CAP_SYS_ADMIN",
            "CAP_SYS_MODULE",
            "CAP_SYS_RAWIO",
            "CAP_SYS_PTRACE",
            "CAP_DAC_READ_SEARCH",
            "CAP_DAC_OVERRIDE",
            "CAP_BPF",
            "CAP_SYS_BOOT",
            "CAP_MAC_ADMIN",
            "CAP_MAC_OVERRIDE",
            "CAP_SETFCAP",
            "CAP_PERFMON",
            "CAP_CHECKPOINT_RESTORE",
        ],
        High,
        "near root's whole power",
        "capabilities(7), \"CAP_SYS_ADMIN is the new root\" and the notes to kernel developers; B. Spengler, False Boundaries and Arbitrary Code Execution, 2011",
    ),
    row(
        Kind::Capability,
        &[
            "CAP_NET_ADMIN",
            "CAP_NET_RAW",
            "CAP_SETUID",
            "CAP_SETGID",
            "CAP_SETPCAP",
            "CAP_CHOWN",
            "CAP_FOWNER",
            "CAP_MKNOD",
            "CAP_SYS_TIME",
            "CAP_SYSLOG",
            "CAP_AUDIT_CONTROL",
            "CAP_SYS_CHROOT",
            "CAP_LINUX_IMMUTABLE",
            "CAP_FSETID",
            "CAP_KILL",
        ],
        Medium,
        "a part of root's power that leads on",
        "capabilities(7); B. Spengler, False Boundaries and Arbitrary Code Execution, 2011",
    ),
    row(Kind::Program, &["*"], Medium, "another program may be run", "execve(2)"),
    row(
        Kind::Transition,
        &["*"],
        High,
        "another profile, or none, says what the program may do",
        "apparmor.d(5), Execute Mode",
    ),
];

/// The row that fits first. `gained` tells whether an argument can have some bits with this value only now.
pub(super) fn of(
    kind: Kind,
    name: &str,
    gained: impl Fn((u8, u32, u32)) -> bool,
) -> Option<&'static Risk> {
    TABLE.iter().filter(|row| row.kind == kind).find(|row| {
        let named = row.names.contains(&name) || row.names.contains(&"*");
        named && row.when.is_none_or(&gained)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer::abi::{Abi, calls, capabilities};

    #[test]
    fn rows_are_of_real_things_and_have_sources() {
        for row in TABLE {
            assert!(!row.because.is_empty() && row.source.len() > 4, "{row:?}");
            for name in row.names {
                let real = match row.kind {
                    Kind::Call => [Abi::X86_64, Abi::I386]
                        .iter()
                        .any(|abi| calls::number(*abi, name).is_some()),
                    Kind::Capability => capabilities::number(name).is_some(),
                    _ => true,
                };
                assert!(real, "{name}");
            }
        }
    }
}
