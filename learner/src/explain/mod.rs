//! Why something is allowed: the rules that allow it with their evidence; and for what is not allowed, the nearest rules.
//!
//! - `question`: what is asked for, from text
//! - `calls`, `files`, `capabilities`: one kind each
//! - `words`: conditions for a person

mod calls;
mod capabilities;
mod files;
mod question;
mod words;

pub use question::{Question, QuestionError};

use serde::Serialize;
use tracer::recording::{Fact, Recording, Witness};

use crate::Policy;
use crate::policy::Evidence;

/// The value of `format`.
pub const FORMAT: &str = "learn-explanation";
/// The version that is written.
pub const VERSION: u32 = 1;

/// So many near rules are told.
const MOST_NEAR: usize = 5;

/// The answer. docs/explain.md describes the JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// [`FORMAT`].
    pub format: &'static str,
    /// [`VERSION`].
    pub version: u32,
    /// What was asked for.
    pub asked: String,
    /// What becomes of it.
    pub answer: Answer,
    /// The rules that decide.
    pub rules: Vec<Explained>,
    /// For what is refused: the rules that come nearest, the nearest first.
    pub nearest: Vec<Near>,
}

/// What becomes of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answer {
    /// It is allowed, whatever the rest of it is.
    Allowed,
    /// Some of it is allowed: the rules say which arguments, or which accesses.
    Limited,
    /// It is answered with `ENOSYS`, so that libc does something else.
    Enosys,
    /// It is refused.
    Refused,
}

/// A rule that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explained {
    /// The rule, for a person.
    pub rule: String,
    /// Why it is there; absent for an answer that is no rule of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
    /// Who needed it first, in each run: known from recordings only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<First>,
}

/// Who needed something first in a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct First {
    /// The run's identifier.
    pub run: String,
    /// Milliseconds since its start.
    pub ms: u32,
    /// The process.
    pub pid: u32,
    /// Its program.
    pub program: String,
}

/// A rule that does not allow what was asked for, but nearly.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Near {
    /// The rule, for a person.
    pub rule: String,
    /// What is different.
    pub differs: String,
}

/// Answers a question about a policy. `recording` is what it was learned from, where that is known.
pub fn explain(policy: &Policy, recording: Option<&Recording>, question: &Question) -> Explanation {
    let (answer, rules, nearest) = match question {
        Question::Call { name, arguments } => {
            calls::explain(policy, recording, name, arguments.as_deref())
        }
        Question::Capability(name) => capabilities::explain(policy, recording, name),
        Question::Path(path) => files::explain(policy, recording, path),
    };
    let asked = question.to_string();
    Explanation { format: FORMAT, version: VERSION, asked, answer, rules, nearest }
}

/// What one kind of question answers.
type Answered = (Answer, Vec<Explained>, Vec<Near>);

/// The first who made a fact that is asked for, in each run.
fn first(recording: Option<&Recording>, is: impl Fn(&Fact) -> bool) -> Vec<First> {
    let mut first = std::collections::BTreeMap::<String, First>::new();
    for (fact, runs) in recording.into_iter().flat_map(Recording::sorted).filter(|(f, _)| is(f)) {
        for (run, seen) in runs {
            let Some(Witness { ms, pid }) = seen.first else { continue };
            let program = fact.domain.to_string();
            let one = First { run: run.to_string(), ms, pid, program };
            match first.get_mut(run.as_str()) {
                Some(known) if *known <= one => {}
                _ => _ = first.insert(run.to_string(), one),
            }
        }
    }
    first.into_values().collect()
}

#[cfg(test)]
mod tests;
