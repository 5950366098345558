//! One invocation of `record`: what both backends are asked, and what they answer.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use crate::marks::Marks;
use crate::recording::{Completion, Recording};

/// What to record.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The command and its arguments; not empty.
    pub command: Vec<OsString>,
    /// The unit that everything belongs to until another is marked.
    pub unit: Option<String>,
    /// Where the socket for [marks](crate::marks) is to be; in a directory of its own unless told.
    pub socket: Option<PathBuf>,
    /// By ptrace, stop at every call to the end, also where known ones could run free.
    pub every_call: bool,
    /// The user's labels.
    pub labels: BTreeMap<String, String>,
    /// Where the recording is kept while it is made, for the case that the recorder is killed; see [`crate::part`].
    pub part: Option<PathBuf>,
}

/// What a recorder knows while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Facts known.
    pub facts: u64,
    /// Things lost, of all kinds.
    pub lost: u64,
}

/// What a recorder leaves behind.
#[derive(Debug)]
pub struct Outcome {
    /// One run, with its completion.
    pub recording: Recording,
    /// How the command ended.
    pub end: CommandEnd,
    /// The capability checks that the kernel made for running programs, where the backend sees them.
    pub checks: Vec<crate::ebpf::Check>,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandEnd {
    /// It exited with this status.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The command can't be executed; shells answer 127 or 126.
    #[error("cannot run {command:?}: {source}")]
    Command {
        /// The command's first word.
        command: OsString,
        /// What execve said.
        source: io::Error,
    },
    /// The backend may not or cannot work here.
    #[error("the {backend} backend cannot be used: {why}; {remedy}")]
    Unavailable {
        /// `ebpf` or `ptrace`.
        backend: &'static str,
        /// What is missing.
        why: String,
        /// What to do.
        remedy: String,
    },
    /// The system refused something in the middle.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Takes marks. Where no socket can be made that nobody asked for, a note says so.
pub(crate) fn listen(
    options: &Options,
    completion: &mut Completion,
) -> Result<Option<Marks>, RecordError> {
    match (Marks::listen(options.socket.as_deref()), &options.socket) {
        (Ok(marks), _) => Ok(Some(marks)),
        (Err(source), Some(path)) => {
            Err(RecordError::System { what: format!("make the socket {}", path.display()), source })
        }
        (Err(error), None) => {
            completion.notes.insert(format!("no marks were taken: {error}"));
            Ok(None)
        }
    }
}

/// A recorder's report to whoever shows progress; called a few times a second.
pub type OnStatus<'a> = &'a mut dyn FnMut(&Status);
