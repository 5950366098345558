//! What can be dropped of a policy: a capability, a call, one of a call's alternatives of arguments.

use std::collections::{BTreeMap, BTreeSet};

use learner::Policy;
use learner::policy::{CallRule, Condition};
use tracer::recording::{Args, Fact, What};

/// Something that can be dropped, by its place in the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Capability(usize),
    Call(usize),
    Alternative(usize, usize),
}

/// The parts of a policy, numbered.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    parts: Vec<Part>,
    /// What each is asked for by.
    asked: Vec<Asked>,
}

/// What a part allows.
#[derive(Clone, Debug)]
enum Asked {
    Capability(String),
    Call { name: String, when: Vec<Condition> },
}

fn name_of(call: &CallRule) -> String {
    call.name.clone().unwrap_or_else(|| call.nr.to_string())
}

impl Rules {
    /// Capabilities first: they are the fewest, and matter most.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut rules = Self { parts: Vec::new(), asked: Vec::new() };
        for (at, rule) in policy.capabilities.iter().enumerate() {
            rules.push(Part::Capability(at), Asked::Capability(rule.allow.name.clone()));
        }
        for (at, rule) in policy.calls.iter().enumerate() {
            let name = name_of(&rule.allow);
            match rule.allow.when.as_slice() {
                [] => rules.push(Part::Call(at), Asked::Call { name, when: Vec::new() }),
                [only] => rules.push(Part::Call(at), Asked::Call { name, when: only.clone() }),
                several => {
                    for (which, when) in several.iter().enumerate() {
                        let asked = Asked::Call { name: name.clone(), when: when.clone() };
                        rules.push(Part::Alternative(at, which), asked);
                    }
                }
            }
        }
        rules
    }

    fn push(&mut self, part: Part, asked: Asked) {
        self.parts.push(part);
        self.asked.push(asked);
    }

    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// Those that are no capabilities.
    pub(super) fn calls(&self) -> BTreeSet<usize> {
        let parts = self.parts.iter().enumerate();
        parts.filter(|(_, part)| !matches!(part, Part::Capability(_))).map(|(at, _)| at).collect()
    }

    /// The policy without some.
    pub(super) fn without(&self, policy: &Policy, dropped: &BTreeSet<usize>) -> Policy {
        let gone = |part| {
            self.parts
                .iter()
                .position(|known| *known == part)
                .is_some_and(|at| dropped.contains(&at))
        };
        let mut policy = policy.clone();
        let mut at = 0..;
        policy.capabilities.retain(|_| !gone(Part::Capability(at.next().unwrap_or_default())));
        let mut kept = Vec::new();
        for (at, mut rule) in std::mem::take(&mut policy.calls).into_iter().enumerate() {
            let several = rule.allow.when.len() > 1;
            let mut which = 0..;
            rule.allow.when.retain(|_| {
                !several || !gone(Part::Alternative(at, which.next().unwrap_or_default()))
            });
            // A call without alternatives would be allowed with any arguments.
            let without_any = several && rule.allow.when.is_empty();
            if !without_any && !gone(Part::Call(at)) {
                kept.push(rule);
            }
        }
        policy.calls = kept;
        policy
    }

    /// Those of some that what was refused asked for.
    pub(super) fn asked_for(
        &self,
        refused: &BTreeMap<Fact, u64>,
        among: &BTreeSet<usize>,
    ) -> BTreeSet<usize> {
        let asked = |at: &&usize| {
            let asked = self.asked.get(**at);
            asked.is_some_and(|asked| refused.keys().any(|fact| asked.matches(&fact.what)))
        };
        among.iter().filter(asked).copied().collect()
    }

    /// A rule for a person.
    pub(super) fn name(&self, policy: &Policy, at: usize) -> String {
        let several_abis =
            policy.calls.iter().any(|rule| rule.allow.abi != policy.calls[0].allow.abi);
        let abi = match self.parts.get(at) {
            Some(Part::Call(call) | Part::Alternative(call, _)) if several_abis => policy
                .calls
                .get(*call)
                .map_or_else(String::new, |rule| format!("{} ", rule.allow.abi)),
            _ => String::new(),
        };
        match self.asked.get(at) {
            Some(Asked::Capability(name)) => name.clone(),
            Some(Asked::Call { name, when }) if when.is_empty() => format!("{abi}{name}"),
            Some(Asked::Call { name, when }) => {
                let words: Vec<String> = when.iter().map(condition).collect();
                format!("{abi}{name}[{}]", words.join(" "))
            }
            None => String::new(),
        }
    }
}

fn condition(condition: &Condition) -> String {
    let Condition { index, mask, value } = condition;
    match (mask, value) {
        (&u32::MAX, value) => format!("arg{index}={value:#x}"),
        (mask, 0) => format!("arg{index}&{mask:#x}=0"),
        (mask, value) => format!("arg{index}&{mask:#x}={value:#x}"),
    }
}

impl Asked {
    /// What was refused would be allowed by it.
    fn matches(&self, what: &What) -> bool {
        match (self, what) {
            (Self::Capability(mine), What::Capability { name, .. }) => mine == name,
            (Self::Call { name: mine, when }, What::Call { nr, name, args, .. }) => {
                let same = match name {
                    Some(name) => **mine == **name,
                    None => *mine == nr.to_string(),
                };
                same && when.iter().all(|condition| holds(condition, args.as_ref()))
            }
            _ => false,
        }
    }
}

/// A condition on an argument that is not known may hold.
fn holds(condition: &Condition, args: Option<&Args>) -> bool {
    let Some(Args::Values(values)) = args else { return true };
    values.get(&condition.index).is_none_or(|value| condition.holds(*value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracer::abi::Abi;
    use tracer::recording::Origin;

    fn policy() -> Policy {
        let text = include_str!("../../../docs/examples/greet.policy.json");
        let mut policy = Policy::from_json(text.as_bytes()).unwrap();
        policy.calls.truncate(2);
        let condition = |value| vec![Condition { index: 0, mask: u32::MAX, value }];
        policy.calls[0].allow.when = vec![condition(1), condition(2)];
        policy.calls[0].allow.name = Some("socket".to_owned());
        policy.calls[1].allow.when = vec![];
        policy.calls[1].allow.name = Some("read".to_owned());
        policy
    }

    fn call(name: &str, value: u64) -> BTreeMap<Fact, u64> {
        let args = Some(Args::Values(Box::new([(0, value)].into())));
        let what = What::Call { abi: Abi::X86_64, nr: 0, name: Some(name.into()), args };
        BTreeMap::from([(Fact { domain: "/x".into(), origin: Origin::Entry, what }, 1)])
    }

    #[test]
    fn parts_are_dropped_and_blamed_one_by_one() {
        let policy = policy();
        let rules = Rules::of(&policy);
        let capabilities = policy.capabilities.len();
        assert_eq!(rules.len(), capabilities + 3);
        let all: BTreeSet<usize> = (0..rules.len()).collect();
        let [one, two, read] = [capabilities, capabilities + 1, capabilities + 2];
        assert_eq!(rules.asked_for(&call("socket", 2), &all), BTreeSet::from([two]));
        assert_eq!(rules.asked_for(&call("read", 9), &all), BTreeSet::from([read]));
        assert_eq!(rules.asked_for(&call("write", 9), &all), BTreeSet::new());
        assert_eq!(rules.name(&policy, one), "socket[arg0=0x1]");

        let less = rules.without(&policy, &BTreeSet::from([one]));
        assert_eq!(less.calls[0].allow.when.len(), 1);
        assert_eq!(less.calls.len(), 2);
        // Without any alternative the call is gone, and not allowed with all arguments.
        let less = rules.without(&policy, &BTreeSet::from([one, two]));
        assert_eq!(less.calls.len(), 1);
        assert_eq!(less.calls[0].allow.name.as_deref(), Some("read"));
        assert_eq!(rules.without(&policy, &BTreeSet::new()), policy);
    }
}
