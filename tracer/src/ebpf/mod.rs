//! The privileged backend: programs in the kernel see every call of the command and its descendants (eBPF).
//!
//! Guarantees: processes and threads are followed from the command's exec on; calls are counted in the kernel, where nothing
//! is lost that a counter does not tell; what was not seen before is sent once. Needs Linux 5.10 with BTF, root
//! (`CAP_BPF`, `CAP_PERFMON`), and a build with clang. The recorded programs run unhindered, also when the recorder dies.
//!
//! - [`wire`]: the one wire format, with `bpf/wire.h`
//! - [`rules`]: the tables of [`crate::abi`] for the kernel
//! - [`programs`]: loading, attaching, reading
//! - [`counts`]: the counters of calls that are told by their number alone
//! - [`record`]: a record as it arrives
//! - [`views`]: how tasks see the file tree
//! - [`facts`]: from records to facts
//! - [`gathered`]: what has arrived, as facts
//! - [`recorder`]: one recording
//! - [`checks`]: capability checks alone
//! - [`adopt`]: containers that run already
//! - [`timeline`]: which units saw what the kernel counts
//! - [`unfinished`]: calls that are under way at the end
//! - [`assemble`]: what the kernel has counted, as facts
//! - [`fidelity`]: what the facts are worth

#[cfg(bpf)]
mod adopt;
#[cfg(bpf)]
mod assemble;
#[cfg(bpf)]
mod checks;
#[cfg(bpf)]
mod counts;
#[cfg(bpf)]
mod facts;
#[cfg(bpf)]
mod fidelity;
#[cfg(bpf)]
mod gathered;
#[cfg(bpf)]
mod programs;
#[cfg(bpf)]
mod record;
#[cfg(bpf)]
mod recorder;
#[cfg(bpf)]
mod rules;
#[cfg(bpf)]
mod timeline;
#[cfg(bpf)]
mod unfinished;
#[cfg(bpf)]
mod views;
#[cfg(bpf)]
mod wire;

use std::ffi::OsString;

use crate::container::{Engine, Filter, Invocation, PrepareError, Prepared, Verb, Watch, prepare};
use crate::session::{OnStatus, Options, Outcome, RecordError};

/// Runs the command and records it.
///
/// # Errors
/// When the kernel refuses the programs, or the command can't be executed.
pub fn record(options: &Options, on_status: OnStatus<'_>) -> Result<Outcome, RecordError> {
    ready(options)?.record(options, on_status)
}

/// Loads the programs for the command, which has not begun when this returns: where it fails, another backend may record it.
///
/// # Errors
/// [`RecordError::Unavailable`] when the kernel refuses the programs.
pub fn ready(options: &Options) -> Result<Ready, RecordError> {
    ready_for(options, &options.command, None)
}

/// A recording that has only to be begun.
pub struct Ready {
    #[cfg(bpf)]
    ready: recorder::Ready,
}

impl Ready {
    /// Runs the command and records it. `options` are those that this was made with.
    ///
    /// # Errors
    /// When the command can't be executed, or the kernel does not tell.
    #[cfg_attr(not(bpf), expect(unused_variables, reason = "there are no programs to load"))]
    pub fn record(
        self,
        options: &Options,
        on_status: OnStatus<'_>,
    ) -> Result<Outcome, RecordError> {
        #[cfg(bpf)]
        return self.ready.record(options, on_status);
        #[cfg(not(bpf))]
        Err(not_built())
    }
}

/// Records containers: those with these names, while the command runs (or until an interrupt, without one); or without names
/// the one that the command starts, which must be a command line of docker or podman. Each container is a run of its own in
/// the recording, labelled `container`, `engine` and `image`.
///
/// A container that the command starts is recorded from the moment on when its runtime has loaded the filter; one that is told
/// by its name from the same moment, if it has a filter, else from its first program on.
///
/// # Errors
/// As for [`record`]; and when the command is no such command line, or can't be prepared.
pub fn record_containers(
    options: &Options,
    names: &[String],
    on_status: OnStatus<'_>,
) -> Result<Outcome, ContainerError> {
    let invocation = Invocation::read(&options.command);
    let clients = || ["docker", "podman"].map(Engine::of_client).to_vec();
    let existing = |invocation: &Invocation| {
        let name = invocation.operands.first().map(|name| name.to_string_lossy().into_owned());
        Watch::named_in(Engine::of(invocation), name.unwrap_or_default(), clients())
    };
    let outcome = match invocation {
        Some(invocation) if names.is_empty() && invocation.verb == Verb::Run => {
            let prepared = prepare(&options.command, &invocation, &Filter::Record)?;
            record_prepared(options, &prepared, &Engine::of(&invocation), on_status)?
        }
        Some(invocation)
            if names.is_empty() && matches!(invocation.verb, Verb::Start | Verb::Exec) =>
        {
            ready_for(options, &options.command, Some(existing(&invocation)))?
                .record(options, on_status)?
        }
        _ if names.is_empty() => return Err(ContainerError::NoContainer),
        _ => {
            let watch = Watch::named(names.to_vec(), clients());
            ready_for(options, &options.command, Some(watch))?.record(options, on_status)?
        }
    };
    Ok(outcome)
}

/// Records the container that a prepared command line starts, under the filter that it was prepared with.
///
/// # Errors
/// As for [`record`].
pub fn record_prepared(
    options: &Options,
    prepared: &Prepared,
    engine: &Engine,
    on_status: OnStatus<'_>,
) -> Result<Outcome, RecordError> {
    let watch = Watch::marked(prepared.marker, prepared.cidfile.clone(), engine.clone());
    let ready = ready_for(options, &prepared.argv, Some(watch))?;
    let mut outcome = ready.record(options, on_status)?;
    for completion in outcome.recording.completions.values_mut() {
        completion.notes.extend(prepared.notes.iter().cloned());
    }
    Ok(outcome)
}

/// Why containers are not recorded.
#[derive(Debug, thiserror::Error)]
pub enum ContainerError {
    /// The command starts none.
    #[error(
        "the command starts no container: give docker or podman run, start or exec, or --container NAME"
    )]
    NoContainer,
    /// The command line can't be prepared.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The recording failed.
    #[error(transparent)]
    Record(#[from] RecordError),
}

#[cfg_attr(not(bpf), expect(unused_variables, reason = "there are no programs to load"))]
fn ready_for(
    options: &Options,
    command: &[OsString],
    watch: Option<Watch>,
) -> Result<Ready, RecordError> {
    #[cfg(bpf)]
    return Ok(Ready { ready: recorder::Recorder::new(options, watch).ready(options, command)? });
    #[cfg(not(bpf))]
    Err(not_built())
}

/// Whether this backend can be used here and now, by loading its programs; the error says why not and what to do.
///
/// # Errors
/// [`RecordError::Unavailable`] when it can't.
pub fn usable() -> Result<(), RecordError> {
    #[cfg(bpf)]
    return recorder::usable();
    #[cfg(not(bpf))]
    Err(not_built())
}

/// A capability check that the kernel made for a command.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Check {
    /// The program that it was made for.
    pub program: crate::recording::ByteString,
    /// `CAP_…`.
    pub capability: String,
    /// The call that it served; `None` outside of one.
    pub call: Option<String>,
    /// The call's convention.
    pub abi: crate::abi::Abi,
    /// The answer.
    pub granted: bool,
    /// Root was refused, because the capability is not in its bounding set.
    pub bounded: bool,
    /// It was asked where the command was started, and not in a user namespace of its own.
    pub counts: bool,
    /// The call does not depend on the answer.
    pub probe: bool,
    /// How often.
    pub count: u64,
    /// The programs that led to it, nearest first; empty where a recording tells.
    pub ancestors: Vec<crate::recording::ByteString>,
}

/// What was seen of checks.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    /// The checks, in no order.
    pub checks: Vec<Check>,
    /// How much was lost.
    pub lost: u64,
}

/// Watches the capability checks of a command.
pub struct CheckWatch {
    #[cfg(bpf)]
    watching: checks::Watching,
}

impl CheckWatch {
    /// Begins, for a command that waits to be released.
    ///
    /// # Errors
    /// When the kernel refuses the programs, or lets none of its checks be seen.
    #[cfg_attr(not(bpf), expect(unused_variables, reason = "there are no programs to load"))]
    pub fn begin(command: nix::unistd::Pid) -> Result<Self, RecordError> {
        #[cfg(bpf)]
        return Ok(Self { watching: checks::Watching::begin(command)? });
        #[cfg(not(bpf))]
        Err(not_built())
    }

    /// Ends, and tells what was seen.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn finish(self) -> Result<Checks, RecordError> {
        #[cfg(bpf)]
        return self.watching.finish();
        #[cfg(not(bpf))]
        Err(not_built())
    }
}

#[cfg(not(bpf))]
fn not_built() -> RecordError {
    RecordError::Unavailable {
        backend: "ebpf",
        why: "this learn was built without clang".to_owned(),
        remedy: "install clang-19 and build again, or use --backend ptrace".to_owned(),
    }
}
