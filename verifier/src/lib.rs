//! Runs a command under profiles, and reports every denial. Changes no profile.
//!
//! The command runs as it would without: with the same standard streams, in the same process group, signalled by the same
//! terminal. What it may do is cut down before its first instruction: capabilities by the kernel's sets, system calls by the
//! profile's own filter, programs by Landlock. What the filter refuses by default is notified to a supervisor, who gives the
//! profile's answer and tells who asked.
//!
//! What differs from the profile's enforcement elsewhere: a task has one supervisor at most, so a command that installs one of its
//! own gets `EBUSY`; a command under Landlock may not trace processes outside, nor see all of what procfs tells of them; a profile
//! that kills a thread kills its process here.
//!
//! Needs Linux 5.6 (pidfd_getfd), and 5.19 for programs (Landlock's second version). Without privileges it works too, with
//! `no_new_privs` set.
//!
//! - `apparmor`: the profile for AppArmor, where the kernel has it
//! - [`host`]: what can be enforced here
//! - [`minimise`]: the least that a command needs
//! - [`report`]: what was enforced, what was refused, how the command ended
//! - `profiles`: reading the directory
//! - `capabilities`, `filter`, `ruleset`: what the command is deprived of
//! - `launch`: the child, until it becomes the command
//! - `supervisor`, `task`: the answers to the kernel's notifications
//! - `programs`: which programs may be run
//! - `container`: the same for a container, whose engine enforces
//! - `checks`: capabilities that were asked for in vain
//! - `ancestors`: which programs led to a denial, in a container
//! - `leftovers`: what runs leave behind that are repeated
//! - `lines`, `nearest`: the rule that nearly allowed a call, and the one that would
//! - `amend`: the recording that heals denials
//! - `arguments`: arguments for a person

mod amend;
mod ancestors;
mod apparmor;
mod arguments;
mod capabilities;
mod checks;
mod container;
mod error;
mod filter;
mod launch;
mod leftovers;
mod lines;
mod nearest;
mod profiles;
mod programs;
mod ruleset;
mod run;
mod supervisor;
mod task;

pub mod host;
pub mod minimise;
pub mod report;

pub use apparmor::Refusal;
pub use error::VerifyError;
pub use report::{Denial, Kind, Near, Report};

use std::ffi::OsString;
use std::path::PathBuf;

use tracer::recording::Recording;

/// What to prove.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The directory that `learn generate` wrote.
    pub profiles: PathBuf,
    /// The command and its arguments; not empty.
    pub command: Vec<OsString>,
}

/// Runs the command under the profiles of the directory.
///
/// Of a command line that runs a container (`docker run`, `podman run`) it is the container that is judged: its engine is told to
/// enforce the profiles, and the kernel tells what the filter refuses. That needs the eBPF backend.
///
/// A command that the profiles do not allow to be executed is a denial, and ends with `exit 126`.
///
/// # Errors
/// When the profiles can't be used, the command can't be executed, or the system refuses to enforce.
pub fn verify(options: &Options) -> Result<Report, VerifyError> {
    prove(options).map(|proof| proof.report)
}

fn prove(options: &Options) -> Result<run::Proof, VerifyError> {
    match container::Invocation::read(&options.command) {
        Some(invocation) if invocation.verb.makes() => container::verify(options, &invocation),
        _ => run::verify(options),
    }
}

/// Runs the command like [`verify`], and makes the recording that heals what was refused: merged with the recordings that the
/// profiles were made of, it gives profiles that allow it.
///
/// # Errors
/// As [`verify`].
pub fn verify_and_amend(options: &Options) -> Result<(Report, Recording), VerifyError> {
    let proof = prove(options)?;
    let recording = amend::recording(&options.command, &proof);
    Ok((proof.report, recording))
}
