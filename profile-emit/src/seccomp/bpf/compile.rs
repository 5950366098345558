//! A profile as a program: the architecture first, then a binary search for the number, then the arguments.

use std::collections::HashMap;

use tracer::abi::{Abi, X32_BIT};

use super::assemble::{Code, Label};
use super::{BpfError, MOST, Program, data, op};
use crate::seccomp::oci::Profile;
use crate::seccomp::rules::{self, Action, Alternative, Comparison, Rules, Test};

/// What libseccomp answers to calls of an architecture that a filter does not have (seccomp_attr_set(3),
/// `SCMP_FLTATR_ACT_BADARCH`).
const BAD_ARCHITECTURE: Action = Action::KillThread;

/// The number that a tracer makes a call have so that it is not made (seccomp(2)); no filter may kill for it.
const NO_CALL: u32 = u32::MAX;

/// Makes the program.
///
/// # Errors
/// See [`BpfError`].
pub fn compile(profile: &Profile) -> Result<Program, BpfError> {
    let abis = profile.abis();
    let of = |abi| abis.contains(&abi).then(|| rules::of(profile, abi)).transpose();
    let (native, x32) = (of(Abi::X86_64)?, of(Abi::X32)?);
    let (i386, aarch64) = (of(Abi::I386)?, of(Abi::Aarch64)?);
    if abis.is_empty() {
        return Err(BpfError::NoArchitecture);
    }
    let mut writer = Writer::default();
    let bad = writer.code.answer(BAD_ARCHITECTURE.code());
    let mut architectures = Vec::new();
    if let Some(rules) = &aarch64 {
        architectures.push((AUDIT_AARCH64, writer.calls(rules, Abi::Aarch64)));
    }
    if let Some(rules) = &i386 {
        architectures.push((AUDIT_I386, writer.calls(rules, Abi::I386)));
    }
    if native.is_some() || x32.is_some() {
        let x32 = x32.as_ref().map(|rules| writer.tree(rules, Abi::X32));
        let native = match &native {
            Some(rules) => {
                let below = writer.tree(rules, Abi::X86_64);
                let above = x32.unwrap_or_else(|| {
                    let default = writer.code.answer(rules.default.code());
                    writer.code.compare(op::EQUAL, NO_CALL, default, bad)
                });
                (below, above)
            }
            None => (bad, x32.unwrap_or(bad)),
        };
        writer.code.compare(op::AT_LEAST, X32_BIT, native.1, native.0);
        architectures.push((AUDIT_X86_64, writer.code.load(data::NUMBER)));
    }
    let mut next = bad;
    for (architecture, calls) in architectures {
        next = writer.code.compare(op::EQUAL, architecture, calls, next);
    }
    writer.code.load(data::ARCHITECTURE);
    let program = writer.code.finish();
    match program.0.len() {
        0..=MOST => Ok(program),
        length => Err(BpfError::TooLong(length)),
    }
}

/// `AUDIT_ARCH_X86_64`, `AUDIT_ARCH_I386`, `AUDIT_ARCH_AARCH64` (linux/audit.h).
pub(super) const AUDIT_X86_64: u32 = 0xC000_003E;
const AUDIT_I386: u32 = 0x4000_0003;
const AUDIT_AARCH64: u32 = 0xC000_00B7;

#[derive(Default)]
struct Writer {
    code: Code,
    /// What was written for arguments already.
    known: HashMap<(bool, Vec<Alternative>, Action), Label>,
}

impl Writer {
    /// The calls of an architecture, from the loading of the number on.
    fn calls(&mut self, rules: &Rules, abi: Abi) -> Label {
        let root = self.tree(rules, abi);
        // The number is loaded before what was written last, which is the root of a tree unless the tree is a mere answer.
        if !rules.calls.is_empty() {
            return self.code.load(data::NUMBER);
        }
        self.code.compare(op::AT_LEAST, 0, root, root);
        self.code.load(data::NUMBER)
    }

    /// The binary search.
    fn tree(&mut self, rules: &Rules, abi: Abi) -> Label {
        let nothing = Vec::new();
        let mut ranges: Vec<(u32, &Vec<Alternative>)> = vec![(0, &nothing)];
        for (number, alternatives) in &rules.calls {
            ranges.push((*number, alternatives));
            if let Some(next) = number.checked_add(1) {
                ranges.push((next, &nothing));
            }
        }
        // Of two that begin at the same number the later one says what is there.
        let mut distinct: Vec<(u32, &Vec<Alternative>)> = Vec::new();
        for (start, answer) in ranges {
            while distinct.last().is_some_and(|(last, _)| *last == start) {
                distinct.pop();
            }
            if distinct.last().is_none_or(|(_, last)| *last != answer) {
                distinct.push((start, answer));
            }
        }
        self.search(&distinct, rules.default, rules::wide(abi))
    }

    fn search(
        &mut self,
        ranges: &[(u32, &Vec<Alternative>)],
        default: Action,
        wide: bool,
    ) -> Label {
        match ranges {
            [] => self.code.answer(default.code()),
            [(_, alternatives)] => self.alternatives(alternatives, default, wide),
            _ => {
                let (left, right) = ranges.split_at(ranges.len() / 2);
                let from = right[0].0;
                let right = self.search(right, default, wide);
                let left = self.search(left, default, wide);
                self.code.compare(op::AT_LEAST, from, right, left)
            }
        }
    }

    fn alternatives(&mut self, all: &[Alternative], default: Action, wide: bool) -> Label {
        let key = (wide, all.to_vec(), default);
        if let Some(label) = self.known.get(&key) {
            return *label;
        }
        let mut no = self.code.answer(default.code());
        let mut rest = all;
        while let Some((last, before)) = rest.split_last() {
            let yes = self.code.answer(last.action.code());
            if let Some((index, mask)) = one_word(last) {
                // Values of one word: it is loaded once.
                let same = |other: &&Alternative| {
                    other.action == last.action && one_word(other) == Some((index, mask))
                };
                let group = rest.iter().rev().take_while(same).count();
                let (before, group) = rest.split_at(rest.len() - group);
                for alternative in group.iter().rev() {
                    let value = alternative.tests.first().map_or(0, |test| low(test.value));
                    no = self.code.compare(op::EQUAL, value, yes, no);
                }
                no = self.masked(index, false, mask);
                rest = before;
            } else {
                no = last.tests.iter().rev().fold(yes, |yes, test| self.test(test, yes, no, wide));
                rest = before;
            }
        }
        self.known.insert(key, no);
        no
    }

    /// Loads a half of an argument before what was written last.
    fn masked(&mut self, index: u8, high: bool, mask: u32) -> Label {
        if mask != u32::MAX {
            self.code.and(mask);
        }
        self.code.load(data::argument(index, high))
    }

    fn test(&mut self, test: &Test, yes: Label, no: Label, wide: bool) -> Label {
        let Test { index, mask, value, .. } = *test;
        let (yes, no, comparison) = match test.comparison {
            Comparison::NotEqual => (no, yes, Comparison::Equal),
            Comparison::Less => (no, yes, Comparison::GreaterOrEqual),
            Comparison::LessOrEqual => (no, yes, Comparison::Greater),
            other => (yes, no, other),
        };
        let code = match comparison {
            Comparison::GreaterOrEqual => op::AT_LEAST,
            Comparison::Greater => op::GREATER,
            _ => op::EQUAL,
        };
        self.code.compare(code, low(value), yes, no);
        let below = self.masked(index, false, low(mask));
        let (mask, value) = (high(mask), high(value));
        if !wide || (mask, value) == (0, 0) {
            return below;
        }
        let equal = self.code.compare(op::EQUAL, value, below, no);
        if comparison != Comparison::Equal {
            self.code.compare(op::GREATER, value, yes, equal);
        }
        self.masked(index, true, mask)
    }
}

/// The alternative is one value of the low half of an argument, whatever the other half: the argument and the mask.
fn one_word(alternative: &Alternative) -> Option<(u8, u32)> {
    match alternative.tests[..] {
        [Test { index, comparison: Comparison::Equal, mask, value }]
            if high(mask) == 0 && high(value) == 0 =>
        {
            Some((index, low(mask)))
        }
        _ => None,
    }
}

fn low(value: u64) -> u32 {
    let [a, b, c, d, ..] = value.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

fn high(value: u64) -> u32 {
    low(value >> 32)
}
