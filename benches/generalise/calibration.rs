//! Units are split in half at random: what the first half says of the second, and what the second has.

use std::collections::BTreeMap;

use learner::completeness::estimate::Incidence;
use tracer::recording::{Recording, What};

use crate::suites::units;

/// A generator of numbers that are the same each time (Knuth's MMIX).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// The means over the splits.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Calibration {
    pub(crate) predicted: f64,
    pub(crate) came: f64,
    /// The mean distance of the two in a split.
    pub(crate) error: f64,
}

/// Which units had which need, as the policy of all of them counts needs.
fn needs(recording: &Recording) -> BTreeMap<String, Vec<u32>> {
    let policy = learner::learn(recording, &learner::Options::default());
    let rules = learner::replay::Replay::of(&policy);
    let mut needs: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for (fact, runs) in recording.sorted() {
        if !tracer::recording::succeeded(runs) {
            continue;
        }
        let need = match &fact.what {
            What::File { path, access, .. } => {
                let rule = rules.rules(path.as_bytes()).next().map(|rule| rule.path.to_string());
                format!("{} {access:?}", rule.unwrap_or_default())
            }
            what => format!("{what:?}"),
        };
        let of = needs.entry(need).or_default();
        of.extend(runs.values().flat_map(|seen| seen.units.iter()));
    }
    needs
}

/// Splits so many times.
pub(crate) fn calibrate(recording: &Recording, splits: u32) -> Calibration {
    let count = units(recording) as usize;
    let needs = needs(recording);
    let mut numbers = Numbers(3);
    let mut all = Calibration::default();
    for _ in 0..splits {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..order.len()).rev() {
            order.swap(at, usize::try_from(numbers.below(at as u64 + 1)).unwrap());
        }
        let mut first = vec![false; count];
        let half = count / 2;
        order[..half].iter().for_each(|unit| first[*unit] = true);
        let mut counts = Vec::new();
        let mut came = 0_u32;
        for units in needs.values() {
            let mut units = units.clone();
            units.sort_unstable();
            units.dedup();
            let seen = units.iter().filter(|unit| first[**unit as usize]).count() as u64;
            counts.push(seen);
            came += u32::from(seen == 0 && !units.is_empty());
        }
        let predicted = Incidence::new(half as u64, counts).new_in((count - half) as u64);
        all.predicted += predicted;
        all.came += f64::from(came);
        all.error += (predicted - f64::from(came)).abs();
    }
    let splits = f64::from(splits);
    Calibration {
        predicted: all.predicted / splits,
        came: all.came / splits,
        error: all.error / splits,
    }
}
