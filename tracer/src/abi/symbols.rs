//! Names of argument values, as data: for people who read a policy, a denial or an explanation.
//!
//! A name without a number is the constant of the C library's headers (and so of linux/*.h); one with a number is newer than
//! these or not among them. The last word of each row is the header or manual page that has the set.

use super::Abi;
use super::arguments::{self, Argument, Shape};

/// How the values of an argument are named.
#[derive(Debug)]
pub struct Symbols {
    /// Values of which the argument is one, within these bits.
    pub value_bits: u32,
    /// Their names.
    pub values: &'static [(&'static str, u32)],
    /// Bits that may be set besides.
    pub flags: &'static [(&'static str, u32)],
}

macro_rules! name {
    ($name:ident) => {
        // Low 32 bits, as the arguments are compared.
        (stringify!($name), (libc::$name as i64 & 0xffff_ffff).cast_unsigned() as u32)
    };
    ($name:ident $number:literal) => {
        (stringify!($name), $number)
    };
}

macro_rules! table {
    ($($call:literal $argument:literal: $bits:literal [$($value:ident $(= $v:literal)?)*]
       [$($flag:ident $(= $f:literal)?)*] $source:literal;)*) => {
        &[$(Row {
            call: $call,
            argument: $argument,
            symbols: Symbols {
                value_bits: $bits,
                values: &[$(name!($value $($v)?)),*],
                flags: &[$(name!($flag $($f)?)),*],
            },
            #[cfg(test)]
            source: $source,
        }),*]
    };
}

struct Row {
    call: &'static str,
    argument: u8,
    symbols: Symbols,
    #[cfg(test)]
    source: &'static str,
}

/// Arguments that have the names of another call's argument.
const SAME: [(&str, u8, &str, u8); 32] = [
    ("clone3", 6, "clone", 0),
    ("fchmod", 1, "chmod", 1),
    ("fchmodat", 2, "chmod", 1),
    ("fchmodat2", 2, "chmod", 1),
    ("fcntl64", 1, "fcntl", 1),
    ("futex_time64", 1, "futex", 1),
    ("getsockopt", 1, "setsockopt", 1),
    ("mkdir", 1, "chmod", 1),
    ("mkdirat", 2, "chmod", 1),
    ("mknodat", 2, "mknod", 1),
    ("mmap2", 2, "mmap", 2),
    ("mmap2", 3, "mmap", 3),
    ("mprotect", 2, "mmap", 2),
    ("open_by_handle_at", 2, "open", 1),
    ("openat", 2, "open", 1),
    ("openat2", 6, "open", 1),
    ("pidfd_send_signal", 1, "kill", 1),
    ("pkey_mprotect", 2, "mmap", 2),
    ("process_madvise", 3, "madvise", 2),
    ("rt_sigqueueinfo", 1, "kill", 1),
    ("rt_tgsigqueueinfo", 2, "kill", 1),
    ("sched_setattr", 6, "sched_setscheduler", 1),
    ("set_mempolicy", 0, "mbind", 2),
    ("setns", 1, "clone", 0),
    ("setrlimit", 0, "prlimit64", 1),
    ("socketpair", 0, "socket", 0),
    ("socketpair", 1, "socket", 1),
    ("tee", 3, "splice", 5),
    ("tgkill", 2, "kill", 1),
    ("tkill", 1, "kill", 1),
    ("unshare", 0, "clone", 0),
    ("vmsplice", 3, "splice", 5),
];

/// The names for an argument of a call; `None` where there are none.
pub fn of(call: &str, argument: u8) -> Option<&'static Symbols> {
    let (call, argument) = SAME
        .iter()
        .find(|(name, at, ..)| *name == call && *at == argument)
        .map_or((call, argument), |(_, _, other, at)| (*other, *at));
    TABLE.iter().find(|row| row.call == call && row.argument == argument).map(|row| &row.symbols)
}

/// A value by its names; what has none is left as a number.
pub fn spell(call: &str, argument: &Argument, value: u32) -> String {
    let number = |value: u32| match value {
        0..10 => value.to_string(),
        _ => format!("{value:#x}"),
    };
    let Some(symbols) = of(call, argument.index) else {
        return match argument.shape {
            Shape::Value if value < 0x1000 => value.to_string(),
            _ => number(value),
        };
    };
    let mut words = Vec::new();
    let mut rest = value;
    if symbols.value_bits != 0 {
        let kind = value & symbols.value_bits;
        rest &= !symbols.value_bits;
        match symbols.values.iter().find(|(_, known)| *known == kind) {
            Some((name, _)) => words.push((*name).to_owned()),
            // Nothing of a kind need not be said beside flags.
            None if kind == 0 && rest != 0 => {}
            None => words.push(number(kind)),
        }
    }
    for (name, bits) in symbols.flags.iter().filter(|(_, bits)| *bits != 0) {
        if rest & bits == *bits {
            words.push((*name).to_owned());
            rest &= !bits;
        }
    }
    if rest != 0 || words.is_empty() {
        words.push(number(rest));
    }
    words.join("|")
}

/// Bits by their names, each for itself: what a mask leaves open or forbids.
pub fn spell_bits(call: &str, argument: &Argument, bits: u32) -> String {
    let Some(symbols) = of(call, argument.index) else {
        return format!("{bits:#x}");
    };
    let kinds = bits & symbols.value_bits;
    let mut words: Vec<String> = (0..u32::BITS)
        .map(|at| 1 << at)
        .filter(|bit| kinds & bit != 0)
        .map(|bit| match symbols.values.iter().find(|(_, known)| *known == bit) {
            Some((name, _)) => (*name).to_owned(),
            None => format!("{bit:#x}"),
        })
        .collect();
    let mut rest = bits & !symbols.value_bits;
    for (name, known) in symbols.flags.iter().filter(|(_, known)| *known != 0) {
        if rest & known == *known {
            words.push((*name).to_owned());
            rest &= !known;
        }
    }
    if rest != 0 || words.is_empty() {
        words.push(format!("{rest:#x}"));
    }
    words.join("|")
}

/// The value that a text names: a number as C writes it, or names joined by `|`.
pub fn parse(call: &str, argument: &Argument, text: &str) -> Option<u32> {
    let word = |word: &str| {
        let number = match word.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => match word.strip_prefix('0').filter(|digits| !digits.is_empty()) {
                Some(digits) => u32::from_str_radix(digits, 8).ok(),
                None => word.parse().ok(),
            },
        };
        number.or_else(|| {
            let symbols = of(call, argument.index)?;
            symbols
                .values
                .iter()
                .chain(symbols.flags)
                .find(|(name, _)| *name == word)
                .map(|(_, value)| *value)
        })
    };
    text.split('|').try_fold(0, |value, part| Some(value | word(part)?))
}

/// The meaningful arguments that values of registers are, spelled. Of a word of which few bits mean something, as the set-id bits
/// of a mode, nothing is said when none of them is set.
pub fn spell_all(abi: Abi, call: &str, value: impl Fn(u8) -> u64) -> Vec<String> {
    arguments::of(abi, call)
        .iter()
        .filter_map(|argument| {
            let low = u32::try_from(value(argument.index) & 0xffff_ffff).unwrap_or_default();
            let value = low & argument.mask;
            let silent = argument.shape == Shape::Flags && argument.mask != u32::MAX && value == 0;
            (!silent).then(|| spell(call, argument, value))
        })
        .collect()
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the constants are of various types, and arguments are compared in 32 bits"
)]
#[rustfmt::skip]
static TABLE: &[Row] = table! {
    "arch_prctl" 0: 0xffff_ffff [ARCH_SET_GS = 0x1001 ARCH_SET_FS = 0x1002 ARCH_GET_FS = 0x1003 ARCH_GET_GS = 0x1004
        ARCH_GET_CPUID = 0x1011 ARCH_SET_CPUID = 0x1012 ARCH_GET_XCOMP_SUPP = 0x1021 ARCH_GET_XCOMP_PERM = 0x1022
        ARCH_REQ_XCOMP_PERM = 0x1023 ARCH_CET_STATUS = 0x3001 ARCH_SHSTK_ENABLE = 0x5001 ARCH_SHSTK_DISABLE = 0x5002
        ARCH_SHSTK_LOCK = 0x5003 ARCH_SHSTK_STATUS = 0x5005] [] "asm/prctl.h, arch_prctl(2)";
    "bpf" 0: 0xffff_ffff [BPF_MAP_CREATE = 0 BPF_MAP_LOOKUP_ELEM = 0x1 BPF_MAP_UPDATE_ELEM = 0x2
        BPF_MAP_DELETE_ELEM = 0x3 BPF_MAP_GET_NEXT_KEY = 0x4 BPF_PROG_LOAD = 0x5 BPF_OBJ_PIN = 0x6 BPF_OBJ_GET = 0x7
        BPF_PROG_ATTACH = 0x8 BPF_PROG_DETACH = 0x9 BPF_PROG_TEST_RUN = 0xa BPF_PROG_GET_NEXT_ID = 0xb
        BPF_MAP_GET_NEXT_ID = 0xc BPF_PROG_GET_FD_BY_ID = 0xd BPF_MAP_GET_FD_BY_ID = 0xe BPF_OBJ_GET_INFO_BY_FD = 0xf
        BPF_PROG_QUERY = 0x10 BPF_RAW_TRACEPOINT_OPEN = 0x11 BPF_BTF_LOAD = 0x12 BPF_BTF_GET_FD_BY_ID = 0x13
        BPF_TASK_FD_QUERY = 0x14 BPF_MAP_LOOKUP_AND_DELETE_ELEM = 0x15 BPF_MAP_FREEZE = 0x16 BPF_BTF_GET_NEXT_ID = 0x17
        BPF_MAP_LOOKUP_BATCH = 0x18 BPF_MAP_LOOKUP_AND_DELETE_BATCH = 0x19 BPF_MAP_UPDATE_BATCH = 0x1a
        BPF_MAP_DELETE_BATCH = 0x1b BPF_LINK_CREATE = 0x1c BPF_LINK_UPDATE = 0x1d BPF_LINK_GET_FD_BY_ID = 0x1e
        BPF_LINK_GET_NEXT_ID = 0x1f BPF_ENABLE_STATS = 0x20 BPF_ITER_CREATE = 0x21 BPF_LINK_DETACH = 0x22
        BPF_PROG_BIND_MAP = 0x23] [] "linux/bpf.h, bpf(2)";
    "chmod" 1: 0 [] [S_ISUID S_ISGID] "chmod(2)";
    "clone" 0: 0 [] [CLONE_VM CLONE_FS CLONE_FILES CLONE_SIGHAND CLONE_PIDFD CLONE_PTRACE CLONE_VFORK CLONE_PARENT
        CLONE_THREAD CLONE_NEWNS CLONE_SYSVSEM CLONE_SETTLS CLONE_PARENT_SETTID CLONE_CHILD_CLEARTID CLONE_UNTRACED
        CLONE_CHILD_SETTID CLONE_NEWCGROUP CLONE_NEWUTS CLONE_NEWIPC CLONE_NEWUSER CLONE_NEWPID CLONE_NEWNET CLONE_IO]
        "clone(2)";
    "epoll_ctl" 1: 0xffff_ffff [EPOLL_CTL_ADD EPOLL_CTL_DEL EPOLL_CTL_MOD] [] "epoll_ctl(2)";
    "execveat" 4: 0 [] [AT_SYMLINK_NOFOLLOW AT_EMPTY_PATH] "execveat(2)";
    "fallocate" 1: 0 [] [FALLOC_FL_KEEP_SIZE FALLOC_FL_PUNCH_HOLE FALLOC_FL_COLLAPSE_RANGE FALLOC_FL_ZERO_RANGE
        FALLOC_FL_INSERT_RANGE FALLOC_FL_UNSHARE_RANGE] "fallocate(2)";
    "fcntl" 1: 0xffff_ffff [F_DUPFD F_GETFD F_SETFD F_GETFL F_SETFL F_GETLK F_SETLK F_SETLKW F_SETOWN F_GETOWN
        F_SETSIG = 10 F_GETSIG = 11 F_SETOWN_EX = 15 F_GETOWN_EX = 16 F_OFD_GETLK F_OFD_SETLK F_OFD_SETLKW F_SETLEASE
        F_GETLEASE F_NOTIFY F_DUPFD_CLOEXEC F_SETPIPE_SZ F_GETPIPE_SZ F_ADD_SEALS F_GET_SEALS F_GET_RW_HINT = 0x40b
        F_SET_RW_HINT = 0x40c F_GET_FILE_RW_HINT = 0x40d F_SET_FILE_RW_HINT = 0x40e] [] "fcntl(2)";
    "finit_module" 2: 0 [] [MODULE_INIT_IGNORE_MODVERSIONS = 1 MODULE_INIT_IGNORE_VERMAGIC = 2
        MODULE_INIT_COMPRESSED_FILE = 4] "linux/module.h, finit_module(2)";
    "flock" 1: 0 [] [LOCK_SH LOCK_EX LOCK_NB LOCK_UN] "flock(2)";
    "fsconfig" 1: 0xffff_ffff [FSCONFIG_SET_FLAG = 0 FSCONFIG_SET_STRING = 0x1 FSCONFIG_SET_BINARY = 0x2
        FSCONFIG_SET_PATH = 0x3 FSCONFIG_SET_PATH_EMPTY = 0x4 FSCONFIG_SET_FD = 0x5 FSCONFIG_CMD_CREATE = 0x6
        FSCONFIG_CMD_RECONFIGURE = 0x7] [] "linux/mount.h";
    "futex" 1: 0x7f [FUTEX_WAIT FUTEX_WAKE FUTEX_FD FUTEX_REQUEUE FUTEX_CMP_REQUEUE FUTEX_WAKE_OP FUTEX_LOCK_PI
        FUTEX_UNLOCK_PI FUTEX_TRYLOCK_PI FUTEX_WAIT_BITSET FUTEX_WAKE_BITSET FUTEX_WAIT_REQUEUE_PI FUTEX_CMP_REQUEUE_PI
        FUTEX_LOCK_PI2 = 13] [FUTEX_PRIVATE_FLAG FUTEX_CLOCK_REALTIME] "futex(2)";
    "io_uring_enter" 3: 0 [] [IORING_ENTER_GETEVENTS = 0x1 IORING_ENTER_SQ_WAKEUP = 0x2 IORING_ENTER_SQ_WAIT = 0x4
        IORING_ENTER_EXT_ARG = 0x8 IORING_ENTER_REGISTERED_RING = 16] "linux/io_uring.h";
    "io_uring_register" 1: 0xffff_ffff [IORING_REGISTER_BUFFERS = 0 IORING_UNREGISTER_BUFFERS = 0x1
        IORING_REGISTER_FILES = 0x2 IORING_UNREGISTER_FILES = 0x3 IORING_REGISTER_EVENTFD = 0x4
        IORING_UNREGISTER_EVENTFD = 0x5 IORING_REGISTER_FILES_UPDATE = 0x6 IORING_REGISTER_EVENTFD_ASYNC = 0x7
        IORING_REGISTER_PROBE = 0x8 IORING_REGISTER_PERSONALITY = 0x9 IORING_UNREGISTER_PERSONALITY = 0xa
        IORING_REGISTER_RESTRICTIONS = 0xb IORING_REGISTER_ENABLE_RINGS = 0xc IORING_REGISTER_FILES2 = 0xd
        IORING_REGISTER_FILES_UPDATE2 = 0xe IORING_REGISTER_BUFFERS2 = 0xf IORING_REGISTER_BUFFERS_UPDATE = 0x10
        IORING_REGISTER_IOWQ_AFF = 0x11 IORING_UNREGISTER_IOWQ_AFF = 0x12 IORING_REGISTER_IOWQ_MAX_WORKERS = 0x13
        IORING_REGISTER_RING_FDS = 0x14 IORING_UNREGISTER_RING_FDS = 0x15 IORING_REGISTER_PBUF_RING = 0x16
        IORING_UNREGISTER_PBUF_RING = 0x17] [] "linux/io_uring.h";
    "io_uring_setup" 6: 0 [] [IORING_SETUP_IOPOLL = 0x1 IORING_SETUP_SQPOLL = 0x2 IORING_SETUP_SQ_AFF = 0x4
        IORING_SETUP_CQSIZE = 0x8 IORING_SETUP_CLAMP = 0x10 IORING_SETUP_ATTACH_WQ = 0x20 IORING_SETUP_R_DISABLED = 0x40
        IORING_SETUP_SUBMIT_ALL = 0x80 IORING_SETUP_COOP_TASKRUN = 0x100 IORING_SETUP_TASKRUN_FLAG = 0x200
        IORING_SETUP_SQE128 = 0x400 IORING_SETUP_CQE32 = 0x800 IORING_SETUP_SINGLE_ISSUER = 0x1000
        IORING_SETUP_DEFER_TASKRUN = 0x2000 IORING_SETUP_NO_MMAP = 0x4000 IORING_SETUP_REGISTERED_FD_ONLY = 0x8000
        IORING_SETUP_NO_SQARRAY = 0x1_0000] "linux/io_uring.h";
    "ioctl" 1: 0xffff_ffff [TCGETS TCSETS TCSETSW TCSETSF TCGETA TCSETA TCSBRK TCXONC TCFLSH TIOCEXCL TIOCNXCL TIOCSCTTY
        TIOCGPGRP TIOCSPGRP TIOCOUTQ TIOCSTI TIOCGWINSZ TIOCSWINSZ TIOCMGET TIOCLINUX TIOCCONS FIONREAD FIONBIO
        TIOCNOTTY TIOCSETD TIOCGETD TIOCGSID TIOCGPTN TIOCSPTLCK TIOCGPTPEER FIONCLEX FIOCLEX FIOASYNC FICLONE
        FICLONERANGE FIDEDUPERANGE = 0xc0189436 FS_IOC_GETFLAGS FS_IOC_SETFLAGS FS_IOC_FIEMAP = 0xc020660b
        BLKGETSIZE64 = 0x80081272 SIOCGIFCONF SIOCGIFFLAGS SIOCSIFFLAGS SIOCGIFADDR SIOCGIFHWADDR SIOCGIFINDEX
        SIOCGIFNAME SIOCETHTOOL SIOCADDRT SIOCOUTQNSD = 0x894b TUNSETIFF PERF_EVENT_IOC_ENABLE = 0x2400
        PERF_EVENT_IOC_DISABLE = 0x2401 USERFAULTFD_API = 0xc018aa3f] [] "ioctl_tty(2), ioctl(2), asm-generic/ioctls.h,
        linux/sockios.h, linux/fs.h";
    "ioprio_set" 0: 0xffff_ffff [IOPRIO_WHO_PROCESS = 0x1 IOPRIO_WHO_PGRP = 0x2 IOPRIO_WHO_USER = 0x3] []
        "linux/ioprio.h, ioprio_set(2)";
    "ipc" 0: 0xffff_ffff [SEMOP = 1 SEMGET = 2 SEMCTL = 3 SEMTIMEDOP = 4 MSGSND = 11 MSGRCV = 12 MSGGET = 13 MSGCTL = 14
        SHMAT = 21 SHMDT = 22 SHMGET = 23 SHMCTL = 24] [] "linux/ipc.h";
    "kcmp" 2: 0xffff_ffff [KCMP_FILE = 0 KCMP_VM = 0x1 KCMP_FILES = 0x2 KCMP_FS = 0x3 KCMP_SIGHAND = 0x4 KCMP_IO = 0x5
        KCMP_SYSVSEM = 0x6 KCMP_EPOLL_TFD = 0x7] [] "linux/kcmp.h, kcmp(2)";
    "kexec_file_load" 4: 0 [] [KEXEC_FILE_UNLOAD KEXEC_FILE_ON_CRASH KEXEC_FILE_NO_INITRAMFS] "linux/kexec.h,
        kexec_load(2)";
    "keyctl" 0: 0xffff_ffff [KEYCTL_GET_KEYRING_ID KEYCTL_JOIN_SESSION_KEYRING KEYCTL_UPDATE KEYCTL_REVOKE KEYCTL_CHOWN
        KEYCTL_SETPERM KEYCTL_DESCRIBE KEYCTL_CLEAR KEYCTL_LINK KEYCTL_UNLINK KEYCTL_SEARCH KEYCTL_READ
        KEYCTL_INSTANTIATE KEYCTL_NEGATE KEYCTL_SET_REQKEY_KEYRING KEYCTL_SET_TIMEOUT KEYCTL_ASSUME_AUTHORITY
        KEYCTL_GET_SECURITY KEYCTL_SESSION_TO_PARENT KEYCTL_REJECT KEYCTL_INSTANTIATE_IOV KEYCTL_INVALIDATE
        KEYCTL_GET_PERSISTENT KEYCTL_DH_COMPUTE KEYCTL_PKEY_QUERY KEYCTL_PKEY_ENCRYPT KEYCTL_PKEY_DECRYPT
        KEYCTL_PKEY_SIGN KEYCTL_PKEY_VERIFY KEYCTL_RESTRICT_KEYRING KEYCTL_MOVE KEYCTL_CAPABILITIES
        KEYCTL_WATCH_KEY = 0x20] [] "linux/keyctl.h, keyctl(2)";
    "kill" 1: 0xffff_ffff [SIGHUP SIGINT SIGQUIT SIGILL SIGTRAP SIGABRT SIGBUS SIGFPE SIGKILL SIGUSR1 SIGSEGV SIGUSR2
        SIGPIPE SIGALRM SIGTERM SIGSTKFLT SIGCHLD SIGCONT SIGSTOP SIGTSTP SIGTTIN SIGTTOU SIGURG SIGXCPU SIGXFSZ
        SIGVTALRM SIGPROF SIGWINCH SIGIO SIGPWR SIGSYS] [] "signal(7)";
    "landlock_add_rule" 1: 0xffff_ffff [LANDLOCK_RULE_PATH_BENEATH = 0x1 LANDLOCK_RULE_NET_PORT = 2] []
        "linux/landlock.h";
    "landlock_create_ruleset" 2: 0 [] [LANDLOCK_CREATE_RULESET_VERSION = 0x1] "linux/landlock.h";
    "landlock_create_ruleset" 6: 0 [] [LANDLOCK_ACCESS_FS_EXECUTE = 0x1 LANDLOCK_ACCESS_FS_WRITE_FILE = 0x2
        LANDLOCK_ACCESS_FS_READ_FILE = 0x4 LANDLOCK_ACCESS_FS_READ_DIR = 0x8 LANDLOCK_ACCESS_FS_REMOVE_DIR = 0x10
        LANDLOCK_ACCESS_FS_REMOVE_FILE = 0x20 LANDLOCK_ACCESS_FS_MAKE_CHAR = 0x40 LANDLOCK_ACCESS_FS_MAKE_DIR = 0x80
        LANDLOCK_ACCESS_FS_MAKE_REG = 0x100 LANDLOCK_ACCESS_FS_MAKE_SOCK = 0x200 LANDLOCK_ACCESS_FS_MAKE_FIFO = 0x400
        LANDLOCK_ACCESS_FS_MAKE_BLOCK = 0x800 LANDLOCK_ACCESS_FS_MAKE_SYM = 0x1000 LANDLOCK_ACCESS_FS_REFER = 0x2000
        LANDLOCK_ACCESS_FS_TRUNCATE = 0x4000 LANDLOCK_ACCESS_FS_IOCTL_DEV = 0x8000] "linux/landlock.h";
    "madvise" 2: 0xffff_ffff [MADV_NORMAL MADV_RANDOM MADV_SEQUENTIAL MADV_WILLNEED MADV_DONTNEED MADV_FREE MADV_REMOVE
        MADV_DONTFORK MADV_DOFORK MADV_MERGEABLE MADV_UNMERGEABLE MADV_HUGEPAGE MADV_NOHUGEPAGE MADV_DONTDUMP
        MADV_DODUMP MADV_WIPEONFORK MADV_KEEPONFORK MADV_COLD MADV_PAGEOUT MADV_POPULATE_READ MADV_POPULATE_WRITE
        MADV_COLLAPSE = 25 MADV_HWPOISON MADV_SOFT_OFFLINE MADV_GUARD_INSTALL = 102 MADV_GUARD_REMOVE = 103] []
        "madvise(2)";
    "mbind" 2: 0xff [MPOL_DEFAULT MPOL_PREFERRED MPOL_BIND MPOL_INTERLEAVE MPOL_LOCAL MPOL_PREFERRED_MANY = 5]
        [MPOL_F_STATIC_NODES MPOL_F_RELATIVE_NODES MPOL_F_NUMA_BALANCING] "linux/mempolicy.h, mbind(2)";
    "membarrier" 0: 0xffff_ffff [MEMBARRIER_CMD_QUERY MEMBARRIER_CMD_GLOBAL MEMBARRIER_CMD_GLOBAL_EXPEDITED
        MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED MEMBARRIER_CMD_PRIVATE_EXPEDITED
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ
        MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ] [] "membarrier(2)";
    "memfd_create" 1: 0 [] [MFD_CLOEXEC MFD_ALLOW_SEALING MFD_HUGETLB MFD_NOEXEC_SEAL = 8 MFD_EXEC = 16]
        "memfd_create(2)";
    "mknod" 1: 0o170000 [S_IFIFO S_IFCHR S_IFDIR S_IFBLK S_IFREG S_IFSOCK] [] "mknod(2)";
    "mlock2" 2: 0 [] [MLOCK_ONFAULT] "mlock(2)";
    "mlockall" 0: 0 [] [MCL_CURRENT MCL_FUTURE MCL_ONFAULT] "mlockall(2)";
    "mmap" 2: 0 [] [PROT_READ PROT_WRITE PROT_EXEC PROT_GROWSDOWN PROT_GROWSUP] "mmap(2), mprotect(2)";
    "mmap" 3: 0xf [MAP_SHARED MAP_PRIVATE MAP_SHARED_VALIDATE] [MAP_FIXED MAP_ANONYMOUS MAP_32BIT = 0x40 MAP_GROWSDOWN
        MAP_DENYWRITE MAP_EXECUTABLE MAP_LOCKED MAP_NORESERVE MAP_POPULATE MAP_NONBLOCK MAP_STACK MAP_HUGETLB MAP_SYNC
        MAP_FIXED_NOREPLACE] "mmap(2)";
    "modify_ldt" 0: 0xffff_ffff [READ_LDT = 0 WRITE_LDT_OLD = 1 READ_DEFAULT_LDT = 2 WRITE_LDT = 0x11] []
        "modify_ldt(2)";
    "mount" 3: 0 [] [MS_RDONLY MS_NOSUID MS_NODEV MS_NOEXEC MS_SYNCHRONOUS MS_REMOUNT MS_MANDLOCK MS_DIRSYNC
        MS_NOSYMFOLLOW = 256 MS_NOATIME MS_NODIRATIME MS_BIND MS_MOVE MS_REC MS_SILENT MS_POSIXACL MS_UNBINDABLE
        MS_PRIVATE MS_SLAVE MS_SHARED MS_RELATIME MS_I_VERSION MS_STRICTATIME MS_LAZYTIME] "mount(2)";
    "mount_setattr" 6: 0 [] [MOUNT_ATTR_RDONLY = 0x1 MOUNT_ATTR_NOSUID = 0x2 MOUNT_ATTR_NODEV = 0x4 MOUNT_ATTR_NOEXEC = 0x8
        MOUNT_ATTR_NOATIME = 0x10 MOUNT_ATTR_STRICTATIME = 0x20 MOUNT_ATTR_NODIRATIME = 0x80 MOUNT_ATTR_IDMAP = 0x10_0000
        MOUNT_ATTR_NOSYMFOLLOW = 0x20_0000] "linux/mount.h";
    "move_mount" 4: 0 [] [MOVE_MOUNT_F_SYMLINKS MOVE_MOUNT_F_AUTOMOUNTS MOVE_MOUNT_F_EMPTY_PATH MOVE_MOUNT_T_SYMLINKS
        MOVE_MOUNT_T_AUTOMOUNTS MOVE_MOUNT_T_EMPTY_PATH MOVE_MOUNT_SET_GROUP MOVE_MOUNT_BENEATH = 0x200]
        "linux/mount.h";
    "mremap" 3: 0 [] [MREMAP_MAYMOVE MREMAP_FIXED MREMAP_DONTUNMAP] "mremap(2)";
    "msgctl" 1: 0xff [IPC_RMID IPC_SET IPC_STAT IPC_INFO MSG_STAT MSG_INFO MSG_STAT_ANY = 13] [IPC_64 = 0x100]
        "msgctl(2), linux/ipc.h";
    "open" 1: 0o3 [O_RDONLY O_WRONLY O_RDWR] [O_CREAT O_EXCL O_NOCTTY O_TRUNC O_APPEND O_NONBLOCK O_SYNC = 0x101000
        O_DSYNC O_ASYNC O_DIRECT O_LARGEFILE = 0x8000 O_TMPFILE O_DIRECTORY O_NOFOLLOW O_NOATIME O_CLOEXEC O_PATH]
        "open(2), asm-generic/fcntl.h";
    "open_tree" 2: 0 [] [OPEN_TREE_CLONE OPEN_TREE_CLOEXEC AT_RECURSIVE AT_EMPTY_PATH AT_NO_AUTOMOUNT
        AT_SYMLINK_NOFOLLOW] "linux/mount.h";
    "perf_event_open" 4: 0 [] [PERF_FLAG_FD_NO_GROUP = 0x1 PERF_FLAG_FD_OUTPUT = 0x2 PERF_FLAG_PID_CGROUP = 0x4
        PERF_FLAG_FD_CLOEXEC = 0x8] "perf_event_open(2)";
    "perf_event_open" 6: 0xffff_ffff [PERF_TYPE_HARDWARE = 0 PERF_TYPE_SOFTWARE = 0x1 PERF_TYPE_TRACEPOINT = 0x2
        PERF_TYPE_HW_CACHE = 0x3 PERF_TYPE_RAW = 0x4 PERF_TYPE_BREAKPOINT = 0x5] [] "linux/perf_event.h";
    "personality" 0: 0xff [PER_LINUX = 0 PER_LINUX32 = 0x8 PER_BSD = 0x6] [UNAME26 ADDR_NO_RANDOMIZE FDPIC_FUNCPTRS
        MMAP_PAGE_ZERO ADDR_COMPAT_LAYOUT READ_IMPLIES_EXEC ADDR_LIMIT_32BIT SHORT_INODE WHOLE_SECONDS STICKY_TIMEOUTS
        ADDR_LIMIT_3GB] "linux/personality.h, personality(2)";
    "prctl" 0: 0xffff_ffff [PR_SET_PDEATHSIG PR_GET_PDEATHSIG PR_GET_DUMPABLE PR_SET_DUMPABLE PR_GET_KEEPCAPS
        PR_SET_KEEPCAPS PR_SET_TIMING PR_GET_TIMING PR_SET_NAME PR_GET_NAME PR_GET_SECCOMP PR_SET_SECCOMP
        PR_CAPBSET_READ PR_CAPBSET_DROP PR_GET_TSC PR_SET_TSC PR_GET_SECUREBITS PR_SET_SECUREBITS PR_SET_TIMERSLACK
        PR_GET_TIMERSLACK PR_MCE_KILL PR_MCE_KILL_GET PR_SET_MM PR_SET_CHILD_SUBREAPER PR_GET_CHILD_SUBREAPER
        PR_SET_NO_NEW_PRIVS PR_GET_NO_NEW_PRIVS PR_GET_TID_ADDRESS PR_SET_THP_DISABLE PR_GET_THP_DISABLE PR_CAP_AMBIENT
        PR_GET_SPECULATION_CTRL PR_SET_SPECULATION_CTRL PR_SET_IO_FLUSHER = 57 PR_SET_SYSCALL_USER_DISPATCH = 59
        PR_SCHED_CORE PR_SET_MDWE = 65 PR_GET_MDWE = 66 PR_SET_MEMORY_MERGE = 67 PR_GET_MEMORY_MERGE = 68 PR_SET_PTRACER
        PR_SET_VMA] [] "linux/prctl.h, prctl(2)";
    "prlimit64" 1: 0xffff_ffff [RLIMIT_CPU RLIMIT_FSIZE RLIMIT_DATA RLIMIT_STACK RLIMIT_CORE RLIMIT_RSS RLIMIT_NPROC
        RLIMIT_NOFILE RLIMIT_MEMLOCK RLIMIT_AS RLIMIT_LOCKS RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO
        RLIMIT_RTTIME] [] "getrlimit(2)";
    "ptrace" 0: 0xffff_ffff [PTRACE_TRACEME PTRACE_PEEKTEXT PTRACE_PEEKDATA PTRACE_PEEKUSER PTRACE_POKETEXT
        PTRACE_POKEDATA PTRACE_POKEUSER PTRACE_CONT PTRACE_KILL PTRACE_SINGLESTEP PTRACE_GETREGS PTRACE_SETREGS
        PTRACE_GETFPREGS PTRACE_SETFPREGS PTRACE_ATTACH PTRACE_DETACH PTRACE_SYSCALL PTRACE_SETOPTIONS
        PTRACE_GETEVENTMSG PTRACE_GETSIGINFO PTRACE_SETSIGINFO PTRACE_GETREGSET PTRACE_SETREGSET PTRACE_SEIZE
        PTRACE_INTERRUPT PTRACE_LISTEN PTRACE_PEEKSIGINFO PTRACE_GET_SYSCALL_INFO] [] "linux/ptrace.h, ptrace(2)";
    "quotactl" 0: 0xffff_ffff [] [] "quotactl(2)";
    "reboot" 2: 0xffff_ffff [LINUX_REBOOT_CMD_RESTART LINUX_REBOOT_CMD_HALT LINUX_REBOOT_CMD_CAD_ON
        LINUX_REBOOT_CMD_CAD_OFF LINUX_REBOOT_CMD_POWER_OFF LINUX_REBOOT_CMD_RESTART2 LINUX_REBOOT_CMD_SW_SUSPEND
        LINUX_REBOOT_CMD_KEXEC] [] "linux/reboot.h, reboot(2)";
    "renameat2" 4: 0 [] [RENAME_NOREPLACE RENAME_EXCHANGE RENAME_WHITEOUT] "rename(2)";
    "sched_setscheduler" 1: 0xffff [SCHED_OTHER SCHED_FIFO SCHED_RR SCHED_BATCH SCHED_IDLE SCHED_DEADLINE = 6]
        [SCHED_RESET_ON_FORK] "sched(7)";
    "seccomp" 0: 0xffff_ffff [SECCOMP_SET_MODE_STRICT SECCOMP_SET_MODE_FILTER SECCOMP_GET_ACTION_AVAIL
        SECCOMP_GET_NOTIF_SIZES] [] "seccomp(2)";
    "seccomp" 1: 0 [] [SECCOMP_FILTER_FLAG_TSYNC SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW
        SECCOMP_FILTER_FLAG_NEW_LISTENER SECCOMP_FILTER_FLAG_TSYNC_ESRCH SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV]
        "seccomp(2)";
    "semctl" 2: 0xff [IPC_RMID IPC_SET IPC_STAT IPC_INFO GETPID GETVAL GETALL GETNCNT GETZCNT SETVAL SETALL SEM_STAT
        SEM_INFO SEM_STAT_ANY = 20] [IPC_64 = 0x100] "semctl(2), linux/ipc.h";
    "setpriority" 0: 0xffff_ffff [PRIO_PROCESS PRIO_PGRP PRIO_USER] [] "getpriority(2)";
    "setsockopt" 1: 0xffff_ffff [SOL_SOCKET IPPROTO_IP IPPROTO_TCP IPPROTO_UDP IPPROTO_IPV6 IPPROTO_ICMPV6
        IPPROTO_SCTP IPPROTO_RAW SOL_PACKET SOL_NETLINK SOL_ALG SOL_TLS = 282 SOL_XDP = 283] [] "socket(7),
        netinet/in.h";
    "shmat" 2: 0 [] [SHM_RDONLY SHM_RND SHM_REMAP SHM_EXEC] "shmop(2)";
    "shmctl" 1: 0xff [IPC_RMID IPC_SET IPC_STAT IPC_INFO SHM_LOCK SHM_UNLOCK SHM_STAT = 0xd SHM_INFO = 0xe
        SHM_STAT_ANY = 15] [IPC_64 = 0x100] "shmctl(2), linux/ipc.h";
    "shmget" 2: 0 [] [IPC_CREAT IPC_EXCL SHM_HUGETLB SHM_NORESERVE] "shmget(2)";
    "socket" 0: 0xffff_ffff [AF_UNSPEC AF_UNIX AF_INET AF_AX25 AF_IPX AF_APPLETALK AF_NETROM AF_BRIDGE AF_ATMPVC AF_X25
        AF_INET6 AF_ROSE AF_DECnet AF_NETBEUI AF_SECURITY AF_KEY AF_NETLINK AF_PACKET AF_ASH AF_ECONET AF_ATMSVC AF_RDS
        AF_SNA AF_IRDA AF_PPPOX AF_WANPIPE AF_LLC AF_IB AF_MPLS AF_CAN AF_TIPC AF_BLUETOOTH AF_IUCV AF_RXRPC AF_ISDN
        AF_PHONET AF_IEEE802154 AF_CAIF AF_ALG AF_NFC AF_VSOCK AF_KCM = 41 AF_QIPCRTR = 42 AF_SMC = 43 AF_XDP
        AF_MCTP = 45] [] "address_families(7), linux/socket.h";
    "socket" 1: 0xf [SOCK_STREAM SOCK_DGRAM SOCK_RAW SOCK_RDM SOCK_SEQPACKET SOCK_DCCP SOCK_PACKET = 10] [SOCK_CLOEXEC
        SOCK_NONBLOCK] "socket(2)";
    "socketcall" 0: 0xffff_ffff [SYS_SOCKET = 0x1 SYS_BIND = 0x2 SYS_CONNECT = 0x3 SYS_LISTEN = 0x4 SYS_ACCEPT = 0x5
        SYS_GETSOCKNAME = 0x6 SYS_GETPEERNAME = 0x7 SYS_SOCKETPAIR = 0x8 SYS_SEND = 0x9 SYS_RECV = 0xa SYS_SENDTO = 0xb
        SYS_RECVFROM = 0xc SYS_SHUTDOWN = 0xd SYS_SETSOCKOPT = 0xe SYS_GETSOCKOPT = 0xf SYS_SENDMSG = 0x10
        SYS_RECVMSG = 0x11 SYS_ACCEPT4 = 18 SYS_RECVMMSG = 0x13 SYS_SENDMMSG = 0x14] [] "linux/net.h, socketcall(2)";
    "splice" 5: 0 [] [SPLICE_F_MOVE SPLICE_F_NONBLOCK SPLICE_F_MORE SPLICE_F_GIFT] "splice(2)";
    "syslog" 0: 0xffff_ffff [SYSLOG_ACTION_CLOSE = 0 SYSLOG_ACTION_OPEN = 1 SYSLOG_ACTION_READ = 2
        SYSLOG_ACTION_READ_ALL = 3 SYSLOG_ACTION_READ_CLEAR = 4 SYSLOG_ACTION_CLEAR = 5 SYSLOG_ACTION_CONSOLE_OFF = 6
        SYSLOG_ACTION_CONSOLE_ON = 7 SYSLOG_ACTION_CONSOLE_LEVEL = 8 SYSLOG_ACTION_SIZE_UNREAD = 9
        SYSLOG_ACTION_SIZE_BUFFER = 10] [] "syslog(2)";
    "umount2" 1: 0 [] [MNT_FORCE MNT_DETACH MNT_EXPIRE UMOUNT_NOFOLLOW] "umount(2)";
    "unlinkat" 2: 0 [] [AT_REMOVEDIR] "unlink(2)";
    "userfaultfd" 0: 0 [] [O_CLOEXEC O_NONBLOCK UFFD_USER_MODE_ONLY = 0x1] "userfaultfd(2)";
};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An argument that is recorded.
    fn argument(call: &str, at: u8) -> &'static Argument {
        let abi = [Abi::X86_64, Abi::I386].into_iter();
        let mut all = abi.flat_map(|abi| arguments::recorded(abi, call));
        all.find(|argument| argument.index == at).unwrap_or_else(|| panic!("{call} {at}"))
    }

    #[test]
    fn rows_are_of_meaningful_arguments_and_hold_each_value_once() {
        assert!(TABLE.is_sorted_by(|a, b| (a.call, a.argument) < (b.call, b.argument)));
        for row in TABLE {
            let argument = argument(row.call, row.argument);
            // Where values are named, the mask must leave room for what the recorder calls one. Rights to memory are
            // named one by one, though each set of them is a value.
            let one = argument.shape == Shape::Value && argument.name != "prot";
            assert!(!one || row.symbols.value_bits != 0, "{}", row.call);
            assert!(row.source.contains('(') || row.source.contains(".h"), "{}", row.call);
            let mut values: Vec<u32> =
                row.symbols.values.iter().chain(row.symbols.flags).map(|(_, v)| *v).collect();
            let all = values.len();
            values.sort_unstable();
            values.dedup();
            assert_eq!(values.len(), all, "{} {}", row.call, row.argument);
            for (name, value) in row.symbols.values {
                assert_eq!(value & !row.symbols.value_bits, 0, "{} {name}", row.call);
            }
        }
    }

    #[test]
    fn what_has_the_names_of_another_is_an_argument_too() {
        assert!(SAME.is_sorted());
        for (call, at, other, there) in SAME {
            argument(call, at);
            assert!(of(other, there).is_some(), "{call}");
        }
    }

    #[test]
    fn bits_are_named_each_for_itself() {
        let argument = |call: &str, at: usize| &arguments::of(Abi::X86_64, call)[at];
        let bits = |call, at, bits| spell_bits(call, argument(call, at), bits);
        assert_eq!(bits("mmap", 1, 0x23), "MAP_SHARED|MAP_PRIVATE|MAP_ANONYMOUS");
        assert_eq!(bits("openat", 0, 0o103), "O_WRONLY|O_RDWR|O_CREAT");
        assert_eq!(bits("clone", 0, 0x1000_0011), "CLONE_NEWUSER|0x11");
        assert_eq!(bits("mount", 0, 0), "0x0");
    }

    proptest! {
        #[test]
        fn what_is_spelled_is_read_back(at in 0..arguments::TABLE.len(), value in any::<u32>(), small in 0..64_u32) {
            let row = &arguments::TABLE[at];
            for argument in row.arguments {
                for value in [value & argument.mask, small & argument.mask] {
                    let text = spell(row.name, argument, value);
                    prop_assert_eq!(parse(row.name, argument, &text), Some(value), "{}", text);
                }
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,12}") {
            let _ = parse("socket", &arguments::TABLE[0].arguments[0], &text);
        }
    }
}
