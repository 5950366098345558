//! Why nothing was proved.

use std::io;
use std::path::PathBuf;

use profile_emit::seccomp::filter::FilterError;
use tracer::container::PrepareError;
use tracer::session::RecordError;

/// Why nothing was proved.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// A file of the directory can't be read.
    #[error("cannot read {path}: {source}; give a directory that `learn generate -o` wrote")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of the directory is not what its name says.
    #[error("{path} cannot be used: {what}; make it again with `learn generate -o`")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        what: String,
    },
    /// The seccomp profile is no filter.
    #[error("{path} cannot be enforced: {source}")]
    Filter {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: FilterError,
    },
    /// The system does not enforce the profile.
    #[error("the system refuses {what}: {source}; {remedy}")]
    Refused {
        /// What was asked of it.
        what: &'static str,
        /// What it said.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The command line of a container's engine can't be prepared.
    #[error(transparent)]
    Container(#[from] PrepareError),
    /// The command does not do the same each time, so that a run proves nothing.
    #[error(
        "the command can't be minimised for: {what}; give a command that does the same each time, and profiles that it passes under"
    )]
    Unsteady {
        /// What differed.
        what: String,
    },
    /// The command's place could not be prepared.
    #[error("what prepares each run failed: {line:?}: {what}")]
    Prepare {
        /// The line for the shell.
        line: std::ffi::OsString,
        /// How it ended.
        what: String,
    },
    /// There is no room for a search.
    #[error("a budget of {given} runs is too small: {least} are needed at least")]
    Budget {
        /// What was given.
        given: u64,
        /// What is needed.
        least: u64,
    },
    /// The command could not be started, or the system refused something on the way.
    #[error(transparent)]
    Run(#[from] RecordError),
}

/// The system refused something that it always grants.
pub(crate) fn system(what: &str) -> impl FnOnce(io::Error) -> VerifyError {
    let what = what.to_owned();
    move |source| VerifyError::Run(RecordError::System { what, source })
}
