//! What is asked for.

use std::fmt;

use tracer::abi::arguments::{self, Argument};
use tracer::abi::{Abi, calls, capabilities, symbols};
use tracer::recording::ByteString;

/// Something that a policy may allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A call, perhaps with values of its meaningful arguments (`None` for any).
    Call {
        /// Its name.
        name: String,
        /// The values, in the order of the arguments that mean something.
        arguments: Option<Vec<Option<u32>>>,
    },
    /// `CAP_…`.
    Capability(String),
    /// An absolute path.
    Path(ByteString),
}

/// Why a text asks for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// It is none of all.
    #[error(
        "{0:?} is no system call, capability or absolute path; ask as in `socket`, `socket(AF_ALG)`, `CAP_KILL` or `/etc/passwd`"
    )]
    Unknown(String),
    /// An argument can't be read.
    #[error(
        "{value:?} is no value of {argument} of {call}; give a number, names joined by `|`, or `_` for any"
    )]
    Value {
        /// The call.
        call: String,
        /// The argument's name.
        argument: &'static str,
        /// What was given.
        value: String,
    },
    /// There are more than the call has.
    #[error("{call} has {known} arguments that mean something ({names}), not {given}")]
    TooMany {
        /// The call.
        call: String,
        /// How many it has.
        known: usize,
        /// Their names.
        names: String,
        /// How many were given.
        given: usize,
    },
}

/// All ABIs, the native one first.
pub(super) const ABIS: [Abi; 4] = [Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64];

/// The meaningful arguments of a call, of the first ABI in which it has some.
pub(super) fn table(name: &str) -> &'static [Argument] {
    ABIS.into_iter().map(|abi| arguments::of(abi, name)).find(|of| !of.is_empty()).unwrap_or(&[])
}

impl Question {
    /// Reads a question.
    ///
    /// # Errors
    /// See [`QuestionError`].
    pub fn parse(text: &str) -> Result<Self, QuestionError> {
        let text = text.trim();
        let unknown = || QuestionError::Unknown(text.to_owned());
        if text.starts_with('/') {
            return ByteString::from_escaped(text).map(Self::Path).map_err(|_malformed| unknown());
        }
        let upper = text.to_ascii_uppercase();
        for name in [upper.clone(), format!("CAP_{upper}")] {
            if capabilities::number(&name).is_some() && !is_call(text) {
                return Ok(Self::Capability(name));
            }
        }
        let (name, values) = match text.split_once('(') {
            None => (text, None),
            Some((name, rest)) => (name, Some(rest.strip_suffix(')').ok_or_else(unknown)?)),
        };
        if !is_call(name) {
            return Err(unknown());
        }
        let arguments = values
            .filter(|values| !values.trim().is_empty())
            .map(|values| read(name, values))
            .transpose()?;
        Ok(Self::Call { name: name.to_owned(), arguments })
    }
}

fn is_call(name: &str) -> bool {
    ABIS.into_iter().any(|abi| calls::number(abi, name).is_some())
}

fn read(call: &str, values: &str) -> Result<Vec<Option<u32>>, QuestionError> {
    let table = table(call);
    let words: Vec<&str> = values.split(',').map(str::trim).collect();
    if words.len() > table.len() {
        let names: Vec<&str> = table.iter().map(|argument| argument.name).collect();
        return Err(QuestionError::TooMany {
            call: call.to_owned(),
            known: table.len(),
            names: names.join(", "),
            given: words.len(),
        });
    }
    words
        .into_iter()
        .zip(table)
        .map(|(word, argument)| match word {
            "_" => Ok(None),
            word => {
                symbols::parse(call, argument, word).map(Some).ok_or_else(|| QuestionError::Value {
                    call: call.to_owned(),
                    argument: argument.name,
                    value: word.to_owned(),
                })
            }
        })
        .collect()
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call { name, arguments: None } => f.write_str(name),
            Self::Call { name, arguments: Some(values) } => {
                let words: Vec<String> = values
                    .iter()
                    .zip(table(name))
                    .map(|(value, argument)| {
                        value.map_or_else(|| "_".to_owned(), |v| symbols::spell(name, argument, v))
                    })
                    .collect();
                write!(f, "{name}({})", words.join(", "))
            }
            Self::Capability(name) => f.write_str(name),
            Self::Path(path) => write!(f, "{path}"),
        }
    }
}
