//! What a proof found.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use serde::{Deserialize, Serialize};
use tracer::abi::Abi;
use tracer::recording::{ByteString, Fact};
use tracer::session::CommandEnd;

use crate::Refusal;

/// The value of `format` in a report.
pub const FORMAT: &str = "learn-report";
/// The version that is written.
pub const VERSION: u32 = 1;

/// What was enforced, what was refused, how the command ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The command line.
    pub command: Vec<ByteString>,
    /// What was enforced: `seccomp`, `capabilities`, `programs`, `apparmor`.
    pub enforced: BTreeSet<String>,
    /// How the command ended: `exit 9`, `signal 11`.
    pub end: String,
    /// What was refused, in a total order.
    pub denials: Vec<Denial>,
    /// What `AppArmor` refused, in a total order; absent in reports of older versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub apparmor: Vec<Refusal>,
    /// What a reader should know: sentences.
    pub notes: BTreeSet<String>,
}

impl Report {
    /// A report of a command that ended, which enforced nothing and has nothing to remark.
    pub(crate) fn new(command: &[OsString], end: CommandEnd, denials: Vec<Denial>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            command: command.iter().map(|word| ByteString::from(word.as_bytes())).collect(),
            enforced: BTreeSet::new(),
            end: match end {
                CommandEnd::Code(code) => format!("exit {code}"),
                CommandEnd::Signal(signal) => format!("signal {signal}"),
            },
            denials,
            apparmor: Vec::new(),
            notes: BTreeSet::new(),
        }
    }
}

/// Something that was refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Denial {
    /// The executable of the process.
    pub program: ByteString,
    /// The calling convention.
    pub abi: Abi,
    /// The call's name, or its number where the name is not known.
    pub call: String,
    /// Its meaningful arguments, decoded for a person; empty for a call without any.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub arguments: String,
    /// The error that the program got, by name; the signal where the profile kills.
    pub errno: String,
    /// What was refused.
    #[serde(default, skip_serializing_if = "Kind::is_call")]
    pub kind: Kind,
    /// The capability, of a denial of that kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capability: Option<String>,
    /// The executables of the process's ancestors up to the command, nearest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ancestors: Vec<ByteString>,
    /// The rule that nearly allowed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<Near>,
    /// The rule that would allow it, as the profile's file has them.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub allow: String,
    /// How often.
    pub count: u64,
}

/// Kinds of denial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The seccomp profile refused a call.
    #[default]
    Call,
    /// The policy names no such program.
    Program,
    /// The kernel asked for a capability that the profile drops.
    Capability,
}

impl Kind {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_call(&self) -> bool {
        *self == Self::Call
    }
}

/// A rule that nearly allowed what was refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Near {
    /// The file in the directory of profiles.
    pub file: String,
    /// The line; 0 when it is not known.
    pub line: usize,
    /// Why it does not match, in a sentence.
    pub why: String,
}

/// A program chooses its arguments: so many different denials are told apart.
const MOST: usize = 1000;

/// Denials being counted.
#[derive(Debug, Default)]
pub(crate) struct Denials {
    /// The denials, each with a count of zero, and their counts.
    counts: BTreeMap<Denial, u64>,
    /// What would have to be recorded for profiles that allow them, and how often.
    healing: BTreeMap<Fact, u64>,
    merged: bool,
}

impl Denials {
    /// Counts it, with what heals it.
    pub(crate) fn add(&mut self, mut denial: Denial, healing: Vec<Fact>) {
        let count = std::mem::take(&mut denial.count);
        for fact in healing {
            if self.healing.len() < MOST || self.healing.contains_key(&fact) {
                *self.healing.entry(fact).or_default() += count;
            }
        }
        if self.counts.len() >= MOST && !self.counts.contains_key(&denial) {
            self.merged = true;
            denial.arguments.clear();
            denial.near = None;
            denial.allow.clear();
        }
        *self.counts.entry(denial).or_default() += count;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// What heals them.
    pub(crate) fn healing(&mut self) -> BTreeMap<Fact, u64> {
        std::mem::take(&mut self.healing)
    }

    /// The list, and what a reader should know of it.
    pub(crate) fn finish(self) -> (Vec<Denial>, Option<String>) {
        let note = self.merged.then(|| {
            format!("more than {MOST} different denials: further ones are counted without their arguments")
        });
        let all = self.counts.into_iter().map(|(denial, count)| Denial { count, ..denial });
        (all.collect(), note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn denial(call: &str, arguments: &str) -> Denial {
        Denial {
            program: "/bin/sh".into(),
            abi: Abi::NATIVE,
            call: call.to_owned(),
            arguments: arguments.to_owned(),
            errno: "EPERM".to_owned(),
            kind: Kind::Call,
            capability: None,
            ancestors: Vec::new(),
            near: None,
            allow: String::new(),
            count: 1,
        }
    }

    #[test]
    fn equal_denials_are_counted_in_one_order() {
        let (one, other) = (denial("socket", "AF_ALG"), denial("bpf", ""));
        let mut denials = Denials::default();
        for each in [&one, &other, &one] {
            denials.add(each.clone(), Vec::new());
        }
        let (all, note) = denials.finish();
        assert_eq!(all, [other, Denial { count: 2, ..one }]);
        assert_eq!(note, None);
    }

    #[test]
    fn a_hostile_program_cannot_fill_the_memory() {
        let mut denials = Denials::default();
        for n in 0..2 * MOST {
            denials.add(denial("ioctl", &n.to_string()), Vec::new());
        }
        let (all, note) = denials.finish();
        assert_eq!(all.len(), MOST + 1);
        assert_eq!(all.iter().map(|denial| denial.count).sum::<u64>(), 2 * MOST as u64);
        assert!(note.is_some());
    }
}
