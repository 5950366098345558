//! Test-suite saturation: how much of what the units need has been seen, and how likely the next one is to need something new.
//!
//! It speaks of more units like those that were seen, never of production: a test suite is a sample of itself.
//!
//! - [`estimate`]: the estimators, of counts alone
//! - [`needs`]: what is counted: the rules that a fact needs, so that a random name is no news

pub mod estimate;
mod needs;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tracer::recording::{ByteString, Units};

use crate::Seens;
use crate::policy::Policy;
use crate::units::Frame;
use estimate::{Incidence, real};
use needs::{Needed, Needs};

/// How much the units have shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saturation {
    /// How many units: named ones (the same name in several runs is one unit), and each run without any.
    pub units: u64,
    /// How many of them are runs without a named unit.
    pub runs_as_units: u64,
    /// Needs of what was done outside of units alone, before the first was marked: they are not counted.
    pub outside: u64,
    /// Over all kinds and programs.
    pub all: Estimate,
    /// By kind of fact.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kinds: BTreeMap<Kind, Estimate>,
    /// By program.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub programs: BTreeMap<ByteString, Estimate>,
    /// How many needs so many units are expected to show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<Point>,
}

/// What is estimated of some needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// How many different needs were seen.
    pub seen: u64,
    /// How many of them in one unit only.
    pub in_one: u64,
    /// In two.
    pub in_two: u64,
    /// The part of what units to come will need that has been seen. Absent of fewer than two units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Decimal>,
    /// How many needs there are, at least. Absent of fewer than two units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<Decimal>,
    /// How many new needs the next unit is expected to have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_in_next: Option<Decimal>,
    /// The chance that the next unit needs something new: the part of the units that did. Absent of fewer than two units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<Decimal>,
    /// When no unit did: the chance is below this, with 95 % confidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance_below: Option<Decimal>,
}

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// So many units.
    pub units: u64,
    /// So many needs.
    pub needs: Decimal,
}

/// The kinds of need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "each is named after the kind of fact that it is")]
pub enum Kind {
    Call,
    Argument,
    File,
    Exec,
    Capability,
    Socket,
    Address,
    Signal,
}

impl Kind {
    /// Its name in policies.
    pub fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Argument => "argument",
            Self::File => "file",
            Self::Exec => "exec",
            Self::Capability => "capability",
            Self::Socket => "socket",
            Self::Address => "address",
            Self::Signal => "signal",
        }
    }
}

/// A number with four decimals, so that the same evidence gives the same bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Decimal(i64);

impl Decimal {
    const SCALE: f64 = 10_000.0;

    /// Rounds.
    pub fn new(value: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "the cast saturates; counts stay far below"
        )]
        Self((value * Self::SCALE).round() as i64)
    }

    /// The number.
    pub fn value(self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
        let value = self.0 as f64;
        value / Self::SCALE
    }
}

impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.value())
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        f64::deserialize(deserializer).map(Self::new)
    }
}

/// So many points has a curve at most.
const POINTS: u64 = 20;

/// Estimates from the facts, counted by the policy's rules that they need.
pub(crate) fn of(frame: &Frame, facts: &[Seens<'_>], policy: &Policy) -> Saturation {
    let needs = Needs::of(policy);
    let mut all = Had::default();
    let mut by_kind: BTreeMap<Kind, Had<'_>> = BTreeMap::new();
    let mut by_domain: BTreeMap<&ByteString, Had<'_>> = BTreeMap::new();
    let mut outside = BTreeSet::new();
    for fact in facts {
        let units = fact.2;
        for (kind, need) in needs.of_fact(*fact) {
            if units.is_empty() {
                outside.insert(need);
                continue;
            }
            let places = [
                &mut all,
                by_kind.entry(kind).or_default(),
                by_domain.entry(&fact.0.domain).or_default(),
            ];
            places.into_iter().for_each(|place| place.add(need, units));
        }
    }
    let m = frame.len();
    let incidence = all.incidence(m);
    Saturation {
        units: m,
        runs_as_units: m - frame.named(),
        outside: outside.iter().filter(|need| !all.0.contains_key(*need)).count() as u64,
        curve: curve(&incidence),
        all: all.estimate(m),
        kinds: by_kind.into_iter().map(|(kind, units)| (kind, units.estimate(m))).collect(),
        programs: by_domain.into_iter().map(|(d, units)| (d.clone(), units.estimate(m))).collect(),
    }
}

/// Points at equal distances, the last one for all units.
fn curve(incidence: &Incidence) -> Vec<Point> {
    let m = incidence.units();
    let points = m.min(POINTS);
    (1..=points)
        .map(|point| point * m / points)
        .map(|units| Point { units, needs: Decimal::new(incidence.expected_in(units)) })
        .collect()
}

/// Which units had which need.
#[derive(Default)]
struct Had<'a>(BTreeMap<Needed<'a>, Units>);

impl<'a> Had<'a> {
    fn add(&mut self, need: Needed<'a>, units: &Units) {
        self.0.entry(need).or_default().union(units);
    }

    fn incidence(&self, m: u64) -> Incidence {
        Incidence::new(m, self.0.values().map(Units::len))
    }

    fn estimate(&self, m: u64) -> Estimate {
        let incidence = self.incidence(m);
        // Units that had a need which no other unit had.
        let alone: BTreeSet<u32> =
            self.0.values().filter(|units| units.len() == 1).flat_map(Units::iter).collect();
        let several = m >= 2;
        let part = |n: f64| several.then(|| n / real(m));
        Estimate {
            seen: incidence.seen(),
            in_one: incidence.seen_in(1),
            in_two: incidence.seen_in(2),
            coverage: incidence.coverage().map(Decimal::new),
            expected: incidence.richness().map(Decimal::new),
            new_in_next: incidence.new_in_next().filter(|_| several).map(Decimal::new),
            chance: part(real(alone.len() as u64)).map(Decimal::new),
            // The rule of three (Hanley and Lippman-Hand, JAMA 249, 1983).
            chance_below: part(3.0)
                .filter(|_| alone.is_empty())
                .map(|below| Decimal::new(below.min(1.0))),
        }
    }
}

#[cfg(test)]
mod tests;
