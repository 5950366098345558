//! What a profile allows, call by call: for comparing it with others.

use std::collections::{BTreeMap, BTreeSet};

use learner::drift::arguments::{Alternative, Test, Vectors};
use learner::drift::side::{Call, Outcome, Plane, Why};
use tracer::abi::Abi;

use super::oci::{Arg, Entry, Filter, Profile};
use super::rules::wide;
use super::simulate::{Answer, answer};
use crate::Note;

/// Where Docker's entries count that count only somewhere (moby/profiles, seccomp/seccomp_linux.go).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The container's capabilities, `CAP_…`.
    pub capabilities: BTreeSet<String>,
    /// The architecture, as Go names it.
    pub architecture: String,
    /// The kernel: its first two numbers.
    pub kernel: (u32, u32),
}

/// Why a profile can't be compared.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MeaningError {
    /// A comparison that is not known.
    #[error(
        "the entry for {call} compares with {op:?}: expected SCMP_CMP_NE, LT, LE, EQ, GE, GT or MASKED_EQ"
    )]
    Comparison {
        /// The first call of the entry.
        call: String,
        /// The comparison.
        op: String,
    },
    /// An argument that no call has.
    #[error("the entry for {call} has a condition on argument {index}: expected 0 to 5")]
    Argument {
        /// The first call of the entry.
        call: String,
        /// The argument.
        index: u32,
    },
    /// Answers to a call that are too many to compare.
    #[error("the entries for {0} answer its arguments in too many ways to compare")]
    Intricate(String),
    /// An action that is not known.
    #[error(
        "the action {0:?}: expected SCMP_ACT_ALLOW, ERRNO, KILL, KILL_PROCESS, KILL_THREAD, LOG, NOTIFY, TRACE or TRAP"
    )]
    Action(String),
    /// A kernel version that is none.
    #[error("minKernel is {0:?}: expected two numbers, as in \"4.8\"")]
    Kernel(String),
}

/// The actions of runtime-spec, config-linux.md.
const ACTIONS: [&str; 9] = [
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_TRAP",
];

/// What no filter at all allows: everything, under each ABI that x86-64 has.
pub fn unconfined() -> BTreeMap<Abi, Plane> {
    let open = || Plane { default: Answer::Allowed, calls: BTreeMap::new() };
    [Abi::X86_64, Abi::I386, Abi::X32].into_iter().map(|abi| (abi, open())).collect()
}

/// What a profile says that is not compared: other architectures, and names that no system call has; a runtime passes both over.
pub fn unread(profile: &Profile) -> Vec<Note> {
    let judged: BTreeSet<&str> = profile.abis().iter().map(|abi| abi.scmp_name()).collect();
    let named = profile.architectures.iter().map(String::as_str);
    let others: Vec<&str> = named.filter(|name| !judged.contains(name)).collect();
    let known = |name: &str| {
        [Abi::X86_64, Abi::I386, Abi::X32, Abi::Aarch64].iter().any(|abi| tracer::abi::calls::number(*abi, name).is_some())
            // Those of other architectures.
            || libseccomp::ScmpSyscall::from_name(name).is_ok()
    };
    let calls = profile.syscalls.iter().flat_map(Entry::calls);
    let unknown: BTreeSet<&str> = calls.filter(|name| !known(name)).collect();
    let mut notes = Vec::new();
    if !others.is_empty() {
        notes.push(format!("not compared: the calls of {}", others.join(", ")));
    }
    if !unknown.is_empty() {
        let names: Vec<&str> = unknown.into_iter().collect();
        notes.push(format!("no system call has the name {}", names.join(", ")));
    }
    notes
}

/// The calls that a profile allows, by ABI; of Docker's form those that it allows in the context.
///
/// The meaning is that of [`super::simulate`], and a test compares both. What i386 can do through `socketcall` and `ipc` is told
/// of the calls themselves.
///
/// # Errors
/// When an entry says what is not known.
pub fn planes(profile: &Profile, context: &Context) -> Result<BTreeMap<Abi, Plane>, MeaningError> {
    let actions = profile.syscalls.iter().map(|entry| &entry.action);
    if let Some(other) =
        actions.chain([&profile.default_action]).find(|a| !ACTIONS.contains(&a.as_str()))
    {
        return Err(MeaningError::Action(other.clone()));
    }
    let default = answer(&profile.default_action, profile.default_errno_ret);
    let mut counting = Vec::new();
    for entry in &profile.syscalls {
        if counts(entry, context)? && answer(&entry.action, entry.errno_ret) != default {
            counting.push(entry);
        }
    }
    let mut planes = BTreeMap::new();
    for abi in abis(profile, context) {
        let mut by_name: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
        for entry in &counting {
            for name in entry.calls().filter(|name| tracer::abi::calls::number(abi, name).is_some())
            {
                by_name.entry(name).or_default().push(entry);
            }
        }
        let mut calls = BTreeMap::new();
        for (name, entries) in by_name {
            calls.insert(name.to_owned(), call(abi, name, &entries, &default)?);
        }
        planes.insert(abi, Plane { default: default.clone(), calls });
    }
    Ok(planes)
}

/// The ABIs that are judged: all that are named, of Docker's map only those that belong to the native one.
fn abis(profile: &Profile, context: &Context) -> Vec<Abi> {
    // runtime-spec, config-linux.md; Go's names are those of go/src/internal/syslist.
    let native = match context.architecture.as_str() {
        "amd64" => "SCMP_ARCH_X86_64",
        "arm64" => "SCMP_ARCH_AARCH64",
        "386" => "SCMP_ARCH_X86",
        _ => "",
    };
    let mut own = profile.clone();
    own.arch_map.retain(|map| map.architecture == native);
    if profile.architectures.is_empty() && profile.arch_map.is_empty() {
        // Without any, a runtime adds its own.
        own.architectures.push(native.to_owned());
    }
    own.abis()
}

fn counts(entry: &Entry, context: &Context) -> Result<bool, MeaningError> {
    let newer = |filter: &Filter| -> Result<Option<bool>, MeaningError> {
        let Some(least) = &filter.min_kernel else { return Ok(None) };
        let numbers = least.split_once('.').and_then(|(major, minor)| {
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        });
        let numbers = numbers.ok_or_else(|| MeaningError::Kernel(least.clone()))?;
        Ok(Some(context.kernel >= numbers))
    };
    let (includes, excludes) = (&entry.includes, &entry.excludes);
    let excluded = excludes.arches.contains(&context.architecture)
        || !excludes.caps.is_disjoint(&context.capabilities)
        || newer(excludes)? == Some(true);
    let included = (includes.arches.is_empty() || includes.arches.contains(&context.architecture))
        && includes.caps.is_subset(&context.capabilities)
        && newer(includes)? != Some(false);
    Ok(included && !excluded)
}

/// What several entries say of one call: without conditions the first decides, else the first whose conditions hold.
fn call(abi: Abi, name: &str, entries: &[&Entry], default: &Answer) -> Result<Call, MeaningError> {
    let of = |entry: &Entry| answer(&entry.action, entry.errno_ret);
    if let Some(entry) = entries.iter().find(|entry| entry.args.is_empty()) {
        return Ok(Call::answered(of(entry)));
    }
    // Each vector belongs to what becomes of it, and what came first has it.
    let mut sets: BTreeMap<Outcome, Vectors> = BTreeMap::new();
    let add = |sets: &mut BTreeMap<Outcome, Vectors>, outcome, vectors: Vectors| {
        let others = sets.iter().filter(|(other, _)| **other != outcome);
        let rest = others.map(|(_, set)| set).try_fold(vectors, |rest, set| rest.without(set));
        rest.map(|rest| sets.entry(outcome).or_default().add(&rest))
            .ok_or_else(|| MeaningError::Intricate(name.to_owned()))
    };
    for entry in entries {
        add(&mut sets, of(entry).outcome(), vectors(abi, name, &entry.args)?)?;
    }
    if default.outcome() != Outcome::Refused {
        add(&mut sets, default.outcome(), Vectors::all())?;
    }
    // What some arguments are answered besides is not told apart.
    let refusals = [default.clone()].into_iter().chain(entries.iter().map(|entry| of(entry)));
    let otherwise = refusals.into_iter().find(|answer| answer.outcome() == Outcome::Refused);
    Ok(Call {
        allowed: sets.remove(&Outcome::Made).unwrap_or_default(),
        asked: sets.remove(&Outcome::Asked).unwrap_or_default(),
        otherwise: otherwise.unwrap_or_else(|| default.clone()),
        why: Why::default(),
    })
}

/// The arguments for which conditions hold. Several on one argument are alternatives, as for runc.
fn vectors(abi: Abi, name: &str, args: &[Arg]) -> Result<Vectors, MeaningError> {
    let tests: Vec<Test> = args.iter().map(|arg| test(abi, name, arg)).collect::<Result<_, _>>()?;
    let indexes: BTreeSet<u32> = args.iter().map(|arg| arg.index).collect();
    let alone = |test: Test| Alternative::from([test]);
    Ok(Vectors(match indexes.len() < args.len() {
        true => tests.into_iter().map(alone).collect(),
        false => BTreeSet::from([tests.into_iter().collect()]),
    }))
}

/// Arguments have 32 bits where the ABI has no more.
fn test(abi: Abi, name: &str, arg: &Arg) -> Result<Test, MeaningError> {
    let index = u8::try_from(arg.index)
        .ok()
        .filter(|index| *index < 6)
        .ok_or_else(|| MeaningError::Argument { call: name.to_owned(), index: arg.index })?;
    let width = if wide(abi) { u64::MAX } else { u64::from(u32::MAX) };
    let value = arg.value & width;
    Ok(match arg.op.as_str() {
        "SCMP_CMP_NE" => !Test::masked(index, width, value),
        "SCMP_CMP_LT" => Test::below(index, value),
        "SCMP_CMP_LE" => Test::up_to(index, value),
        "SCMP_CMP_EQ" => Test::masked(index, width, value),
        "SCMP_CMP_GE" => !Test::below(index, value),
        "SCMP_CMP_GT" => !Test::up_to(index, value),
        "SCMP_CMP_MASKED_EQ" => Test::masked(index, value, arg.value_two & width),
        op => {
            return Err(MeaningError::Comparison { call: name.to_owned(), op: op.to_owned() });
        }
    })
}
