//! The capabilities that a recording says were needed.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{Recording, What};

/// The capabilities that programs needed and got, by the program's name.
pub(crate) fn by_program(recording: &Recording) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (fact, runs) in recording.sorted() {
        if let What::Capability { name, probe: false, initial_namespace: true, .. } = &fact.what
            && tracer::recording::succeeded(runs)
        {
            let program = fact.domain.escaped();
            let program = program.rsplit('/').next().unwrap().to_owned();
            all.entry(program).or_default().insert(name.to_string());
        }
    }
    all
}
