//! Why a text is no profile.

use std::sync::Arc;

use super::glob::GlobError;

/// A place in a text: a file, as includes name it, and a line of it, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: Arc<str>,
    /// The line.
    pub line: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why a text is no profile, and where.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{place}: {problem}")]
pub struct ReadError {
    /// Where.
    pub place: Place,
    /// What.
    pub problem: Problem,
}

/// What is wrong.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Problem {
    /// Something else stands there.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What could stand there.
        expected: &'static str,
        /// What does.
        found: String,
    },
    /// Permissions that no file rule has.
    #[error("{text:?} are no permissions: {why}")]
    Permissions {
        /// The word.
        text: String,
        /// Why not.
        why: &'static str,
    },
    /// A name that the language does not have.
    #[error("{name:?} is no {kind}")]
    Unknown {
        /// The name.
        name: String,
        /// What it should have named.
        kind: &'static str,
    },
    /// Two things that exclude each other.
    #[error("{0} and {1} exclude each other")]
    Conflict(&'static str, &'static str),
    /// A qualifier before a rule that does not have it.
    #[error("{qualifier} can't stand before {what}")]
    Qualifier {
        /// The qualifier.
        qualifier: &'static str,
        /// What it stands before.
        what: &'static str,
    },
    /// A file that is included can't be read.
    #[error("{name} can't be included: {why}")]
    Include {
        /// As the text names it.
        name: String,
        /// Why not.
        why: String,
    },
    /// A quoted text does not end.
    #[error("the quoted text that begins here has no end")]
    Quote,
    /// A byte that no profile has.
    #[error("a NUL byte: a profile is text")]
    Nul,
    /// Braces, conditions or includes in each other, more than anybody writes.
    #[error("{0} within each other, more than {1} deep")]
    Deep(&'static str, usize),
    /// More than anybody writes.
    #[error("more than {1} {0}")]
    Large(&'static str, usize),
    /// A variable that is set twice, or never.
    #[error("the variable {0} {1}")]
    Variable(String, &'static str),
    /// A pattern that is none.
    #[error("the pattern {pattern:?} can't be compiled: {why}")]
    Pattern {
        /// The pattern, its variables replaced.
        pattern: String,
        /// Why not.
        why: GlobError,
    },
}
