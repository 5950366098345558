//! Capabilities: granted and needed ones only.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{What, succeeded};

use crate::Seens;
use crate::evidence::Gathered;
use crate::policy::{CapabilityRule, Rule};

/// The capability rules. A refused check gave nothing to the program, a probe was not needed, and in a user namespace of its own a
/// program has them all: none of these makes a rule.
pub(crate) fn rules(facts: &[Seens<'_>]) -> Vec<Rule<CapabilityRule>> {
    let mut all: BTreeMap<&str, (BTreeSet<String>, Gathered)> = BTreeMap::new();
    for fact in facts {
        if let What::Capability { name, call, probe: false, initial_namespace: true } = &fact.0.what
            && succeeded(fact.1)
        {
            let (calls, gathered) = all.entry(name).or_default();
            calls.extend(call.iter().map(ToString::to_string));
            gathered.add(*fact);
        }
    }
    all.into_iter()
        .map(|(name, (calls, gathered))| Rule {
            allow: CapabilityRule { name: name.to_owned(), calls },
            evidence: gathered.finish(None),
        })
        .collect()
}
