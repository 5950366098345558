//! Recordings to policies. Pure: no I/O, no clock, no randomness; the same recordings always give the same policy.
//!
//! - [`policy`]: the abstract allowlist, every rule with its evidence
//! - [`pattern`]: paths with classes in them
//! - `syscalls`, `arguments`: calls, and the conditions on their arguments
//! - `decisions`: how each argument was decided, and why
//! - `implied`, `families`, `fallbacks`: calls that were not seen, and why they are allowed or answered
//! - `paths`: files, and how their names are generalised
//! - `capabilities`, `network`, `programs`: the rest
//! - [`explain`]: why something is allowed
//! - [`completeness`]: how much has been seen, and how likely the next unit is to need something new
//! - [`replay`]: which facts a policy would have refused
//! - `units`: the sampling units of a recording
//! - `evidence`: from facts to what justifies a rule

mod arguments;
mod capabilities;
pub mod completeness;
mod decisions;
pub mod domains;
pub mod drift;
mod evidence;
pub mod explain;
mod fallbacks;
mod families;
mod implied;
mod network;
mod paths;
pub mod pattern;
pub mod policy;
mod programs;
pub mod replay;
mod syscalls;
mod training;
mod units;

pub use policy::{Policy, PolicyError};

use std::collections::BTreeSet;

use tracer::recording::{ByteString, Fact, Origin, Recording, Runs, Units};

pub use paths::guards::Settings;
use paths::variation::Sampled;
use policy::Tightness;
use units::Frame;

/// How to learn.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The profile's name.
    pub name: String,
    /// How closely the policy fits what was seen.
    pub tightness: Tightness,
    /// The origins whose facts make rules; empty: all.
    pub origins: BTreeSet<Origin>,
    /// What the project says of its places.
    pub settings: Settings,
    /// The programs whose facts make rules; `None`: all.
    pub programs: Option<BTreeSet<ByteString>>,
}

/// What a rule is made from: a fact, what each run saw of it, and the units that did, by their numbers in the [`Frame`].
pub(crate) type Seens<'a> = (&'a Fact, &'a Runs, &'a Units);

/// Runs that are units are replicas when all are of one command.
fn sampled(recording: &Recording, frame: &Frame) -> Sampled {
    let commands: BTreeSet<_> = recording.runs.values().map(|run| &run.command).collect();
    let named = u32::try_from(frame.named()).unwrap_or(u32::MAX);
    Sampled { replicas_from: if commands.len() == 1 { named } else { u32::MAX } }
}

/// Learns a policy.
///
/// Guarantees: every call, granted file access, needed capability, socket, address, program and signal of the recording (with an
/// origin that is asked for) is allowed by a rule; failed file accesses, refused capabilities and the kernel's own
/// probes make none. An incomplete recording gives a policy that says so: whether to go on is the caller's decision.
pub fn learn(recording: &Recording, options: &Options) -> Policy {
    let frame = Frame::of(recording);
    let with_units: Vec<_> = recording
        .sorted()
        .into_iter()
        .filter(|(fact, _)| options.origins.is_empty() || options.origins.contains(&fact.origin))
        .filter(|(fact, _)| options.programs.as_ref().is_none_or(|all| all.contains(&fact.domain)))
        .map(|(fact, runs)| (fact, runs, frame.that_saw(runs)))
        .collect();
    let facts: Vec<Seens<'_>> =
        with_units.iter().map(|(fact, runs, units)| (*fact, *runs, units)).collect();
    let mut notes = BTreeSet::new();
    let calls = syscalls::rules(&facts, options.tightness, &mut notes);
    let fallbacks = fallbacks::rules(&calls);
    let mut policy = Policy {
        format: policy::FORMAT.to_owned(),
        version: policy::VERSION,
        name: options.name.clone(),
        tightness: options.tightness,
        training: training::of(recording, &facts, &mut notes),
        calls,
        fallbacks,
        files: paths::rules(
            &facts,
            options.tightness,
            sampled(recording, &frame),
            &options.settings,
        ),
        execs: programs::rules(&facts),
        capabilities: capabilities::rules(&facts),
        sockets: network::sockets(&facts),
        addresses: network::addresses(&facts),
        signals: network::signals(&facts),
        saturation: completeness::Saturation::default(),
        notes,
    };
    policy.saturation = completeness::of(&frame, &facts, &policy);
    policy.evidence_mut().for_each(|evidence| frame.tell(evidence));
    policy
}
