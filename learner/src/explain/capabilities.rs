//! Capabilities.

use tracer::recording::{Recording, What};

use super::{Answer, Answered, Explained, MOST_NEAR, Near, first};
use crate::Policy;
use crate::policy::CapabilityRule;

pub(super) fn explain(policy: &Policy, recording: Option<&Recording>, name: &str) -> Answered {
    let rules: Vec<Explained> = policy
        .capabilities
        .iter()
        .filter(|rule| rule.allow.name == name)
        .map(|rule| Explained {
            rule: text(&rule.allow),
            evidence: Some(rule.evidence.clone()),
            first: first(recording, |fact| {
                matches!(&fact.what, What::Capability { name: asked, probe: false, .. } if asked == name)
            }),
        })
        .collect();
    if !rules.is_empty() {
        return (Answer::Allowed, rules, Vec::new());
    }
    let near = policy
        .capabilities
        .iter()
        .take(MOST_NEAR)
        .map(|rule| Near { rule: text(&rule.allow), differs: "another capability".to_owned() });
    (Answer::Refused, rules, near.collect())
}

fn text(rule: &CapabilityRule) -> String {
    let calls: Vec<&str> = rule.calls.iter().map(String::as_str).collect();
    if calls.is_empty() {
        rule.name.clone()
    } else {
        format!("{}, for {}", rule.name, calls.join(", "))
    }
}
