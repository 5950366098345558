//! A program of classic BPF run as the kernel runs a filter of system calls: a simulator, and an oracle for tests.
//!
//! Only what libseccomp, systemd, Chromium and this crate write is known; anything else is an error, as it is for the kernel
//! (`seccomp_check_filter`, kernel/seccomp.c) or as it could be.

use super::{MOST, Program, op};

/// What a filter is asked about: `struct seccomp_data` (linux/seccomp.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The number.
    pub number: u32,
    /// `AUDIT_ARCH_…`.
    pub architecture: u32,
    /// Where the call was made.
    pub instruction_pointer: u64,
    /// The registers.
    pub arguments: [u64; 6],
}

impl Asked {
    /// The word at an offset, as the filter loads it.
    fn word(&self, offset: u32) -> Option<u32> {
        let halves = |value: u64| {
            let [a, b, c, d, e, f, g, h] = value.to_ne_bytes();
            [u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h])]
        };
        let at = usize::try_from(offset / 4).ok().filter(|_| offset.is_multiple_of(4))?;
        match at {
            0 => Some(self.number),
            1 => Some(self.architecture),
            2 | 3 => Some(halves(self.instruction_pointer)[at - 2]),
            _ => self.arguments.get((at - 4) / 2).map(|value| halves(*value)[at % 2]),
        }
    }
}

/// Why a program has no answer: the kernel would not take it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is empty, or longer than the kernel takes.
    #[error("a filter has 1 to {MOST} instructions, not {0}")]
    Length(usize),
    /// An operation that is not known here.
    #[error("instruction {at}: operation {code:#x} is not known")]
    Operation {
        /// Where.
        at: usize,
        /// Which.
        code: u16,
    },
    /// It loads what is not there.
    #[error("instruction {at}: nothing lies at {offset}")]
    Offset {
        /// Where.
        at: usize,
        /// From where.
        offset: u32,
    },
    /// It goes on behind its end.
    #[error("instruction {0} is behind the end")]
    End(usize),
}

/// The answer (`SECCOMP_RET_…`), and how many instructions it took.
///
/// # Errors
/// See [`Fault`]; only what is executed is looked at.
pub fn run(program: &Program, asked: &Asked) -> Result<(u32, usize), Fault> {
    let length = program.0.len();
    if !(1..=MOST).contains(&length) {
        return Err(Fault::Length(length));
    }
    let mut accumulator = 0_u32;
    let mut at = 0;
    // Jumps lead forward only, so no instruction is executed twice.
    for steps in 1..=length {
        let instruction = program.0.get(at).ok_or(Fault::End(at))?;
        let k = instruction.k;
        let choose = |holds: bool| usize::from(if holds { instruction.jt } else { instruction.jf });
        let skipped = match instruction.code {
            op::LOAD => {
                accumulator = asked.word(k).ok_or(Fault::Offset { at, offset: k })?;
                0
            }
            op::AND => {
                accumulator &= k;
                0
            }
            op::JUMP => usize::try_from(k).unwrap_or(usize::MAX),
            op::EQUAL => choose(accumulator == k),
            op::GREATER => choose(accumulator > k),
            op::AT_LEAST => choose(accumulator >= k),
            op::ANY_BIT => choose(accumulator & k != 0),
            op::RETURN => return Ok((k, steps)),
            code => return Err(Fault::Operation { at, code }),
        };
        at = at.saturating_add(skipped).saturating_add(1);
    }
    Err(Fault::End(at))
}

#[cfg(test)]
mod tests {
    use super::super::Instruction;
    use super::*;
    use proptest::prelude::*;

    const ASKED: Asked = Asked {
        number: 1,
        architecture: 2,
        instruction_pointer: 0x4_0000_0003,
        arguments: [0x6_0000_0005, 0x8_0000_0007, 0, 0, 0, 0xc_0000_000b],
    };

    fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> Instruction {
        Instruction { code, jt, jf, k }
    }

    fn answer(all: &[Instruction]) -> Result<u32, Fault> {
        run(&Program(all.to_vec()), &ASKED).map(|(answer, _)| answer)
    }

    #[test]
    fn every_word_is_where_the_kernel_has_it() {
        let loaded = |offset, value| {
            let all = [
                instruction(op::LOAD, 0, 0, offset),
                instruction(op::EQUAL, 0, 1, value),
                instruction(op::RETURN, 0, 0, 1),
                instruction(op::RETURN, 0, 0, 0),
            ];
            answer(&all)
        };
        // linux/seccomp.h; this machine is little-endian.
        for (offset, value) in
            [(0, 1), (4, 2), (8, 3), (12, 4), (16, 5), (20, 6), (24, 7), (56, 11), (60, 12)]
        {
            assert_eq!(loaded(offset, value), Ok(1), "{offset}");
        }
        for offset in [64, 2, u32::MAX] {
            assert_eq!(loaded(offset, 0), Err(Fault::Offset { at: 0, offset }));
        }
    }

    #[test]
    fn what_the_kernel_does_not_take_has_no_answer() {
        assert_eq!(answer(&[]), Err(Fault::Length(0)));
        assert_eq!(
            answer(&[instruction(op::LOAD, 0, 0, 0); MOST + 1]),
            Err(Fault::Length(MOST + 1))
        );
        assert_eq!(answer(&[instruction(op::JUMP, 0, 0, u32::MAX)]).ok(), None);
        assert_eq!(answer(&[instruction(op::LOAD, 0, 0, 0)]), Err(Fault::End(1)));
        assert_eq!(
            answer(&[instruction(0x30, 0, 0, 0)]),
            Err(Fault::Operation { at: 0, code: 0x30 })
        );
    }

    proptest! {
        #[test]
        fn any_program_ends(all in prop::collection::vec((0..0x60_u16, 0..4_u8, 0..4_u8, 0..80_u32), 0..30)) {
            let all: Vec<_> = all.into_iter().map(|(c, t, f, k)| instruction(c, t, f, k)).collect();
            let _ = answer(&all);
        }
    }
}
