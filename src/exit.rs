//! Exit codes: a part of the interface.

use std::io;
use std::process::ExitCode;

use profile_emit::bundle::BundleError;
use tracer::ebpf::ContainerError;
use tracer::recording::{MergeError, ReadError, WriteError};
use tracer::session::{CommandEnd, RecordError};
use verifier::VerifyError;

/// How learn ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All is well.
    Success,
    /// All is well with learn, and the command ended like this.
    Command(CommandEnd),
    /// A status of the verb's own: diff has those of diff(1).
    Status(u8),
    /// A condition of learn's own, which the command's status never hides.
    Own(Condition),
}

/// Learn's own conditions. Whoever sees one has a line of learn on stderr too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The recording lacks something.
    Incomplete,
    /// Profiles refused something.
    Denied,
    /// The system does not allow what was asked for, or lacks it.
    Unavailable,
    /// The command line, or a file that was given, can't be used.
    Input,
    /// A file or stdout can't be written.
    Output,
    /// The system failed.
    System,
    /// As shells have it.
    NotExecutable,
    /// As shells have it.
    NotFound,
}

impl Condition {
    /// All of them, by code.
    pub(crate) const ALL: [Self; 8] = [
        Self::Incomplete,
        Self::Denied,
        Self::Unavailable,
        Self::Input,
        Self::Output,
        Self::System,
        Self::NotExecutable,
        Self::NotFound,
    ];

    /// The exit code.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Incomplete => 120,
            Self::Denied => 121,
            Self::Unavailable => 122,
            Self::Input => 123,
            Self::Output => 124,
            Self::System => 125,
            Self::NotExecutable => 126,
            Self::NotFound => 127,
        }
    }

    /// What it means, for `--help` and the manual.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Incomplete => "the recording is incomplete",
            Self::Denied => "the profiles refused something",
            Self::Unavailable => "not permitted, or not available on this host",
            Self::Input => "unusable input: the command line, a recording or a profile",
            Self::Output => "the output can not be written",
            Self::System => "the system failed",
            Self::NotExecutable => "CMD can not be executed",
            Self::NotFound => "CMD was not found",
        }
    }
}

impl From<Condition> for Exit {
    fn from(condition: Condition) -> Self {
        Self::Own(condition)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Success => 0,
            // A process has eight bits for its status; what is above was never there.
            Exit::Command(CommandEnd::Code(code)) => code.to_le_bytes()[0],
            Exit::Command(CommandEnd::Signal(signal)) => {
                128_u8.wrapping_add(signal.to_le_bytes()[0])
            }
            Exit::Status(status) => status,
            Exit::Own(condition) => condition.code(),
        })
    }
}

/// A condition, and the line that tells of it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) condition: Condition,
    pub(crate) error: anyhow::Error,
}

impl Failure {
    pub(crate) fn new(condition: Condition, error: impl Into<anyhow::Error>) -> Self {
        Self { condition, error: error.into() }
    }

    /// A condition in a sentence.
    pub(crate) fn because(condition: Condition, why: impl std::fmt::Display) -> Self {
        Self { condition, error: anyhow::anyhow!("{why}") }
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match &error {
            RecordError::Command { source, .. } => {
                let (condition, remedy) = match source.kind() {
                    io::ErrorKind::NotFound => (
                        Condition::NotFound,
                        "give the path of a program, or the name of one that is in PATH",
                    ),
                    _ => (
                        Condition::NotExecutable,
                        "give an executable program, or a script that begins with #!",
                    ),
                };
                Self::because(condition, format_args!("{error}; {remedy}"))
            }
            RecordError::Unavailable { .. } => Self::new(Condition::Unavailable, error),
            RecordError::System { .. } => Self::new(Condition::System, error),
        }
    }
}

impl From<ContainerError> for Failure {
    fn from(error: ContainerError) -> Self {
        match error {
            ContainerError::Record(error) => error.into(),
            ContainerError::NoContainer | ContainerError::Prepare(_) => {
                Self::new(Condition::Input, error)
            }
        }
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let remedy = match &error {
            ReadError::Io { .. } => "; give a recording that you may read",
            ReadError::Malformed { .. } => "; record again, or copy the file again",
            // These say what to do.
            ReadError::NotARecording { .. }
            | ReadError::Newer { .. }
            | ReadError::Truncated { .. } => "",
        };
        Self::because(Condition::Input, format_args!("{error}{remedy}"))
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        Self::because(Condition::Output, format_args!("{error}; choose another place with -o"))
    }
}

impl From<MergeError> for Failure {
    fn from(error: MergeError) -> Self {
        match error {
            MergeError::Read(error) => error.into(),
            MergeError::Write(error) => error.into(),
            MergeError::Conflict { .. } => Self::new(Condition::Input, error),
        }
    }
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        match &error {
            BundleError::Foreign(..) => Self::new(Condition::Output, error),
            BundleError::Io { .. } => Self::because(
                Condition::Output,
                format_args!("{error}; choose another place with -o"),
            ),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Read { .. }
            | VerifyError::Container(_)
            | VerifyError::Malformed { .. }
            | VerifyError::Filter { .. }
            | VerifyError::Unsteady { .. }
            | VerifyError::Prepare { .. }
            | VerifyError::Budget { .. } => Self::new(Condition::Input, error),
            VerifyError::Refused { .. } => Self::new(Condition::Unavailable, error),
            VerifyError::Run(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_in_order() {
        let codes: Vec<u8> = Condition::ALL.iter().map(|condition| condition.code()).collect();
        assert_eq!(codes, (120..=127).collect::<Vec<u8>>());
    }

    #[test]
    fn the_command_ends_as_shells_say() {
        let code = |end| ExitCode::from(Exit::Command(end));
        assert_eq!(code(CommandEnd::Code(7)), ExitCode::from(7));
        assert_eq!(code(CommandEnd::Signal(15)), ExitCode::from(143));
    }
}
