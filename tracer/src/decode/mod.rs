//! A system call and its result → facts. Shared by every backend that sees calls, so that they tell one truth.

pub mod capabilities;
pub mod credentials;
pub mod exec;
pub mod files;
pub mod resolve;
pub mod sockets;

use std::collections::BTreeMap;

use crate::abi::{Abi, arguments, calls, errno};
use crate::recording::{Args, Seen, What};

/// A call, with its result once it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The calling convention.
    pub abi: Abi,
    /// The number, as the ABI counts.
    pub nr: u32,
    /// The registers.
    pub args: [u64; 6],
    /// What it returned; `None` for a call that never did.
    pub result: Option<i64>,
}

impl Call {
    /// The call's name.
    pub fn name(&self) -> Option<&'static str> {
        calls::name(self.abi, self.nr)
    }

    /// It returned without an error.
    pub fn succeeded(&self) -> bool {
        self.result.is_some_and(|r| !(-4095..0).contains(&r))
    }

    /// The argument values that mean something; `word` is the one in memory, if the call has one and it was read.
    pub fn meaningful(&self, word: Option<u32>) -> Option<Args> {
        let values: BTreeMap<u8, u64> = arguments::recorded(self.abi, self.name()?)
            .filter_map(|argument| {
                let register = self.args.get(usize::from(argument.index)).copied();
                Some((argument.index, register.or(word.map(u64::from))? & u64::from(argument.mask)))
            })
            .collect();
        (!values.is_empty()).then_some(Args::Values(Box::new(values)))
    }

    /// The word in memory that means something; `read` reads the caller's memory.
    pub fn word(&self, read: impl FnOnce(u64, usize) -> Option<Vec<u8>>) -> Option<u32> {
        let row = arguments::in_memory(self.name()?)?;
        let address = self.args[usize::from(row.pointer)].wrapping_add(u64::from(row.offset));
        let bytes = read(address, size_of::<u32>()).and_then(|bytes| bytes.try_into().ok());
        Some(u32::from_ne_bytes(bytes.unwrap_or_default()))
    }

    /// The fact of the call.
    pub fn fact(&self) -> What {
        What::Call {
            abi: self.abi,
            nr: self.nr,
            name: self.name().map(Box::from),
            args: self.meaningful(None),
        }
    }
}

/// The low 32 bits of a register: all that a 32-bit argument has.
pub fn low(register: u64) -> u32 {
    let [a, b, c, d, ..] = register.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// How a result is named in evidence: `ok` or the errno's name.
pub fn outcome(result: i64) -> String {
    if (-4095..0).contains(&result) {
        // The range fits an i32.
        errno::name(i32::try_from(-result).unwrap_or(i32::MAX))
    } else {
        Seen::OK.to_owned()
    }
}

/// The `execve` that starts the command, as the launcher's filter is asked about it.
pub fn launch_call() -> Call {
    let abi = Abi::NATIVE;
    Call { abi, nr: calls::number(abi, "execve").unwrap_or_default(), args: [0; 6], result: None }
}

/// A call that does what another call does: `socketcall` of i386 is the socket call that its arguments name. The count stays
/// with the call that was made; the facts are those of what it does. `read` reads the caller's memory.
pub fn demultiplexed(call: Call, read: impl Fn(u64, usize) -> Option<Vec<u8>>) -> Call {
    if call.abi != Abi::I386 || call.name() != Some("socketcall") {
        return call;
    }
    // linux/net.h, SYS_SOCKET and following.
    let name = match call.args[0] & 0xffff_ffff {
        1 => "socket",
        2 => "bind",
        3 => "connect",
        4 => "listen",
        8 => "socketpair",
        11 => "sendto",
        _ => return call,
    };
    let (Some(nr), Some(words)) = (calls::number(call.abi, name), read(call.args[1], 6 * 4)) else {
        return call;
    };
    let mut args = [0; 6];
    for (arg, word) in args.iter_mut().zip(words.chunks_exact(4)) {
        *arg = word.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
    }
    Call { nr, args, ..call }
}

/// The calls that send a signal to another process, and which argument is the signal (signal(7)).
pub const SIGNALS: [(&str, usize); 5] =
    [("kill", 1), ("rt_sigqueueinfo", 1), ("rt_tgsigqueueinfo", 2), ("tgkill", 2), ("tkill", 1)];

/// The fact of a signal that was sent to another process; `inside` tells whether a process is recorded too.
pub fn signal(call: &Call, inside: impl Fn(i32) -> bool) -> Option<What> {
    let name = call.name()?;
    let signal = SIGNALS.iter().find(|(known, _)| *known == name)?.1;
    let signal = call.args[signal];
    // Process ids are ints: the low half of the register, with its sign.
    let receiver = call.args[0].to_ne_bytes();
    let receiver = i32::from_ne_bytes([receiver[0], receiver[1], receiver[2], receiver[3]]);
    // Zero is the own process group, a negative id another group, -1 everybody.
    let inside = receiver == 0 || inside(receiver.checked_abs().unwrap_or_default());
    // Signal 0 is none, but permitted or not as one is: it asks whether there is somebody.
    let signal = u32::try_from(signal & 0xffff_ffff).ok()?;
    Some(What::Signal { signal, inside })
}

/// Calls after which a task's root, namespaces or credentials may be others.
pub fn changes_view(name: &str) -> bool {
    name.starts_with("set")
        && (name.contains("uid")
            || name.contains("gid")
            || name == "setns"
            || name.starts_with("setgroups"))
        || matches!(name, "capset" | "chroot" | "pivot_root" | "unshare" | "prctl")
}

/// The calls of `io_uring`.
pub const IO_URING: [&str; 3] = ["io_uring_setup", "io_uring_enter", "io_uring_register"];
/// What is to be said when they are used.
pub const IO_URING_NOTE: &str = "io_uring was used: what was done through it is not seen";
