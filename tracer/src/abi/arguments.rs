//! Which arguments of a call mean something to a filter: operations, flag words, families. Never descriptors, pointers,
//! sizes or process ids.
//!
//! All of them are 32-bit values for the kernel (`int`, `unsigned int`, or an `unsigned long` of which only low bits
//! are defined), and compilers leave garbage in a register's upper half; so they are recorded and compared in their low
//! 32 bits (libseccomp issue 383, firecracker issue 1206).

use super::Abi;

/// A call with meaningful arguments.
#[derive(Debug)]
pub struct CallArguments {
    /// The call's name, the same in every ABI that has it.
    pub name: &'static str,
    /// The arguments, by rising index.
    pub arguments: &'static [Argument],
    /// Where the meaning is documented.
    pub source: &'static str,
}

/// A meaningful argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its position, from 0.
    pub index: u8,
    /// Its name in the manual.
    pub name: &'static str,
    /// How its values relate to each other.
    pub shape: Shape,
    /// The bits that are kept.
    pub mask: u32,
}

/// How an argument's values relate to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each value is a thing of its own: an operation, a family.
    Value,
    /// A word of independent bits.
    Flags,
}

/// At most this many meaningful arguments has a call (room in the wire format).
pub const MOST: usize = 3;

/// The position that stands for a word in memory: behind those of the registers.
pub const IN_MEMORY: u8 = 6;

/// A word in memory, which a pointer among a call's arguments leads to: it can be seen, and no filter can limit it.
#[derive(Debug)]
pub struct InMemory {
    /// The call's name.
    pub name: &'static str,
    /// The position of the pointer.
    pub pointer: u8,
    /// Where behind it the word is, in bytes.
    pub offset: u8,
    /// The word, at [`IN_MEMORY`]; of a longer one the low half. It is 0 where the pointer leads nowhere.
    pub word: Argument,
    /// Where it is documented.
    pub source: &'static str,
}

/// So many different combinations a recorder keeps per program and call; more are [`crate::recording::Args::Many`]. See
/// [`only_flags`].
pub const BOUND: usize = 64;

const fn value(index: u8, name: &'static str) -> Argument {
    Argument { index, name, shape: Shape::Value, mask: u32::MAX }
}

const fn flags(index: u8, name: &'static str) -> Argument {
    Argument { index, name, shape: Shape::Flags, mask: u32::MAX }
}

const fn masked(index: u8, name: &'static str, mask: u32) -> Argument {
    Argument { index, name, shape: Shape::Value, mask }
}

/// Bits of a word of which the others mean nothing to a filter.
const fn bits(index: u8, name: &'static str, mask: u32) -> Argument {
    Argument { index, name, shape: Shape::Flags, mask }
}

/// `S_ISUID | S_ISGID` (inode(7)).
const SET_ID: u32 = 0o6000;
/// `S_IFMT` (inode(7)).
const FILE_TYPE: u32 = 0o170_000;

macro_rules! table {
    ($($name:literal: [$($argument:expr),+], $source:literal;)*) => {
        &[$(CallArguments { name: $name, arguments: &[$($argument),+], source: $source }),*]
    };
}

/// The table, sorted by name.
pub static TABLE: &[CallArguments] = table! {
    "arch_prctl": [value(0, "op")], "arch_prctl(2)";
    "bpf": [value(0, "cmd")], "bpf(2)";
    "chmod": [bits(1, "mode", SET_ID)], "chmod(2); who may read is for the file system to say, a set-id program is for a filter";
    "clock_adjtime": [value(0, "clk_id")], "clock_adjtime(2)";
    "clock_settime": [value(0, "clockid")], "clock_settime(2)";
    "clone": [flags(0, "flags")], "clone(2); the low byte is the exit signal";
    "epoll_ctl": [value(1, "op")], "epoll_ctl(2)";
    "execveat": [flags(4, "flags")], "execveat(2)";
    "fallocate": [flags(1, "mode")], "fallocate(2)";
    "fanotify_init": [flags(0, "flags")], "fanotify_init(2)";
    "fchmod": [bits(1, "mode", SET_ID)], "chmod(2)";
    "fchmodat": [bits(2, "mode", SET_ID)], "chmod(2)";
    "fchmodat2": [bits(2, "mode", SET_ID)], "chmod(2)";
    "fcntl": [value(1, "op")], "fcntl(2)";
    "fcntl64": [value(1, "op")], "fcntl(2)";
    "finit_module": [flags(2, "flags")], "init_module(2)";
    "flock": [flags(1, "op")], "flock(2)";
    "fsconfig": [value(1, "cmd")], "fsconfig(2)";
    "fsmount": [flags(1, "flags"), flags(2, "attr_flags")], "linux/mount.h";
    "fspick": [flags(2, "flags")], "linux/mount.h";
    "futex": [value(1, "futex_op")], "futex(2)";
    "futex_time64": [value(1, "futex_op")], "futex(2)";
    "getsockopt": [value(1, "level"), value(2, "optname")], "getsockopt(2)";
    "io_uring_enter": [flags(3, "flags")], "io_uring_enter(2)";
    "io_uring_register": [value(1, "opcode")], "io_uring_register(2)";
    "ioctl": [value(1, "op")], "ioctl(2); musl sign-extends it";
    "iopl": [value(0, "level")], "iopl(2)";
    "ioprio_set": [value(0, "which")], "ioprio_set(2)";
    "ipc": [masked(0, "call", 0xffff)], "ipc(2); the upper half is a version";
    "kcmp": [value(2, "type")], "kcmp(2)";
    "kexec_file_load": [flags(4, "flags")], "kexec_load(2)";
    "kexec_load": [flags(3, "flags")], "kexec_load(2)";
    "keyctl": [value(0, "operation")], "keyctl(2)";
    "kill": [value(1, "sig")], "kill(2)";
    "landlock_add_rule": [value(1, "rule_type")], "landlock_add_rule(2)";
    "landlock_create_ruleset": [flags(2, "flags")], "landlock_create_ruleset(2)";
    "landlock_restrict_self": [flags(1, "flags")], "landlock_restrict_self(2)";
    "madvise": [value(2, "advice")], "madvise(2)";
    "mbind": [value(2, "mode")], "mbind(2)";
    "membarrier": [value(0, "cmd")], "membarrier(2)";
    "memfd_create": [flags(1, "flags")], "memfd_create(2)";
    "memfd_secret": [flags(0, "flags")], "memfd_secret(2)";
    "mkdir": [bits(1, "mode", SET_ID)], "mkdir(2)";
    "mkdirat": [bits(2, "mode", SET_ID)], "mkdir(2)";
    "mknod": [masked(1, "mode", FILE_TYPE)], "mknod(2); which kind of file is made";
    "mknodat": [masked(2, "mode", FILE_TYPE)], "mknod(2)";
    "mlock2": [flags(2, "flags")], "mlock(2)";
    "mlockall": [flags(0, "flags")], "mlockall(2)";
    "mmap": [value(2, "prot"), flags(3, "flags")], "mmap(2)";
    "mmap2": [value(2, "prot"), flags(3, "flags")], "mmap2(2)";
    "modify_ldt": [value(0, "func")], "modify_ldt(2)";
    "mount": [flags(3, "mountflags")], "mount(2)";
    "mount_setattr": [flags(2, "flags")], "mount_setattr(2)";
    "move_mount": [flags(4, "flags")], "linux/mount.h";
    "mprotect": [value(2, "prot")], "mprotect(2); each set of rights is a value: W and X apart do not make W with X";
    "mremap": [flags(3, "flags")], "mremap(2)";
    "msgctl": [value(1, "op")], "msgctl(2)";
    "open": [flags(1, "flags")], "open(2)";
    "open_by_handle_at": [flags(2, "flags")], "open_by_handle_at(2)";
    "open_tree": [flags(2, "flags")], "linux/mount.h";
    "openat": [flags(2, "flags")], "open(2); the mode is garbage unless a file may be made";
    "perf_event_open": [flags(4, "flags")], "perf_event_open(2); the type is in memory";
    "personality": [value(0, "persona")], "personality(2)";
    "pidfd_open": [flags(1, "flags")], "pidfd_open(2)";
    "pidfd_send_signal": [value(1, "sig")], "pidfd_send_signal(2)";
    "pkey_mprotect": [value(2, "prot")], "pkey_mprotect(2)";
    "prctl": [value(0, "op")], "prctl(2)";
    "prlimit64": [value(1, "resource")], "prlimit(2)";
    "process_madvise": [value(3, "advice")], "process_madvise(2)";
    "ptrace": [value(0, "op")], "ptrace(2)";
    "quotactl": [value(0, "op")], "quotactl(2)";
    "quotactl_fd": [value(1, "cmd")], "quotactl(2)";
    "reboot": [value(2, "op")], "reboot(2)";
    "renameat2": [flags(4, "flags")], "rename(2)";
    "rt_sigqueueinfo": [value(1, "sig")], "rt_sigqueueinfo(2)";
    "rt_tgsigqueueinfo": [value(2, "sig")], "rt_sigqueueinfo(2)";
    "sched_setscheduler": [value(1, "policy")], "sched_setscheduler(2)";
    "seccomp": [value(0, "operation"), flags(1, "flags")], "seccomp(2)";
    "semctl": [value(2, "op")], "semctl(2)";
    "set_mempolicy": [value(0, "mode")], "set_mempolicy(2)";
    "setns": [flags(1, "nstype")], "setns(2)";
    "setpriority": [value(0, "which")], "getpriority(2)";
    "setrlimit": [value(0, "resource")], "setrlimit(2)";
    "setsockopt": [value(1, "level"), value(2, "optname")], "setsockopt(2)";
    "shmat": [flags(2, "shmflg")], "shmop(2); SHM_EXEC";
    "shmctl": [value(1, "op")], "shmctl(2)";
    "shmget": [bits(2, "shmflg", !0o777)], "shmget(2); without the mode";
    "socket": [value(0, "domain"), value(1, "type"), value(2, "protocol")], "socket(2); type carries SOCK_NONBLOCK and SOCK_CLOEXEC";
    "socketcall": [value(0, "call")], "socketcall(2)";
    "socketpair": [value(0, "domain"), value(1, "type"), value(2, "protocol")], "socketpair(2)";
    "splice": [flags(5, "flags")], "splice(2)";
    "swapon": [flags(1, "swapflags")], "swapon(2)";
    "syslog": [value(0, "type")], "syslog(2)";
    "tee": [flags(3, "flags")], "tee(2)";
    "tgkill": [value(2, "sig")], "tgkill(2)";
    "timer_create": [value(0, "clockid")], "timer_create(2)";
    "timerfd_create": [value(0, "clockid")], "timerfd_create(2)";
    "tkill": [value(1, "sig")], "tkill(2)";
    "umount2": [flags(1, "flags")], "umount(2)";
    "unlinkat": [flags(2, "flags")], "unlink(2)";
    "unshare": [flags(0, "flags")], "unshare(2)";
    "userfaultfd": [flags(0, "flags")], "userfaultfd(2)";
    "vmsplice": [flags(3, "flags")], "vmsplice(2)";
};

macro_rules! memory {
    ($($name:literal: $pointer:literal + $offset:literal, $word:expr, $source:literal;)*) => {
        &[$(InMemory { name: $name, pointer: $pointer, offset: $offset, word: $word, source: $source }),*]
    };
}

/// Words in memory that are recorded, sorted by call. The structures are the same in every ABI.
pub static WORDS: &[InMemory] = memory! {
    "clone3": 0 + 0, flags(IN_MEMORY, "flags"), "clone(2), struct clone_args";
    "io_uring_setup": 1 + 8, flags(IN_MEMORY, "flags"), "io_uring_setup(2), struct io_uring_params";
    "landlock_create_ruleset": 0 + 0, flags(IN_MEMORY, "handled_access_fs"), "landlock_create_ruleset(2), struct landlock_ruleset_attr";
    "mount_setattr": 3 + 0, flags(IN_MEMORY, "attr_set"), "mount_setattr(2), struct mount_attr";
    "openat2": 2 + 0, flags(IN_MEMORY, "flags"), "openat2(2), struct open_how";
    "perf_event_open": 0 + 0, value(IN_MEMORY, "type"), "perf_event_open(2), struct perf_event_attr";
    "sched_setattr": 1 + 4, value(IN_MEMORY, "sched_policy"), "sched_setattr(2), struct sched_attr";
};

/// The word in memory that is recorded of a call.
pub fn in_memory(name: &str) -> Option<&'static InMemory> {
    WORDS.binary_search_by_key(&name, |row| row.name).ok().map(|at| &WORDS[at])
}

/// What a call means and no filter can read, because it lies in memory: for whoever asks why a call is not limited.
pub static BEHIND_POINTERS: &[(&str, &str, &str)] = &[
    ("bind", "the address and port", "bind(2)"),
    ("clone3", "the flags, new namespaces among them", "clone(2), struct clone_args"),
    ("connect", "the address and port", "connect(2)"),
    ("execve", "the program", "execve(2)"),
    ("execveat", "the program", "execveat(2)"),
    ("io_uring_enter", "the operations, in shared memory", "io_uring_enter(2)"),
    ("io_uring_setup", "the flags", "io_uring_setup(2), struct io_uring_params"),
    ("landlock_create_ruleset", "the rights", "landlock_create_ruleset(2)"),
    ("mount", "the type of file system", "mount(2)"),
    ("mount_setattr", "the attributes", "mount_setattr(2), struct mount_attr"),
    ("openat2", "the flags", "openat2(2), struct open_how"),
    ("perf_event_open", "the type of event", "perf_event_open(2), struct perf_event_attr"),
    ("sched_setattr", "the policy", "sched_setattr(2), struct sched_attr"),
    ("sendmsg", "the address, and control messages", "sendmsg(2)"),
    ("sendto", "the address and port", "send(2)"),
    ("timer_create", "the signal", "timer_create(2), struct sigevent"),
];

/// What of a call lies in memory and means something, with its source.
pub fn behind_pointer(name: &str) -> Option<(&'static str, &'static str)> {
    let at = BEHIND_POINTERS.binary_search_by_key(&name, |row| row.0).ok()?;
    Some((BEHIND_POINTERS[at].1, BEHIND_POINTERS[at].2))
}

/// The meaningful arguments of a call; empty for a call that has none.
///
/// i386's own `mmap` (number 90, `old_mmap`) takes a pointer to its arguments, so nothing of it can be filtered
/// (`arch/x86/kernel/sys_ia32.c`).
pub fn of(abi: Abi, name: &str) -> &'static [Argument] {
    if abi == Abi::I386 && name == "mmap" {
        return &[];
    }
    TABLE.binary_search_by_key(&name, |row| row.name).map_or(&[], |at| TABLE[at].arguments)
}

/// What is recorded of a call: its meaningful arguments, and the word in memory behind them.
pub fn recorded(abi: Abi, name: &str) -> impl Iterator<Item = &'static Argument> {
    of(abi, name).iter().chain(in_memory(name).map(|row| &row.word))
}

/// All that is recorded of a call are words of independent bits: when there are more combinations than are kept, a recorder
/// keeps those that have a bit which none before had, so that the bits which were seen are known.
pub fn only_flags(abi: Abi, name: &str) -> bool {
    recorded(abi, name).next().is_some()
        && recorded(abi, name).all(|argument| argument.shape == Shape::Flags)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::calls;

    #[test]
    fn rows_are_sorted_bounded_and_of_real_calls() {
        assert!(TABLE.is_sorted_by(|a, b| a.name < b.name));
        for row in TABLE {
            assert!(row.arguments.len() <= MOST, "{}", row.name);
            assert!(row.arguments.is_sorted_by(|a, b| a.index < b.index), "{}", row.name);
            assert!(
                [Abi::X86_64, Abi::I386].iter().any(|abi| calls::number(*abi, row.name).is_some()),
                "{}",
                row.name
            );
        }
    }

    #[test]
    fn words_in_memory_have_room_and_a_reader_who_knows_that_no_filter_limits_them() {
        assert!(WORDS.is_sorted_by(|a, b| a.name < b.name));
        for row in WORDS {
            assert!(recorded(Abi::X86_64, row.name).count() <= MOST, "{}", row.name);
            assert!(behind_pointer(row.name).is_some() && row.source.contains('('), "{}", row.name);
            assert!(of(Abi::X86_64, row.name).iter().all(|argument| argument.index < IN_MEMORY));
            assert!(row.word.index == IN_MEMORY && row.pointer < IN_MEMORY);
        }
        assert!(only_flags(Abi::X86_64, "clone3") && !only_flags(Abi::X86_64, "perf_event_open"));
    }

    #[test]
    fn what_lies_in_memory_is_told_of_real_calls() {
        assert!(BEHIND_POINTERS.is_sorted_by(|a, b| a.0 < b.0));
        for (name, what, source) in BEHIND_POINTERS {
            assert!(calls::number(Abi::X86_64, name).is_some() && !what.is_empty(), "{name}");
            assert!(source.contains('('), "{name}");
        }
        assert!(behind_pointer("clone3").is_some() && behind_pointer("read").is_none());
    }

    #[test]
    fn meaning_depends_on_the_abi() {
        assert_eq!(of(Abi::X86_64, "mmap").len(), 2);
        assert!(of(Abi::I386, "mmap").is_empty());
        assert!(of(Abi::X86_64, "read").is_empty());
    }
}
