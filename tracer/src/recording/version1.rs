//! Version 1 of the format: a fact's line had the names of its units, and the header none.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;

use ecow::EcoString;
use enumset::EnumSet;
use serde::{Deserialize, Serialize};

use super::{ByteString, Fact, FewMap, Line, Origin, Phase, Seen, Units, What, Witness};

/// The units of each run: sorted, which is the order that they get.
pub(super) type Names = BTreeMap<String, Vec<String>>;

/// A fact's line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line1 {
    domain: ByteString,
    origin: Origin,
    what: What,
    pub(super) runs: BTreeMap<String, Seen1>,
}

/// What a run saw, with the names of the units.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seen1 {
    count: u64,
    #[serde(default, skip_serializing_if = "FewMap::is_empty")]
    outcomes: FewMap<EcoString, u64>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    at_least: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    not_owner: bool,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    units: BTreeSet<String>,
    #[serde(default, skip_serializing_if = "EnumSet::is_empty")]
    phases: EnumSet<Phase>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<Witness>,
}

impl Line1 {
    pub(super) fn fact(&self) -> Fact {
        Fact { domain: self.domain.clone(), origin: self.origin, what: self.what.clone() }
    }

    /// The line as this version has it. A name that is not known, of a file that changes while it is read, is left out.
    pub(super) fn now(self, names: &Names) -> Line {
        let place = |id: &String, name: &String| {
            let known = names.get(id)?;
            known.binary_search(name).ok().and_then(|at| u32::try_from(at).ok())
        };
        let fact = self.fact();
        let runs = self.runs.into_iter().map(|(id, seen)| {
            let Seen1 { count, outcomes, at_least, not_owner, units, phases, first } = seen;
            let units: Units = units.iter().filter_map(|name| place(&id, name)).collect();
            let seen = Seen { count, outcomes, at_least, not_owner, units, phases, first };
            (id.into(), seen)
        });
        Line { runs: runs.collect(), fact }
    }
}

/// The names of all units in a file; what is wrong with it is told by whoever reads it in earnest.
pub(super) fn names(input: impl BufRead) -> Names {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let lines = input.split(b'\n').map_while(Result::ok);
    let has_units = |line: &Vec<u8>| line.windows(9).any(|word| word == b"\"units\":[");
    for line in lines.filter(has_units) {
        let Ok(line) = serde_json::from_slice::<Line1>(&line) else { continue };
        for (id, seen) in line.runs {
            all.entry(id).or_default().extend(seen.units);
        }
    }
    all.into_iter().map(|(id, names)| (id, names.into_iter().collect())).collect()
}
