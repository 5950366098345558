//! Knowledge of the kernel's interface, as data: each table is a list of rows with their sources.
//!
//! - [`calls`]: system calls by ABI, number and name
//! - [`arguments`]: which arguments of a call mean something to a filter
//! - [`paths`]: which calls name files, how, and what they do to them
//! - [`capabilities`]: their names, who needs one, which checks prove no need
//! - [`errno`]: names of errors
//! - [`sockets`]: names of families and types
//! - [`symbols`]: names of argument values

pub mod arguments;
pub mod calls;
pub mod capabilities;
pub mod errno;
pub mod paths;
pub mod sockets;
pub mod symbols;

use serde::{Deserialize, Serialize};

/// A calling convention: it decides what a call's number means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Abi {
    /// 64-bit x86.
    #[serde(rename = "x86_64")]
    X86_64,
    /// 32-bit x86, also as a compat call of a 64-bit kernel.
    I386,
    /// The 32-bit pointer ABI in 64-bit mode; its numbers carry bit 30.
    X32,
    /// 64-bit ARM.
    Aarch64,
}

/// The bit that marks an x32 call's number (`__X32_SYSCALL_BIT`, arch/x86/include/uapi/asm/unistd.h).
pub const X32_BIT: u32 = 0x4000_0000;

impl Abi {
    /// The ABI of this build's own calls.
    #[cfg(target_arch = "x86_64")]
    pub const NATIVE: Self = Self::X86_64;
    /// The ABI of this build's own calls.
    #[cfg(target_arch = "aarch64")]
    pub const NATIVE: Self = Self::Aarch64;

    /// The ABI of a call, from the kernel's audit architecture (linux/audit.h) and the number.
    pub fn from_audit(arch: u32, nr: u64) -> Option<Self> {
        match arch {
            0xC000_003E if nr & u64::from(X32_BIT) != 0 => Some(Self::X32),
            0xC000_003E => Some(Self::X86_64),
            0x4000_0003 => Some(Self::I386),
            0xC000_00B7 => Some(Self::Aarch64),
            _ => None,
        }
    }

    /// The name in recordings.
    pub fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::I386 => "i386",
            Self::X32 => "x32",
            Self::Aarch64 => "aarch64",
        }
    }

    /// The name in OCI and Docker seccomp profiles (opencontainers/runtime-spec, config-linux.md, "seccomp").
    pub fn scmp_name(self) -> &'static str {
        match self {
            Self::X86_64 => "SCMP_ARCH_X86_64",
            Self::I386 => "SCMP_ARCH_X86",
            Self::X32 => "SCMP_ARCH_X32",
            Self::Aarch64 => "SCMP_ARCH_AARCH64",
        }
    }
}

impl std::fmt::Display for Abi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}
