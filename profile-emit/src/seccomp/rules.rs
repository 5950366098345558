//! What a profile says of one ABI, by number: its entries as a runtime hands them to libseccomp.

use std::collections::BTreeMap;

use tracer::abi::{Abi, calls};

use super::multiplexed;
use super::oci::{ALLOW, Arg, EPERM, ERRNO, Entry, Profile};

/// What the kernel is to do (seccomp(2), `SECCOMP_RET_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// The call is made.
    Allow,
    /// It returns this error.
    Errno(u16),
    /// It is made, and the kernel notes it.
    Log,
    /// The thread is killed.
    KillThread,
    /// The process is killed.
    KillProcess,
    /// The thread gets `SIGSYS`.
    Trap,
}

impl Action {
    /// What a filter returns for it (linux/seccomp.h).
    pub fn code(self) -> u32 {
        match self {
            Self::Allow => 0x7fff_0000,
            Self::Errno(errno) => 0x0005_0000 | u32::from(errno),
            Self::Log => 0x7ffc_0000,
            Self::KillThread => 0,
            Self::KillProcess => 0x8000_0000,
            Self::Trap => 0x0003_0000,
        }
    }

    fn of(name: &str, errno: Option<u32>) -> Result<Self, Unsupported> {
        Ok(match name {
            ALLOW => Self::Allow,
            // The kernel knows none above 4095 (`MAX_ERRNO`, linux/err.h).
            ERRNO => match u16::try_from(errno.unwrap_or(EPERM)) {
                Ok(errno @ ..=4095) => Self::Errno(errno),
                _ => {
                    return Err(Unsupported {
                        what: "errnoRet",
                        value: errno.unwrap_or(EPERM).to_string(),
                        expected: "at most 4095",
                    });
                }
            },
            "SCMP_ACT_LOG" => Self::Log,
            "SCMP_ACT_KILL" | "SCMP_ACT_KILL_THREAD" => Self::KillThread,
            "SCMP_ACT_KILL_PROCESS" => Self::KillProcess,
            "SCMP_ACT_TRAP" => Self::Trap,
            other => {
                return Err(Unsupported {
                    what: "the action",
                    value: other.to_owned(),
                    expected: "SCMP_ACT_ALLOW, ERRNO, LOG, KILL, KILL_THREAD, KILL_PROCESS or TRAP",
                });
            }
        })
    }
}

/// A profile says something that no filter is made of here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} {value:?} is not supported: expected {expected}")]
pub struct Unsupported {
    /// Which field.
    pub what: &'static str,
    /// Its value.
    pub value: String,
    /// What it may be.
    pub expected: &'static str,
}

/// How an argument is compared, without sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    GreaterOrEqual,
    Greater,
}

/// `argument[index] & mask` compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Test {
    pub(super) index: u8,
    pub(super) comparison: Comparison,
    pub(super) mask: u64,
    pub(super) value: u64,
}

/// An answer, and all that must hold for it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Alternative {
    pub(super) tests: Vec<Test>,
    pub(super) action: Action,
}

/// The answer to calls of an ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rules {
    pub(super) default: Action,
    /// Of each call's alternatives the first that holds decides; none: the default.
    pub(super) calls: BTreeMap<u32, Vec<Alternative>>,
}

/// Reads the rules.
pub(super) fn of(profile: &Profile, abi: Abi) -> Result<Rules, Unsupported> {
    let default = Action::of(&profile.default_action, profile.default_errno_ret)?;
    let mut calls: BTreeMap<u32, Vec<Alternative>> = BTreeMap::new();
    for entry in &profile.syscalls {
        let action = Action::of(&entry.action, entry.errno_ret)?;
        // Runtimes pass over it, since libseccomp takes no rule that says what the default says.
        if action == default {
            continue;
        }
        for tests in alternatives(entry, abi)? {
            for name in entry.calls() {
                let mut add = |number, tests| {
                    calls.entry(number).or_default().push(Alternative { tests, action });
                };
                if let Some(number) = calls::number(abi, name) {
                    add(number, tests.clone());
                }
                let through = multiplexed::through(abi, name);
                if let Some((call, operation)) = through
                    && let Some(number) = calls::number(abi, call)
                {
                    add(number, multiplexed(&tests, operation));
                }
            }
        }
    }
    for alternatives in calls.values_mut() {
        // A rule without conditions replaces those that have some, whichever comes first (libseccomp, db.c).
        if let Some(at) = alternatives.iter().position(|one| one.tests.is_empty()) {
            let only = alternatives.swap_remove(at);
            *alternatives = vec![only];
        }
    }
    Ok(Rules { default, calls })
}

/// The operation takes the place of what is said of the first argument.
fn multiplexed(tests: &[Test], operation: u32) -> Vec<Test> {
    let first = Test {
        index: 0,
        comparison: Comparison::Equal,
        mask: u64::from(u32::MAX),
        value: operation.into(),
    };
    std::iter::once(first).chain(tests.iter().copied().filter(|test| test.index != 0)).collect()
}

/// The conditions of an entry. Several on one argument are alternatives, as runc has it (libcontainer/seccomp, matchCall):
/// libseccomp takes one each.
fn alternatives(entry: &Entry, abi: Abi) -> Result<Vec<Vec<Test>>, Unsupported> {
    let mut tests = entry.args.iter().map(|arg| test(arg, abi)).collect::<Result<Vec<_>, _>>()?;
    let repeated = entry
        .args
        .iter()
        .any(|arg| entry.args.iter().filter(|other| other.index == arg.index).count() > 1);
    if repeated {
        return Ok(tests.into_iter().map(|test| vec![test]).collect());
    }
    tests.sort_unstable();
    Ok(vec![tests])
}

fn test(arg: &Arg, abi: Abi) -> Result<Test, Unsupported> {
    let index = match u8::try_from(arg.index) {
        Ok(index @ 0..=5) => index,
        _ => {
            return Err(Unsupported {
                what: "the argument",
                value: arg.index.to_string(),
                expected: "0 to 5",
            });
        }
    };
    let whole = (u64::MAX, arg.value);
    let (comparison, (mask, value)) = match arg.op.as_str() {
        "SCMP_CMP_NE" => (Comparison::NotEqual, whole),
        "SCMP_CMP_LT" => (Comparison::Less, whole),
        "SCMP_CMP_LE" => (Comparison::LessOrEqual, whole),
        "SCMP_CMP_EQ" => (Comparison::Equal, whole),
        "SCMP_CMP_GE" => (Comparison::GreaterOrEqual, whole),
        "SCMP_CMP_GT" => (Comparison::Greater, whole),
        "SCMP_CMP_MASKED_EQ" => (Comparison::Equal, (arg.value, arg.value_two)),
        other => {
            return Err(Unsupported {
                what: "the comparison",
                value: other.to_owned(),
                expected: "SCMP_CMP_NE, LT, LE, EQ, GE, GT or MASKED_EQ",
            });
        }
    };
    // libseccomp compares 32 bits where registers have no more, or should not have (x32).
    let width = if wide(abi) { u64::MAX } else { u64::from(u32::MAX) };
    Ok(Test { index, comparison, mask: mask & width, value: value & width })
}

/// Arguments have 64 bits.
pub(super) fn wide(abi: Abi) -> bool {
    matches!(abi, Abi::X86_64 | Abi::Aarch64)
}
