//! Calls, with their arguments or without.

use tracer::abi::calls;
use tracer::recording::{Args, Recording, What};

use super::question::ABIS;
use super::{Answer, Answered, Explained, MOST_NEAR, Near, first, words};
use crate::Policy;
use crate::families;
use crate::policy::{CallRule, Condition};

pub(super) fn explain(
    policy: &Policy,
    recording: Option<&Recording>,
    name: &str,
    values: Option<&[Option<u32>]>,
) -> Answered {
    let mut rules = Vec::new();
    let mut near: Vec<(usize, Near)> = Vec::new();
    let mut limited = values.is_none();
    let mut whole = false;
    for rule in policy.calls.iter().filter(|rule| is(&rule.allow, name)) {
        let call = &rule.allow;
        let any = [Vec::new()];
        let alternatives = if call.when.is_empty() { &any[..] } else { &call.when };
        whole |= call.when.is_empty();
        for all in alternatives {
            let failing: Vec<String> =
                all.iter().filter_map(|one| differs(call, name, one, values)).collect();
            let text = words::rule(call, all);
            if failing.is_empty() {
                limited |= leaves_open(call, name, all, values);
                let first = first(recording, |fact| match &fact.what {
                    What::Call { abi, nr, args, .. } => {
                        (*abi, *nr) == (call.abi, call.nr) && matches(args.as_ref(), all)
                    }
                    _ => false,
                });
                let evidence = Some(rule.evidence.clone());
                rules.push(Explained { rule: text, evidence, first });
            } else {
                near.push((failing.len(), Near { rule: text, differs: failing.join("; ") }));
            }
        }
    }
    if !rules.is_empty() {
        let answer = if whole || !limited { Answer::Allowed } else { Answer::Limited };
        return (answer, rules, Vec::new());
    }
    let fallback = policy.fallbacks.iter().find(|fallback| fallback.name == name);
    if let Some(fallback) = fallback {
        let rule = format!("{name} ({}) is answered ENOSYS: {}", fallback.abi, fallback.instead);
        rules.push(Explained { rule, evidence: None, first: Vec::new() });
        return (Answer::Enosys, rules, Vec::new());
    }
    near.sort_by_key(|near| near.0);
    let mut near: Vec<Near> = near.into_iter().map(|(_, near)| near).collect();
    if near.is_empty() {
        near = relatives(policy, name);
    }
    near.truncate(MOST_NEAR);
    (Answer::Refused, rules, near)
}

fn is(call: &CallRule, name: &str) -> bool {
    call.name.as_deref() == Some(name)
}

/// A position in the table of the call's own ABI.
fn value(call: &CallRule, name: &str, index: u8, values: Option<&[Option<u32>]>) -> Option<u32> {
    let table = tracer::abi::arguments::of(call.abi, name);
    let at = table.iter().position(|argument| argument.index == index)?;
    *values?.get(at)?
}

/// How a value that is asked for differs from what a condition wants.
fn differs(
    call: &CallRule,
    name: &str,
    condition: &Condition,
    values: Option<&[Option<u32>]>,
) -> Option<String> {
    let value = value(call, name, condition.index, values)?;
    if condition.holds(value.into()) {
        return None;
    }
    let argument = words::argument(call.abi, name, condition.index)?;
    let spelled = tracer::abi::symbols::spell(name, argument, value);
    let wanted = words::condition(call.abi, name, condition);
    Some(format!("{} is {spelled}, and allowed is {wanted}", argument.name))
}

/// A condition is on an argument that the question leaves open.
fn leaves_open(
    call: &CallRule,
    name: &str,
    all: &[Condition],
    values: Option<&[Option<u32>]>,
) -> bool {
    all.iter().any(|one| value(call, name, one.index, values).is_none())
}

fn matches(args: Option<&Args>, all: &[Condition]) -> bool {
    match args {
        Some(Args::Values(values)) => {
            all.iter().all(|one| one.holds(values.get(&one.index).copied().unwrap_or_default()))
        }
        Some(Args::Many) | None => true,
    }
}

/// Calls of the same family that are allowed; else those whose names begin alike.
fn relatives(policy: &Policy, name: &str) -> Vec<Near> {
    let near = |differs: &str, related: &dyn Fn(&str) -> bool| -> Vec<Near> {
        policy
            .calls
            .iter()
            .filter(|rule| rule.allow.name.as_deref().is_some_and(related))
            .map(|rule| Near {
                rule: words::rule(&rule.allow, rule.allow.when.first().map_or(&[], Vec::as_slice)),
                differs: differs.to_owned(),
            })
            .collect()
    };
    let family = near("another call, which libc and architectures use in its place", &|other| {
        families::related(name, other)
    });
    if !family.is_empty() {
        return family;
    }
    let known = ABIS.into_iter().any(|abi| calls::number(abi, name).is_some());
    let beginning: String = name.chars().take(4).collect();
    near("another call, whose name begins alike", &|other| known && other.starts_with(&beginning))
}
