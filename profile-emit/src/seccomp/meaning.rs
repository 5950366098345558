//! What a profile allows, call by call: for comparing it with others.

use std::collections::{BTreeMap, BTreeSet};

use learner::drift::arguments::{Alternative, Test, Vectors};
use learner::drift::side::{Call, Plane, Why};
use tracer::abi::Abi;

use super::oci::{Arg, Entry, Filter, Profile};
use super::rules::wide;
use super::simulate::{Answer, answer};

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
    /// A kernel version that is none.
    #[error("minKernel is {0:?}: expected two numbers, as in \"4.8\"")]
    Kernel(String),
}

/// The calls that a profile allows, by ABI; of Docker's form those that it allows in the context.
///
/// The meaning is that of [`super::simulate`], and a test compares both. What i386 can do through `socketcall` and `ipc` is told
/// of the calls themselves.
///
/// # Errors
/// When an entry says what is not known.
pub fn planes(profile: &Profile, context: &Context) -> Result<BTreeMap<Abi, Plane>, MeaningError> {
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
    let whole = entries.iter().find(|entry| entry.args.is_empty());
    let why = Why::default();
    if let Some(entry) = whole {
        let answer = of(entry);
        let allowed = match answer {
            Answer::Allowed => Vectors::all(),
            _ => Vectors::none(),
        };
        return Ok(Call { allowed, otherwise: answer, why });
    }
    let intricate = || MeaningError::Intricate(name.to_owned());
    let (mut allowed, mut answered) = (Vectors::none(), Vectors::none());
    for entry in entries {
        let vectors = vectors(abi, name, &entry.args)?;
        if of(entry) == Answer::Allowed {
            allowed.add(&vectors.without(&answered).ok_or_else(intricate)?);
        } else {
            answered.add(&vectors.without(&allowed).ok_or_else(intricate)?);
        }
    }
    if *default == Answer::Allowed {
        allowed = Vectors::all().without(&answered).ok_or_else(intricate)?;
    }
    // What some arguments are answered besides is not told apart.
    let otherwise =
        match (default, entries.iter().map(|entry| of(entry)).find(|a| *a != Answer::Allowed)) {
            (Answer::Allowed, Some(answer)) => answer,
            _ => default.clone(),
        };
    Ok(Call { allowed, otherwise, why })
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
