//! The sampling units of a recording: its named units, and each run that has none.

use std::collections::{BTreeMap, BTreeSet};

use tracer::recording::{Recording, Runs, Units};

use crate::policy::Evidence;

/// The units that a recording was made of, numbered over all its runs.
#[derive(Debug, Default)]
pub(crate) struct Frame {
    /// The names, sorted.
    names: Vec<String>,
    /// For each run: the numbers of its named units by their places, or of itself.
    runs: BTreeMap<String, Numbers>,
    count: u32,
}

#[derive(Debug)]
enum Numbers {
    Named(Vec<u32>),
    Whole(u32),
}

/// So many units are named as examples.
const EXAMPLES: usize = 3;

impl Frame {
    /// Finds the units. Those of the same name in several runs are one: the same test, run again, is no new evidence of what another
    /// test needs.
    pub(crate) fn of(recording: &Recording) -> Self {
        let names: BTreeSet<&String> = recording.runs.values().flat_map(|run| &run.units).collect();
        let numbers: BTreeMap<&String, u32> = names.iter().copied().zip(0..).collect();
        let mut frame = Self {
            names: names.into_iter().cloned().collect(),
            runs: BTreeMap::new(),
            count: u32::try_from(numbers.len()).unwrap_or(u32::MAX),
        };
        for (id, run) in &recording.runs {
            let of = if run.units.is_empty() {
                frame.count += 1;
                Numbers::Whole(frame.count - 1)
            } else {
                Numbers::Named(run.units.iter().filter_map(|n| numbers.get(n).copied()).collect())
            };
            frame.runs.insert(id.clone(), of);
        }
        frame
    }

    /// How many units there are.
    pub(crate) fn len(&self) -> u64 {
        u64::from(self.count)
    }

    /// How many of them were named.
    pub(crate) fn named(&self) -> u64 {
        self.names.len() as u64
    }

    /// The units that saw a fact. None for one that was only seen outside of units, before the first was marked.
    pub(crate) fn that_saw(&self, runs: &Runs) -> Units {
        let mut all = Units::default();
        for (id, seen) in runs {
            match self.runs.get(id.as_str()) {
                Some(Numbers::Whole(number)) => all.insert(*number),
                Some(Numbers::Named(numbers)) => {
                    let places = seen.units.iter();
                    all.union(
                        &places.filter_map(|place| numbers.get(place as usize).copied()).collect(),
                    );
                }
                None => {}
            }
        }
        all
    }

    /// Tells the units behind a rule: how many, and some of their names.
    pub(crate) fn tell(&self, evidence: &mut Evidence) {
        let units = std::mem::take(&mut evidence.seen_by);
        evidence.in_units = units.len();
        let named = units.iter().filter_map(|unit| self.names.get(unit as usize));
        evidence.units = named.take(EXAMPLES).cloned().collect();
    }
}
