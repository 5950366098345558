//! What is counted: the rules that facts need.
//!
//! A fact is news when no rule of the others would have allowed it. So a call counts by its number and by the alternative that its
//! arguments match, a file by its rule and access, and everything that is never generalised as it is.

use std::collections::BTreeMap;

use tracer::abi::Abi;
use tracer::recording::{Access, Args, ByteString, SocketAction, What, succeeded};

use super::Kind;
use crate::Seens;
use crate::paths;
use crate::policy::{CallRule, Policy};
use crate::replay::alternative;

/// Something that a unit needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needed<'a> {
    Call(Abi, u32),
    /// With an alternative of its arguments, by its place in the rule.
    Arguments(Abi, u32, usize),
    /// By the rule's place in the policy.
    File(usize, Access),
    Exec(&'a ByteString),
    Capability(&'a str),
    Socket(u32, u32, u32),
    Address(SocketAction, u32, Option<u16>, Option<&'a str>, Option<&'a ByteString>),
    Signal(u32, bool),
}

/// A policy's rules, to be found by what they allow.
pub(super) struct Needs<'p> {
    calls: BTreeMap<(Abi, u32), &'p CallRule>,
    literal: BTreeMap<&'p [u8], usize>,
    patterns: Vec<(usize, &'p crate::policy::Pattern)>,
}

impl<'p> Needs<'p> {
    pub(super) fn of(policy: &'p Policy) -> Self {
        let mut needs = Self {
            calls: policy.calls.iter().map(|r| ((r.allow.abi, r.allow.nr), &r.allow)).collect(),
            literal: BTreeMap::new(),
            patterns: Vec::new(),
        };
        for (at, rule) in policy.files.iter().enumerate() {
            match rule.allow.path.as_literal() {
                Some(path) => _ = needs.literal.insert(path.as_bytes(), at),
                None => needs.patterns.push((at, &rule.allow.path)),
            }
        }
        needs
    }

    /// What a fact needs; nothing when it makes no rule.
    pub(super) fn of_fact<'a>(&self, (fact, runs, _): Seens<'a>) -> Vec<(Kind, Needed<'a>)> {
        let one = |kind, need| if succeeded(runs) { vec![(kind, need)] } else { Vec::new() };
        match &fact.what {
            What::Call { abi, nr, args, .. } => {
                let mut all = vec![(Kind::Call, Needed::Call(*abi, *nr))];
                let alternative =
                    self.calls.get(&(*abi, *nr)).and_then(|rule| of_values(rule, args.as_ref()?));
                all.extend(
                    alternative.map(|at| (Kind::Argument, Needed::Arguments(*abi, *nr, at))),
                );
                all
            }
            What::File { path, access, .. } if paths::granted(*access, runs) => {
                let rule = self.file(path.as_bytes());
                rule.map(|at| (Kind::File, Needed::File(at, *access))).into_iter().collect()
            }
            What::File { .. } | What::Denied { .. } => Vec::new(),
            What::Exec { path, .. } => one(Kind::Exec, Needed::Exec(path)),
            What::Capability { name, initial_namespace: true, probe: false, .. } => {
                one(Kind::Capability, Needed::Capability(name))
            }
            What::Capability { .. } => Vec::new(),
            What::Socket { family, kind, protocol } => {
                one(Kind::Socket, Needed::Socket(*family, *kind, *protocol))
            }
            What::Address { action, family, port, class, path } => {
                let port = crate::network::kept(*action, *port);
                let need = Needed::Address(*action, *family, port, class.as_deref(), path.as_ref());
                one(Kind::Address, need)
            }
            What::Signal { signal, inside } => one(Kind::Signal, Needed::Signal(*signal, *inside)),
        }
    }

    /// The rule for a path.
    fn file(&self, path: &[u8]) -> Option<usize> {
        let pattern = || self.patterns.iter().find(|(_, pattern)| pattern.matches(path));
        self.literal.get(path).copied().or_else(|| pattern().map(|(at, _)| *at))
    }
}

/// The alternative of a rule that a call's arguments match, where they are known.
fn of_values(rule: &CallRule, args: &Args) -> Option<usize> {
    match args {
        Args::Values(values) => alternative(rule, values),
        Args::Many => None,
    }
}
