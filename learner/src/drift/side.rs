//! What one side allows, whatever it was read from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tracer::abi::{Abi, errno, sockets};
use tracer::recording::ByteString;

use super::arguments::{Alternative, Test, Vectors};
use super::files::FileAllowed;
use crate::Policy;
use crate::policy::{AddressRule, CallRule, Evidence, Rule, word};

/// What one side allows. What it says nothing of is absent, and not compared: a seccomp profile knows no files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// System calls, by ABI; those of an ABI that is missing are all refused.
    pub calls: Option<BTreeMap<Abi, Plane>>,
    /// Files.
    pub files: Option<Vec<FileAllowed>>,
    /// Things that are allowed or not, by their names.
    pub sets: BTreeMap<Kind, BTreeMap<String, Why>>,
    /// The programs that were seen, for who brought something.
    pub programs: BTreeSet<ByteString>,
    /// Kinds of which more is told than is allowed: nothing is proved to lie within this side.
    pub told_wider: BTreeSet<Kind>,
}

/// Kinds of thing that are allowed or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// What happens to calls that nothing names.
    Default,
    /// A system call.
    Call,
    /// A capability.
    Capability,
    /// A program that may be run.
    Program,
    /// A file.
    File,
    /// A kind of socket.
    Socket,
    /// An address or port.
    Address,
    /// A signal.
    Signal,
    /// The profile that a program is run under, when that is another one or none.
    Transition,
}

impl Kind {
    /// Its name in texts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::Call => "call",
            Self::Capability => "capability",
            Self::Program => "program",
            Self::File => "file",
            Self::Socket => "socket",
            Self::Address => "address",
            Self::Signal => "signal",
            Self::Transition => "transition",
        }
    }
}

/// Who brought a thing, where the side tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Why {
    /// The programs that needed it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub programs: BTreeSet<ByteString>,
    /// The units that it was seen in.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub units: BTreeSet<String>,
}

/// The calls of an ABI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// The answer to those that are not named.
    pub default: Answer,
    /// Those that are, by name, or by number where there is none.
    pub calls: BTreeMap<String, Call>,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The arguments with which it is made.
    pub allowed: Vectors,
    /// Those with which a tracer or supervisor decides. Both sets have no vector in common.
    pub asked: Vectors,
    /// The answer to others.
    pub otherwise: Answer,
    /// Who needed it.
    pub why: Why,
}

impl Call {
    /// One that is answered in the same way whatever its arguments are.
    pub fn answered(answer: Answer) -> Self {
        let all_if = |outcome| match answer.outcome() == outcome {
            true => Vectors::all(),
            false => Vectors::none(),
        };
        Self {
            allowed: all_if(Outcome::Made),
            asked: all_if(Outcome::Asked),
            otherwise: answer,
            why: Why::default(),
        }
    }

    /// The arguments with which it may be made.
    pub(super) fn possible(&self) -> Vectors {
        let mut all = self.allowed.clone();
        all.add(&self.asked);
        all
    }
}

/// An answer to a call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It is made.
    Allowed,
    /// It returns this error.
    Errno(u32),
    /// Another action, by its name.
    Other(String),
}

/// What becomes of a call, the more the later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// It is not made.
    Refused,
    /// It may be: a tracer or a supervisor decides.
    Asked,
    /// It is made.
    Made,
}

impl Answer {
    /// What becomes of the call (seccomp(2), `SECCOMP_RET_…`).
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Allowed => Outcome::Made,
            Self::Other(action) => match action.as_str() {
                "SCMP_ACT_LOG" => Outcome::Made,
                "SCMP_ACT_NOTIFY" | "SCMP_ACT_TRACE" => Outcome::Asked,
                _ => Outcome::Refused,
            },
            Self::Errno(_) => Outcome::Refused,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Errno(number) => {
                write!(
                    f,
                    "refused with {}",
                    errno::name(i32::try_from(*number).unwrap_or(i32::MAX))
                )
            }
            Self::Other(action) => write!(f, "answered {action}"),
        }
    }
}

/// `EPERM` and `ENOSYS` (asm-generic/errno-base.h, errno.h).
const EPERM: u32 = 1;
const ENOSYS: u32 = 38;

impl Side {
    /// What a policy allows.
    pub fn of(policy: &Policy) -> Self {
        let mut planes = BTreeMap::new();
        let plane = || Plane { default: Answer::Errno(EPERM), calls: BTreeMap::new() };
        for Rule { allow, evidence } in &policy.calls {
            let name = allow.name.clone().unwrap_or_else(|| allow.nr.to_string());
            let call = Call {
                allowed: vectors(allow),
                asked: Vectors::none(),
                otherwise: Answer::Errno(EPERM),
                why: evidence.into(),
            };
            planes.entry(allow.abi).or_insert_with(plane).calls.insert(name, call);
        }
        for fallback in &policy.fallbacks {
            let plane = planes.entry(fallback.abi).or_insert_with(plane);
            let unavailable = || Call::answered(Answer::Errno(ENOSYS));
            plane.calls.entry(fallback.name.clone()).or_insert_with(unavailable);
        }
        let mut side = Self {
            calls: Some(planes),
            files: Some(policy.files.iter().map(FileAllowed::of).collect()),
            programs: policy.training.programs.clone(),
            ..Self::default()
        };
        // What is run stays under the policy.
        side.sets.insert(Kind::Transition, BTreeMap::new());
        side.add(Kind::Capability, &policy.capabilities, |rule| rule.name.clone());
        side.add(Kind::Program, &policy.execs, |rule| rule.path.to_string());
        side.add(Kind::Socket, &policy.sockets, |rule| {
            let (family, kind) = (sockets::family(rule.family), sockets::kind(rule.kind));
            format!("{family} {kind} {}", rule.protocol)
        });
        side.add(Kind::Address, &policy.addresses, address);
        side.add(Kind::Signal, &policy.signals, |rule| {
            format!("{} to {}", rule.signal, if rule.inside { "its own" } else { "others" })
        });
        side
    }

    /// What it says something of.
    pub fn kinds(&self) -> BTreeSet<Kind> {
        let calls = self.calls.as_ref().map(|_| Kind::Call);
        let files = self.files.as_ref().map(|_| Kind::File);
        self.sets.keys().copied().chain(calls).chain(files).collect()
    }

    fn add<T>(&mut self, kind: Kind, rules: &[Rule<T>], name: impl Fn(&T) -> String) {
        let set = self.sets.entry(kind).or_default();
        for rule in rules {
            let why: &mut Why = set.entry(name(&rule.allow)).or_default();
            why.add(&(&rule.evidence).into());
        }
    }
}

impl Why {
    fn add(&mut self, other: &Self) {
        self.programs.extend(other.programs.iter().cloned());
        self.units.extend(other.units.iter().cloned());
    }
}

impl From<&Evidence> for Why {
    fn from(evidence: &Evidence) -> Self {
        Self {
            programs: evidence.programs.iter().cloned().collect(),
            units: evidence.units.clone(),
        }
    }
}

/// The arguments that a rule allows. It compares low halves.
fn vectors(rule: &CallRule) -> Vectors {
    if rule.when.is_empty() {
        return Vectors::all();
    }
    let alternative = |all: &Vec<crate::policy::Condition>| -> Alternative {
        let test = |c: &crate::policy::Condition| {
            Test::masked(c.index, u64::from(c.mask), u64::from(c.value))
        };
        all.iter().map(test).collect()
    };
    Vectors(rule.when.iter().map(alternative).collect())
}

fn address(rule: &AddressRule) -> String {
    let mut words = vec![word(rule.action).unwrap_or_default(), sockets::family(rule.family)];
    words.extend(rule.class.as_ref().map(ToString::to_string));
    words.extend(rule.port.map(|port| format!("port {port}")));
    words.extend(rule.path.as_ref().map(ToString::to_string));
    words.join(" ")
}
