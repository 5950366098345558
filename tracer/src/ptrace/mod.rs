//! The unprivileged backend: sees every call of the command and its descendants by ptrace(2).
//!
//! Guarantees: processes and threads are followed from their first instruction on, signals and job control pass untouched, and
//! the command dies with the recorder. Needs Linux 5.3 (`PTRACE_GET_SYSCALL_INFO`) and permission to trace one's own
//! children. Programs that gain privileges when they are executed don't when an unprivileged recorder traces them.
//!
//! A process whose calls have taught nothing new for long is given a filter that lets the known ones run free, see [`process`].
//!
//! - [`stops`]: ptrace's protocol as types
//! - [`task`]: what is known of a thread
//! - [`process`]: how much a process still teaches
//! - [`programs`]: how much a program still teaches
//! - [`free`]: which calls may run without a stop
//! - [`filter`]: the filter that lets them
//! - [`notified`]: calls on known files, which run on without a stop
//! - [`known_files`]: what makes a file known
//! - [`inject`]: giving it to a process
//! - [`repeats`]: calls that are made in a loop, which run on without a stop
//! - [`pending`]: a call between its entry and its exit
//! - [`circumstances`]: what decides which capability a call needs
//! - [`recorder`]: from stops to facts

mod circumstances;
mod filter;
mod free;
mod inject;
mod known_files;
mod notified;
mod pending;
mod process;
mod programs;
mod recorder;
mod repeats;
mod stops;
mod task;

use crate::session::{OnStatus, Options, Outcome, RecordError};

/// Runs the command and records it.
///
/// # Errors
/// When the command can't be executed, or the system refuses tracing.
pub fn record(options: &Options, on_status: OnStatus<'_>) -> Result<Outcome, RecordError> {
    recorder::Recorder::new(options).run(options, on_status)
}

/// Whether this backend can be used here and now, by tracing a child for a moment; the error says why not and what to do.
///
/// # Errors
/// [`RecordError::Unavailable`] when it can't, and when the system gives no process.
pub fn usable() -> Result<(), RecordError> {
    let waiting = crate::spawn::spawn(&["true".into()])?;
    let child = waiting.pid();
    let seized = stops::seize(child).map_err(recorder::refused);
    // It ends without having become anything.
    drop(waiting);
    // SAFETY: no status is asked for; the child is ours, and nobody else waits for it.
    while unsafe { libc::waitpid(child.as_raw(), std::ptr::null_mut(), libc::__WALL) } >= 0 {}
    seized
}
