//! The recording that heals denials: one run, with a fact for each thing that was refused.

use std::collections::BTreeMap;
use std::ffi::OsString;

use tracer::recording::{Completion, Degree, FactKind, Fidelity, Recording, Seen, What};
use tracer::run;
use tracer::session;

use crate::run::Proof;

/// How the run says that it was made.
const BACKEND: &str = "verify";
const HOW: &str = "refused by a profile that was verified";
const NOTE: &str = "one run is what a verification refused, told as if it had been granted: what followed from it was not seen";

/// Makes it. Calls end as they did; programs and capabilities are told as granted, because only what is granted makes a rule.
pub(crate) fn recording(command: &[OsString], proof: &Proof) -> Recording {
    let options = session::Options { command: command.to_vec(), ..session::Options::default() };
    let fidelity = |kind| (kind, Fidelity { degree: Degree::Observed, how: HOW.to_owned() });
    let kinds = [FactKind::Call, FactKind::Argument, FactKind::Exec, FactKind::Capability];
    let fidelity = BTreeMap::from_iter(kinds.map(fidelity));
    let id = run::new_id();
    let mut recording = Recording::new();
    recording.runs.insert(id.clone(), run::describe(&options, BACKEND, fidelity, [], &[]));
    let mut completion = Completion::complete();
    completion.notes.insert(NOTE.to_owned());
    recording.completions.insert(id.clone(), completion);
    for (fact, count) in &proof.healing {
        let outcome = match fact.what {
            What::Call { .. } => "EPERM",
            _ => Seen::OK,
        };
        recording.add(&id, fact.clone(), &Seen::ending(outcome, *count));
    }
    recording
}
