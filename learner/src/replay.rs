//! Which facts of a recording a policy would have refused.

use std::collections::{BTreeMap, BTreeSet};

use tracer::abi::Abi;
use tracer::recording::{Access, Args, ByteString, Fact, Recording, Runs, What, succeeded};

use crate::network;
use crate::paths;
use crate::policy::{CallRule, Condition, FileRule, Policy};

/// A policy's rules, to be found by what they allow.
pub struct Replay<'p> {
    policy: &'p Policy,
    calls: BTreeMap<(Abi, u32), &'p CallRule>,
    fallbacks: BTreeSet<(Abi, u32)>,
    literal: BTreeMap<&'p [u8], Vec<&'p FileRule>>,
    patterns: Vec<&'p FileRule>,
}

impl<'p> Replay<'p> {
    /// Of this policy.
    pub fn of(policy: &'p Policy) -> Self {
        let mut replay = Self {
            policy,
            calls: policy.calls.iter().map(|r| ((r.allow.abi, r.allow.nr), &r.allow)).collect(),
            fallbacks: policy.fallbacks.iter().map(|rule| (rule.abi, rule.nr)).collect(),
            literal: BTreeMap::new(),
            patterns: Vec::new(),
        };
        for rule in &policy.files {
            match rule.allow.path.as_literal() {
                Some(path) => {
                    replay.literal.entry(path.as_bytes()).or_default().push(&rule.allow);
                }
                None => replay.patterns.push(&rule.allow),
            }
        }
        replay
    }

    /// The facts of a recording that would have been refused, of those that make rules.
    pub fn refused<'r>(&self, recording: &'r Recording) -> Vec<&'r Fact> {
        let facts = recording.sorted().into_iter();
        facts.filter(|(fact, runs)| !self.allows(fact, runs)).map(|(fact, _)| fact).collect()
    }

    /// The fact would not have been refused; nor is one that was refused already, or not needed.
    pub fn allows(&self, fact: &Fact, runs: &Runs) -> bool {
        let policy = self.policy;
        match &fact.what {
            What::Call { abi, nr, args, .. } => self.allows_call(*abi, *nr, args.as_ref()),
            What::File { path, access, target } => {
                !paths::granted(*access, runs) || self.allows_file(path, *access, target.as_ref())
            }
            What::Denied { .. } => true,
            _ if !succeeded(runs) => true,
            What::Exec { path, .. } => policy.execs.iter().any(|rule| rule.allow.path == *path),
            What::Capability { name, initial_namespace: true, probe: false, .. } => {
                policy.capabilities.iter().any(|rule| rule.allow.name == *name)
            }
            What::Capability { .. } => true,
            What::Socket { family, kind, protocol } => policy.sockets.iter().any(|rule| {
                let rule = &rule.allow;
                (rule.family, rule.kind, rule.protocol) == (*family, *kind, *protocol)
            }),
            What::Address { action, family, port, class, path } => {
                let port = network::kept(*action, *port);
                policy.addresses.iter().any(|rule| {
                    let rule = &rule.allow;
                    rule.action == *action
                        && rule.family == *family
                        && rule.port == port
                        && rule.class == *class
                        && rule.path == *path
                })
            }
            What::Signal { signal, inside } => policy
                .signals
                .iter()
                .any(|rule| rule.allow.signal == *signal && rule.allow.inside == *inside),
        }
    }

    fn allows_call(&self, abi: Abi, nr: u32, args: Option<&Args>) -> bool {
        match (self.calls.get(&(abi, nr)), args) {
            (None, _) => self.fallbacks.contains(&(abi, nr)),
            (Some(rule), _) if rule.when.is_empty() => true,
            (Some(rule), Some(Args::Values(values))) => alternative(rule, values).is_some(),
            // Of more combinations than were kept nobody knows which there were.
            (Some(_), Some(Args::Many) | None) => false,
        }
    }

    fn allows_file(&self, path: &ByteString, access: Access, target: Option<&ByteString>) -> bool {
        let permits = |path: &ByteString, access| {
            self.rules(path.as_bytes()).any(|rule| rule.access.contains(&access))
        };
        match (access, target) {
            (Access::Rename, Some(target)) => {
                permits(path, access) && permits(target, Access::Create)
            }
            (Access::Link, Some(target)) => self.rules(path.as_bytes()).any(|rule| {
                rule.access.contains(&access)
                    && rule.links_to.iter().any(|allowed| allowed.matches(target.as_bytes()))
            }),
            _ => permits(path, access),
        }
    }

    /// The rules whose path this is.
    pub fn rules(&self, path: &[u8]) -> impl Iterator<Item = &'p FileRule> {
        let literal = self.literal.get(path).into_iter().flatten().copied();
        let patterns = self.patterns.iter().copied();
        literal.chain(patterns.filter(|rule| rule.path.matches(path)).collect::<Vec<_>>())
    }
}

/// The alternative of a rule that a call's arguments match.
pub(crate) fn alternative(rule: &CallRule, values: &BTreeMap<u8, u64>) -> Option<usize> {
    let holds = |c: &Condition| c.holds(values.get(&c.index).copied().unwrap_or_default());
    rule.when.iter().position(|all| all.iter().all(holds))
}
