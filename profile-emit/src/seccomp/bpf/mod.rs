//! Profiles as programs of classic BPF, without libseccomp: for what takes raw filters, such as `bwrap --seccomp FD`.
//!
//! - `compile`: a profile as a program
//! - `assemble`: jumps of any length
//! - [`interpret`]: what a program answers, as the kernel runs it
//!
//! Guaranteed: the program answers as [`super::simulate`] does, has at most [`MOST`] instructions, and jumps forward only.

mod assemble;
mod compile;
pub mod interpret;

pub use compile::compile;

use super::rules::Unsupported;

/// The most instructions that the kernel takes (`BPF_MAXINSNS`, linux/bpf_common.h).
pub const MOST: usize = 4096;

/// Why a profile is no program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BpfError {
    /// It says something that is not known here.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// It judges no architecture that is known here.
    #[error("the profile names no architecture that is known here in \"architectures\"")]
    NoArchitecture,
    /// The kernel would refuse it.
    #[error("the filter has {0} instructions, and the kernel takes at most {MOST}")]
    TooLong(usize),
}

/// `struct sock_filter` (linux/filter.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// What to do.
    pub code: u16,
    /// How many instructions to skip when a comparison holds.
    pub jt: u8,
    /// How many to skip when it does not.
    pub jf: u8,
    /// The operand.
    pub k: u32,
}

/// A program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program(pub Vec<Instruction>);

impl Program {
    /// The bytes that the kernel reads, in this machine's order.
    pub fn to_bytes(&self) -> Vec<u8> {
        let bytes = |i: &Instruction| {
            let ([a, b], [e, f, g, h]) = (i.code.to_ne_bytes(), i.k.to_ne_bytes());
            [a, b, i.jt, i.jf, e, f, g, h]
        };
        self.0.iter().flat_map(bytes).collect()
    }

    /// Reads what [`Self::to_bytes`] or `seccomp_export_bpf` wrote; `None` when that is no whole number of instructions.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (instructions, rest) = bytes.as_chunks::<8>();
        let instruction = |[a, b, jt, jf, e, f, g, h]: &[u8; 8]| Instruction {
            code: u16::from_ne_bytes([*a, *b]),
            jt: *jt,
            jf: *jf,
            k: u32::from_ne_bytes([*e, *f, *g, *h]),
        };
        rest.is_empty().then(|| Self(instructions.iter().map(instruction).collect()))
    }
}

/// Operations (linux/bpf_common.h): the classes, sizes, modes and sources added up.
mod op {
    /// `BPF_LD | BPF_W | BPF_ABS`
    pub(super) const LOAD: u16 = 0x20;
    /// `BPF_ALU | BPF_AND | BPF_K`
    pub(super) const AND: u16 = 0x54;
    /// `BPF_JMP | BPF_JA`
    pub(super) const JUMP: u16 = 0x05;
    /// `BPF_JMP | BPF_JEQ | BPF_K`
    pub(super) const EQUAL: u16 = 0x15;
    /// `BPF_JMP | BPF_JGT | BPF_K`
    pub(super) const GREATER: u16 = 0x25;
    /// `BPF_JMP | BPF_JGE | BPF_K`
    pub(super) const AT_LEAST: u16 = 0x35;
    /// `BPF_JMP | BPF_JSET | BPF_K`
    pub(super) const ANY_BIT: u16 = 0x45;
    /// `BPF_RET | BPF_K`
    pub(super) const RETURN: u16 = 0x06;
}

/// Where things lie in `struct seccomp_data` (linux/seccomp.h).
mod data {
    pub(super) const NUMBER: u32 = 0;
    pub(super) const ARCHITECTURE: u32 = 4;
    const ARGUMENTS: u32 = 16;

    /// The low or high half of an argument.
    pub(super) const fn argument(index: u8, high: bool) -> u32 {
        let second = high != cfg!(target_endian = "big");
        ARGUMENTS + 8 * index as u32 + if second { 4 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_are_read_back(all in prop::collection::vec(any::<(u16, u8, u8, u32)>(), 0..20), cut in 1..8_usize) {
            let program = Program(all.into_iter().map(|(code, jt, jf, k)| Instruction { code, jt, jf, k }).collect());
            let mut bytes = program.to_bytes();
            prop_assert_eq!(Program::from_bytes(&bytes), Some(program));
            bytes.extend(vec![0; cut]);
            prop_assert_eq!(Program::from_bytes(&bytes), None);
        }
    }
}
