//! Files and programs.

use tracer::recording::{ByteString, Recording, What};

use super::{Answer, Answered, Explained, MOST_NEAR, Near, first};
use crate::Policy;
use crate::policy::{ExecRule, FileRule, word};

pub(super) fn explain(
    policy: &Policy,
    recording: Option<&Recording>,
    path: &ByteString,
) -> Answered {
    let mut rules: Vec<Explained> = policy
        .files
        .iter()
        .filter(|rule| rule.allow.path.matches(path.as_bytes()))
        .map(|rule| Explained {
            rule: file(&rule.allow),
            evidence: Some(rule.evidence.clone()),
            first: first(recording, |fact| match &fact.what {
                What::File { path, access, .. } => {
                    rule.allow.access.contains(access) && rule.allow.path.matches(path.as_bytes())
                }
                _ => false,
            }),
        })
        .collect();
    rules.extend(policy.execs.iter().filter(|rule| rule.allow.path == *path).map(|rule| {
        Explained {
            rule: program(&rule.allow),
            evidence: Some(rule.evidence.clone()),
            first: first(
                recording,
                |fact| matches!(&fact.what, What::Exec { path: run, .. } if run == path),
            ),
        }
    }));
    if !rules.is_empty() {
        return (Answer::Limited, rules, Vec::new());
    }
    let mut near: Vec<(usize, Near)> = policy
        .files
        .iter()
        .map(|rule| (file(&rule.allow), rule.allow.path.to_string()))
        .chain(policy.execs.iter().map(|rule| (program(&rule.allow), rule.allow.path.to_string())))
        .filter_map(|(rule, other)| {
            let common = common(&path.to_string(), &other);
            let differs = format!("another path below {common}");
            (common.len() > 1).then_some((common.len(), Near { rule, differs }))
        })
        .collect();
    near.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.rule.cmp(&b.1.rule)));
    (Answer::Refused, rules, near.into_iter().take(MOST_NEAR).map(|(_, near)| near).collect())
}

fn file(rule: &FileRule) -> String {
    // Each word is named after what it is, and serialises as that.
    let words: Vec<String> = rule.access.iter().filter_map(word).collect();
    let owner = if rule.owner { ", by the file's owner" } else { "" };
    format!("{}: {}{owner}", rule.path, words.join(", "))
}

fn program(rule: &ExecRule) -> String {
    match &rule.interpreter {
        Some(interpreter) => format!("{}: may be run, by {interpreter}", rule.path),
        None => format!("{}: may be run", rule.path),
    }
}

/// The directory that both are below.
fn common(one: &str, other: &str) -> String {
    let mut common = String::new();
    for (a, b) in one.split_inclusive('/').zip(other.split_inclusive('/')) {
        if a != b || !a.ends_with('/') {
            break;
        }
        common.push_str(a);
    }
    common
}
