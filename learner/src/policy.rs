//! The policy: the abstract allowlist that a reviewer reads, each rule with its evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use ecow::EcoString;
use enumset::EnumSet;
use serde::{Deserialize, Serialize};
use tracer::abi::Abi;
use tracer::recording::{
    Access, ByteString, Degree, FactKind, FewMap, FewSet, Origin, Phase, Units,
};

use crate::completeness::Saturation;

/// The value of `format` in a policy file.
pub const FORMAT: &str = "learn-policy";
/// The version that is written, and the newest that is read.
pub const VERSION: u32 = 2;

/// Why a text is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It is something else.
    #[error("not a policy: expected \"format\":\"{FORMAT}\"; make one with `learn generate`")]
    NotAPolicy,
    /// A newer `learn` wrote it.
    #[error(
        "policy format {0} is newer than {VERSION}, the newest that this learn reads; update learn"
    )]
    Newer(u64),
    /// It is damaged.
    #[error("line {line}, column {column}: {what}")]
    Malformed {
        /// The line.
        line: usize,
        /// The column.
        column: usize,
        /// What is wrong there.
        what: String,
    },
}

impl Policy {
    /// The policy as it is kept in a file.
    pub fn to_json(&self) -> String {
        let mut text = Vec::new();
        // Memory takes everything.
        let _written = self.write_json(&mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    /// Writes the policy as it is kept in a file, which may be as large as the policy is in memory.
    ///
    /// # Errors
    /// When `to` takes no more.
    pub fn write_json(&self, mut to: impl io::Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut to, self)?;
        to.write_all(b"\n")
    }

    /// The evidence of all rules.
    pub(crate) fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        let Self { calls, files, execs, capabilities, sockets, addresses, signals, .. } = self;
        let calls = calls.iter_mut().map(|rule| &mut rule.evidence);
        calls
            .chain(files.iter_mut().map(|rule| &mut rule.evidence))
            .chain(execs.iter_mut().map(|rule| &mut rule.evidence))
            .chain(capabilities.iter_mut().map(|rule| &mut rule.evidence))
            .chain(sockets.iter_mut().map(|rule| &mut rule.evidence))
            .chain(addresses.iter_mut().map(|rule| &mut rule.evidence))
            .chain(signals.iter_mut().map(|rule| &mut rule.evidence))
    }

    /// Reads a policy.
    ///
    /// # Errors
    /// When it is none, is damaged, or a newer version wrote it.
    pub fn from_json(text: &[u8]) -> Result<Self, PolicyError> {
        let malformed = |e: serde_json::Error| PolicyError::Malformed {
            line: e.line(),
            column: e.column(),
            what: e.to_string(),
        };
        let value: serde_json::Value = serde_json::from_slice(text).map_err(malformed)?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            return Err(PolicyError::NotAPolicy);
        }
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version > u64::from(VERSION) => Err(PolicyError::Newer(version)),
            _ => serde_json::from_slice(text).map_err(malformed),
        }
    }
}

/// What a program may do, learned from recordings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`] of the writer.
    pub version: u32,
    /// The profile's name.
    pub name: String,
    /// How closely it fits what was seen.
    pub tightness: Tightness,
    /// What it was learned from.
    pub training: Training,
    /// The system calls allowed; everything else is refused.
    pub calls: Vec<Rule<CallRule>>,
    /// Calls answered with `ENOSYS`, so that libc falls back to what is allowed.
    pub fallbacks: Vec<FallbackRule>,
    /// The files.
    pub files: Vec<Rule<FileRule>>,
    /// The programs that may be run.
    pub execs: Vec<Rule<ExecRule>>,
    /// The capabilities, over none at all.
    pub capabilities: Vec<Rule<CapabilityRule>>,
    /// The sockets.
    pub sockets: Vec<Rule<SocketRule>>,
    /// The addresses: ports, unix sockets.
    pub addresses: Vec<Rule<AddressRule>>,
    /// The signals sent to others.
    pub signals: Vec<Rule<SignalRule>>,
    /// How much the training has shown of what its units need. Version 1 had none.
    #[serde(default)]
    pub saturation: Saturation,
    /// What a reviewer should know: sentences.
    pub notes: BTreeSet<String>,
}

/// How closely a policy fits what was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tightness {
    /// As seen.
    Strict,
    /// Known classes of names are generalised.
    #[default]
    Balanced,
    /// Closed under the calls that libc and architectures swap.
    Portable,
}

/// What a policy was learned from. Holds nothing that differs between equal runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// How many runs.
    pub runs: u64,
    /// The commands, sorted.
    pub commands: BTreeSet<Vec<ByteString>>,
    /// The backends.
    pub backends: BTreeSet<String>,
    /// The worst degree of each kind of fact over the runs.
    pub fidelity: BTreeMap<FactKind, Degree>,
    /// Nothing was lost.
    pub complete: bool,
    /// Why not, and what.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub incomplete_because: BTreeSet<String>,
    /// The programs seen.
    pub programs: BTreeSet<ByteString>,
}

/// One line of a policy, with what justifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule<T> {
    /// What is allowed.
    #[serde(flatten)]
    pub allow: T,
    /// Why.
    pub evidence: Evidence,
}

/// What justifies a rule: what the facts behind it say together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The programs that needed it.
    pub programs: FewSet<ByteString>,
    /// How their processes were started.
    pub origins: EnumSet<Origin>,
    /// How often it was seen, over all runs.
    pub count: u64,
    /// `count` is a lower bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub at_least: bool,
    /// How it ended: `ok` or the errno's name.
    #[serde(default, skip_serializing_if = "FewMap::is_empty")]
    pub outcomes: FewMap<EcoString, u64>,
    /// In how many runs it was seen.
    pub runs: u64,
    /// Some of the named units that it was seen in. Version 1 had all of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub units: BTreeSet<String>,
    /// In how many units it was seen; a run without named ones is one itself. Version 1 had no number.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub in_units: u64,
    /// The phases it was seen in.
    #[serde(default, skip_serializing_if = "EnumSet::is_empty")]
    pub phases: EnumSet<Phase>,
    /// The units by their numbers, while a policy is made: a finished one has none.
    #[serde(skip)]
    pub seen_by: Units,
    /// Of a file rule that was widened because names vary: how many different paths it stands for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub paths: u64,
    /// Some of them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub examples: BTreeSet<ByteString>,
    /// How it was widened beyond what was seen, in a sentence; absent for a rule that is exactly what was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generalised: Option<String>,
    /// For a call: how each argument that means something was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arguments: Vec<Decision>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// How an argument of a call was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Its position; absent for what lies in memory, where no filter can read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<u8>,
    /// Its name in the manual, or what lies in memory.
    pub name: String,
    /// What is allowed of it.
    pub allowed: Allowed,
    /// Why, in a sentence.
    pub why: String,
}

/// What is allowed of an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Allowed {
    /// Values, one by one.
    Values,
    /// Any combination of some bits.
    Bits,
    /// Anything: no rule limits it.
    Any,
}

/// A system call.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CallRule {
    /// The calling convention.
    pub abi: Abi,
    /// The number.
    pub nr: u32,
    /// The name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The combinations of arguments that are allowed (one of them must match); empty: any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Vec<Condition>>,
}

/// A condition on one argument, compared in its low 32 bits: `argument & mask == value`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The argument's position.
    pub index: u8,
    /// The bits compared.
    pub mask: u32,
    /// What they must be.
    pub value: u32,
}

impl Condition {
    /// An argument with this value meets it.
    pub fn holds(&self, argument: u64) -> bool {
        tracer::decode::low(argument) & self.mask == self.value
    }
}

/// The word that policies have for one of few values.
pub(crate) fn word(value: impl Serialize) -> Option<String> {
    serde_json::to_value(value).ok()?.as_str().map(str::to_owned)
}

/// A call that is answered instead of allowed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FallbackRule {
    /// The calling convention.
    pub abi: Abi,
    /// The number.
    pub nr: u32,
    /// The name.
    pub name: String,
    /// What libc does instead.
    pub instead: String,
}

/// A file, or a class of files.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileRule {
    /// The path.
    pub path: Pattern,
    /// What may be done to it.
    pub access: BTreeSet<Access>,
    /// Only by the file's owner: every access seen was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owner: bool,
    /// The existing files that it may become another name of, by `link`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub links_to: BTreeSet<Pattern>,
    /// The names that it may get by `rename`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub renames_to: BTreeSet<Pattern>,
}

/// A path with classes in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub Vec<Part>);

/// A part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Part {
    /// These bytes.
    Literal(ByteString),
    /// One of a class.
    Class {
        /// The class.
        class: Class,
    },
}

/// What a generalised part of a path may be. No class matches `/`, nor the empty string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A process or thread id.
    Pid,
    /// One to ten decimal digits.
    Number,
    /// What mktemp(3), Python's tempfile, SQLite and their like make up: six to sixteen letters, digits or underscores.
    Mktemp,
    /// One to 64 hexadecimal digits, small.
    Hex,
    /// 36 small hexadecimal digits and dashes.
    Uuid,
    /// A date, time or version: one to 32 digits, `-`, `.`, `:`, `+`, `_`, `T` or `Z`.
    Stamp,
    /// Any name at all.
    Name,
}

/// A program that may be run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExecRule {
    /// The file, which may be a script. Never generalised.
    pub path: ByteString,
    /// The interpreter that the kernel runs for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interpreter: Option<ByteString>,
    /// The ELF loaders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loader: Option<ByteString>,
}

impl ExecRule {
    /// The program that the kernel runs then.
    pub fn runs(&self) -> &ByteString {
        self.interpreter.as_ref().unwrap_or(&self.path)
    }
}

/// A capability.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CapabilityRule {
    /// `CAP_…`.
    pub name: String,
    /// The calls that it served.
    pub calls: BTreeSet<String>,
}

/// A kind of socket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SocketRule {
    /// `AF_…` number.
    pub family: u32,
    /// `SOCK_…` number.
    #[serde(rename = "type")]
    pub kind: u32,
    /// Protocol number.
    pub protocol: u32,
}

/// An address that a socket was given, or a peer's.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AddressRule {
    /// bind, listen, connect or send.
    pub action: tracer::recording::SocketAction,
    /// `AF_…` number.
    pub family: u32,
    /// Port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The address's class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Box<str>>,
    /// A unix socket's path, or `@name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<ByteString>,
}

/// A signal that was sent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SignalRule {
    /// The signal's number.
    pub signal: u32,
    /// To a process in the recorded tree.
    pub inside: bool,
}
