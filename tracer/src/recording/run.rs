//! What a recording says of its runs: what ran, how it was watched, and whether anything was lost.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::ByteString;

/// One invocation of `record`, as it was known at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The command line.
    pub command: Vec<ByteString>,
    /// `ebpf` or `ptrace`.
    pub backend: String,
    /// The kernel's release.
    pub kernel: String,
    /// The machine's architecture, as `uname -m` has it.
    pub machine: String,
    /// The user's labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How each kind of fact was obtained; a kind that is absent was not recorded.
    pub fidelity: BTreeMap<FactKind, Fidelity>,
    /// The hooks that were attached, by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub hooks: BTreeSet<String>,
    /// The names of its units, in the order in which they were marked first; facts name them by their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<String>,
}

impl Run {
    /// Both tell of the same run: they differ at most in that one has seen more units than the other.
    pub fn agrees(&self, other: &Self) -> bool {
        let same = |a: &Self, b: &Self| {
            Self { units: Vec::new(), ..a.clone() } == Self { units: Vec::new(), ..b.clone() }
        };
        let begins = self.units.iter().zip(&other.units).all(|(mine, theirs)| mine == theirs);
        begins && same(self, other)
    }

    /// Joins what two files say of the same run: what they [agree](Self::agrees) on, and the units that one of them has more.
    pub fn join(&mut self, other: &Self) {
        let known = self.units.len().min(other.units.len());
        self.units.extend(other.units[known..].iter().cloned());
    }
}

/// The kinds of fact that a backend states its fidelity for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is named after the kind that it is")]
pub enum FactKind {
    Call,
    Argument,
    File,
    Exec,
    Capability,
    Socket,
    Signal,
    IoUring,
}

/// How a kind of fact was obtained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fidelity {
    /// The degree.
    pub degree: Degree,
    /// What it rests on and what it can miss, in a sentence.
    pub how: String,
}

/// How much a fact is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Degree {
    /// Seen where the kernel decides.
    Observed,
    /// Worked out from the call and the kernel's state at that moment.
    Resolved,
    /// Deduced from tables.
    Inferred,
    /// Not seen at all.
    None,
}

/// How a run ended, for the recorder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Completion {
    /// Nothing that should be in the recording is missing.
    pub complete: bool,
    /// Why it is not complete, in sentences.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reasons: BTreeSet<String>,
    /// What was lost, per kind: `<what>` → how many.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost: BTreeMap<String, u64>,
    /// What a reader should know though nothing was lost.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub notes: BTreeSet<String>,
}

impl Completion {
    /// A run of which nothing was lost.
    pub fn complete() -> Self {
        Self { complete: true, ..Self::default() }
    }

    /// Counts a loss; the run is incomplete from then on. Nothing happens for a count of zero.
    pub fn lose(&mut self, what: impl Into<String>, count: u64) {
        if count > 0 {
            self.complete = false;
            let lost = self.lost.entry(what.into()).or_default();
            *lost = lost.saturating_add(count);
        }
    }

    /// Marks the run incomplete.
    pub fn because(&mut self, reason: impl Into<String>) {
        self.complete = false;
        self.reasons.insert(reason.into());
    }

    /// Adds what went wrong elsewhere in the same run.
    pub fn add(&mut self, other: &Self) {
        self.complete &= other.complete;
        self.reasons.extend(other.reasons.iter().cloned());
        self.notes.extend(other.notes.iter().cloned());
        for (what, count) in &other.lost {
            self.lose(what.clone(), *count);
        }
    }

    /// Joins what two files say of the same run; incomplete wins.
    pub fn join(&mut self, other: &Self) {
        self.complete &= other.complete;
        self.reasons.extend(other.reasons.iter().cloned());
        self.notes.extend(other.notes.iter().cloned());
        for (what, count) in &other.lost {
            let mine = self.lost.entry(what.clone()).or_default();
            *mine = (*mine).max(*count);
        }
    }
}
