//! Instructions from the last to the first, so that where a jump leads is known when it is written.
//!
//! Comparisons skip at most 255 instructions. What is further away is reached by an unconditional jump, whose operand has 32
//! bits, or by another copy of it where it is a mere return.

use std::collections::HashMap;

use super::{Instruction, Program, op};

/// A place in the program: how many instructions follow it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// A program that grows at its beginning.
#[derive(Debug, Default)]
pub(super) struct Code {
    /// The last instruction first.
    reversed: Vec<Instruction>,
    /// The nearest return of each value.
    returns: HashMap<u32, Label>,
}

impl Code {
    fn push(&mut self, code: u16, jt: u8, jf: u8, k: u32) -> Label {
        self.reversed.push(Instruction { code, jt, jf, k });
        Label(self.reversed.len() - 1)
    }

    /// How many instructions lie between the next one but `more` and the label.
    fn distance(&self, label: Label, more: usize) -> usize {
        self.reversed.len() + more - label.0 - 1
    }

    /// The end of the program with an answer.
    pub(super) fn answer(&mut self, value: u32) -> Label {
        match self.returns.get(&value) {
            Some(label) => *label,
            None => self.new_answer(value),
        }
    }

    fn new_answer(&mut self, value: u32) -> Label {
        let label = self.push(op::RETURN, 0, 0, value);
        self.returns.insert(value, label);
        label
    }

    /// The label, or a nearer one that leads there; the next comparison is `more` instructions away.
    fn near(&mut self, label: Label, more: usize) -> Label {
        if self.distance(label, more) <= usize::from(u8::MAX) {
            return label;
        }
        match self.reversed.get(label.0) {
            Some(Instruction { code: op::RETURN, k, .. }) => {
                let value = *k;
                let nearest = self.answer(value);
                if self.distance(nearest, more) <= usize::from(u8::MAX) {
                    return nearest;
                }
                self.new_answer(value)
            }
            _ => {
                // A program is cut off long before it had 2³² instructions.
                let distance = u32::try_from(self.distance(label, 0)).unwrap_or(u32::MAX);
                self.push(op::JUMP, 0, 0, distance)
            }
        }
    }

    /// A comparison of what was loaded.
    pub(super) fn compare(&mut self, code: u16, k: u32, yes: Label, no: Label) -> Label {
        // Getting one nearer may take an instruction, which makes the other more distant.
        let yes = self.near(yes, 1);
        let no = self.near(no, 0);
        let skip = |label| u8::try_from(self.distance(label, 0)).unwrap_or(u8::MAX);
        let (jt, jf) = (skip(yes), skip(no));
        self.push(code, jt, jf, k)
    }

    /// Loads a word before what was written last.
    pub(super) fn load(&mut self, offset: u32) -> Label {
        self.push(op::LOAD, 0, 0, offset)
    }

    /// Keeps some bits before what was written last.
    pub(super) fn and(&mut self, mask: u32) -> Label {
        self.push(op::AND, 0, 0, mask)
    }

    pub(super) fn finish(mut self) -> Program {
        self.reversed.reverse();
        Program(self.reversed)
    }
}
