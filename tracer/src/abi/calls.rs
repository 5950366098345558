//! System calls by ABI, number and name.
//!
//! The names are those of the kernel's tables, as the `syscalls` crate generates them from
//! arch/x86/entry/syscalls/syscall_{64,32}.tbl and scripts/syscall.tbl; x32's own numbers, which that crate lacks, are
//! the rows of the 64-bit table with the ABI `x32`.

use super::{Abi, X32_BIT};

/// x32's own numbers: rows `x32` of
/// <https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/arch/x86/entry/syscalls/syscall_64.tbl>.
const X32_OWN: [(u32, &str); 36] = [
    (512, "rt_sigaction"),
    (513, "rt_sigreturn"),
    (514, "ioctl"),
    (515, "readv"),
    (516, "writev"),
    (517, "recvfrom"),
    (518, "sendmsg"),
    (519, "recvmsg"),
    (520, "execve"),
    (521, "ptrace"),
    (522, "rt_sigpending"),
    (523, "rt_sigtimedwait"),
    (524, "rt_sigqueueinfo"),
    (525, "sigaltstack"),
    (526, "timer_create"),
    (527, "mq_notify"),
    (528, "kexec_load"),
    (529, "waitid"),
    (530, "set_robust_list"),
    (531, "get_robust_list"),
    (532, "vmsplice"),
    (533, "move_pages"),
    (534, "preadv"),
    (535, "pwritev"),
    (536, "rt_tgsigqueueinfo"),
    (537, "recvmmsg"),
    (538, "sendmmsg"),
    (539, "process_vm_readv"),
    (540, "process_vm_writev"),
    (541, "setsockopt"),
    (542, "getsockopt"),
    (543, "io_setup"),
    (544, "io_submit"),
    (545, "execveat"),
    (546, "preadv2"),
    (547, "pwritev2"),
];

/// Rows `64` of the same table that x32 has no call of its own for: it does not have them at all.
const NOT_X32: [&str; 14] = [
    "_sysctl",
    "create_module",
    "epoll_ctl_old",
    "epoll_wait_old",
    "get_kernel_syms",
    "get_thread_area",
    "map_shadow_stack",
    "nfsservctl",
    "query_module",
    "set_thread_area",
    "uprobe",
    "uretprobe",
    "uselib",
    "vserver",
];

/// The call's name, or `None` for a number that the tables don't know.
pub fn name(abi: Abi, nr: u32) -> Option<&'static str> {
    let number = nr as usize;
    match abi {
        Abi::X86_64 => syscalls::x86_64::Sysno::new(number).map(|s| s.name()),
        Abi::I386 => syscalls::x86::Sysno::new(number).map(|s| s.name()),
        Abi::Aarch64 => syscalls::aarch64::Sysno::new(number).map(|s| s.name()),
        Abi::X32 => {
            let plain = nr & !X32_BIT;
            match X32_OWN.iter().find(|(own, _)| *own == plain) {
                Some((_, name)) => Some(name),
                None => syscalls::x86_64::Sysno::new(plain as usize)
                    .map(|s| s.name())
                    .filter(|name| is_of_x32(name)),
            }
        }
    }
}

/// The call's number, or `None` when the ABI has no call of that name.
pub fn number(abi: Abi, name: &str) -> Option<u32> {
    match abi {
        Abi::X86_64 => name.parse::<syscalls::x86_64::Sysno>().ok().map(|s| s as u32),
        Abi::I386 => name.parse::<syscalls::x86::Sysno>().ok().map(|s| s as u32),
        Abi::Aarch64 => name.parse::<syscalls::aarch64::Sysno>().ok().map(|s| s as u32),
        Abi::X32 => match X32_OWN.iter().find(|(_, own)| *own == name) {
            Some((own, _)) => Some(own | X32_BIT),
            None if !is_of_x32(name) => None,
            None => name.parse::<syscalls::x86_64::Sysno>().ok().map(|s| s as u32 | X32_BIT),
        },
    }
}

/// x32 has this call under the number of the 64-bit table.
fn is_of_x32(name: &str) -> bool {
    !NOT_X32.contains(&name) && X32_OWN.iter().all(|(_, own)| *own != name)
}

/// How many calls the tables know of an ABI.
pub fn known(abi: Abi) -> usize {
    match abi {
        Abi::X86_64 => syscalls::x86_64::Sysno::count(),
        Abi::I386 => syscalls::x86::Sysno::count(),
        Abi::Aarch64 => syscalls::aarch64::Sysno::count(),
        // Those that x32 numbers anew stand in both tables.
        Abi::X32 => syscalls::x86_64::Sysno::count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_abi_counts_for_itself() {
        assert_eq!(name(Abi::X86_64, 59), Some("execve"));
        assert_eq!(name(Abi::I386, 11), Some("execve"));
        assert_eq!(name(Abi::X32, 520 | X32_BIT), Some("execve"));
        assert_eq!(name(Abi::X32, 257 | X32_BIT), Some("openat"));
        assert_eq!(name(Abi::Aarch64, 221), Some("execve"));
        assert_eq!(name(Abi::X86_64, 9999), None);
        assert_eq!(name(Abi::I386, 102), Some("socketcall"));
    }

    #[test]
    fn names_lead_back_to_numbers() {
        for abi in [Abi::X86_64, Abi::I386, Abi::Aarch64] {
            for nr in 0..600 {
                if let Some(name) = name(abi, nr) {
                    assert_eq!(number(abi, name), Some(nr), "{abi} {name}");
                }
            }
        }
        assert_eq!(number(Abi::X32, "ioctl"), Some(514 | X32_BIT));
        assert_eq!(number(Abi::X32, "_sysctl"), None);
        assert_eq!(name(Abi::X32, 156 | X32_BIT), None);
        // The number of ioctl in the 64-bit table.
        assert_eq!(name(Abi::X32, 16 | X32_BIT), None);
        assert_eq!(number(Abi::X86_64, "no_such_call"), None);
    }
}
