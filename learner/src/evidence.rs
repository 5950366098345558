//! From facts to what justifies a rule.

use std::collections::BTreeMap;

use ecow::EcoString;

use crate::Seens;
use crate::policy::{Evidence, Rule};

/// Evidence that grows fact by fact.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    evidence: Evidence,
    /// Sorted. There may be as many of these as there are rules, and a tree has room for eleven.
    runs: Vec<EcoString>,
}

impl Gathered {
    /// Takes a fact into account.
    pub(crate) fn add(&mut self, (fact, runs, units): Seens<'_>) {
        self.evidence.programs.insert(fact.domain.clone());
        self.evidence.origins.insert(fact.origin);
        self.evidence.seen_by.union(units);
        for (id, seen) in runs {
            self.seen_in(id);
            self.evidence.count = self.evidence.count.saturating_add(seen.count);
            self.evidence.at_least |= seen.at_least;
            self.evidence.phases |= seen.phases;
            for (outcome, count) in &seen.outcomes {
                let mine = self.evidence.outcomes.entry(outcome.clone()).or_default();
                *mine = mine.saturating_add(*count);
            }
        }
    }

    fn seen_in(&mut self, run: &EcoString) {
        if let Err(place) = self.runs.binary_search(run) {
            self.runs.insert(place, run.clone());
        }
    }

    /// Takes another rule's evidence too.
    pub(crate) fn absorb(&mut self, other: Self) {
        other.runs.iter().for_each(|id| self.seen_in(id));
        let generalised = self.evidence.generalised.take();
        self.evidence.absorb(&other.evidence, "");
        self.evidence.generalised = generalised;
    }

    /// The evidence.
    pub(crate) fn finish(self, generalised: Option<String>) -> Evidence {
        Evidence { runs: self.runs.len() as u64, generalised, ..self.evidence }
    }
}

impl Evidence {
    /// Adds another rule's evidence to this one's, and a reason why it was widened.
    pub(crate) fn absorb(&mut self, other: &Self, why: &str) {
        self.programs.extend(other.programs.iter().cloned());
        self.origins |= other.origins;
        self.seen_by.union(&other.seen_by);
        self.phases |= other.phases;
        self.count = self.count.saturating_add(other.count);
        self.at_least |= other.at_least;
        self.runs = self.runs.max(other.runs);
        for (outcome, count) in &other.outcomes {
            let mine = self.outcomes.entry(outcome.clone()).or_default();
            *mine = mine.saturating_add(*count);
        }
        self.widened(why);
    }

    /// Adds a reason why the rule was widened.
    pub(crate) fn widened(&mut self, why: &str) {
        self.generalised = Some(match self.generalised.take() {
            Some(known) => format!("{known}; {why}"),
            None => why.to_owned(),
        });
    }
}

/// Rules from facts, one a thing allowed: `of` says what a fact allows, if anything.
pub(crate) fn gather<T: Ord>(
    facts: &[Seens<'_>],
    of: impl Fn(Seens<'_>) -> Option<T>,
) -> Vec<Rule<T>> {
    let mut all: BTreeMap<T, Gathered> = BTreeMap::new();
    for fact in facts {
        if let Some(allow) = of(*fact) {
            all.entry(allow).or_default().add(*fact);
        }
    }
    all.into_iter()
        .map(|(allow, gathered)| Rule { allow, evidence: gathered.finish(None) })
        .collect()
}
