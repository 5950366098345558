//! What a policy was learned from.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{Degree, FactKind, Recording, What};

use crate::Seens;
use crate::policy::Training;

/// Sums up the runs. Holds nothing that differs between equal runs.
pub(crate) fn of(
    recording: &Recording,
    facts: &[Seens<'_>],
    notes: &mut BTreeSet<String>,
) -> Training {
    let mut fidelity: BTreeMap<FactKind, Degree> = BTreeMap::new();
    for run in recording.runs.values() {
        for (kind, how) in &run.fidelity {
            fidelity.entry(*kind).and_modify(|d| *d = (*d).max(how.degree)).or_insert(how.degree);
        }
    }
    let mut incomplete_because = BTreeSet::new();
    for id in recording.runs.keys() {
        match recording.completions.get(id) {
            None => {
                incomplete_because.insert("a run has no end".to_owned());
            }
            Some(completion) => {
                incomplete_because.extend(completion.reasons.iter().cloned());
                incomplete_because
                    .extend(completion.lost.iter().map(|(what, n)| format!("{n} lost: {what}")));
                notes.extend(completion.notes.iter().cloned());
            }
        }
    }
    let denied: BTreeSet<Box<str>> = facts
        .iter()
        .filter_map(|(fact, ..)| match &fact.what {
            What::Denied { nr, name, .. } => {
                Some(name.clone().unwrap_or_else(|| nr.to_string().into()))
            }
            _ => None,
        })
        .collect();
    if !denied.is_empty() {
        let denied: Vec<_> = denied.into_iter().collect();
        notes.insert(format!(
            "another filter denied {} during training: what follows from them could not be learned; train without that filter",
            denied.join(", ")
        ));
    }
    Training {
        runs: recording.runs.len() as u64,
        commands: recording.runs.values().map(|run| run.command.clone()).collect(),
        backends: recording.runs.values().map(|run| run.backend.clone()).collect(),
        fidelity,
        complete: recording.complete(),
        incomplete_because,
        programs: facts.iter().map(|(fact, ..)| fact.domain.clone()).collect(),
    }
}
