//! When things were seen that the kernel only counts: at each mark its counters are read, and what has grown belongs to the unit
//! that ends.
//!
//! Nothing is read before the first mark, so a recording without marks costs what it did.

use std::collections::HashMap;
use std::hash::Hash;

use crate::course::Stamp;
use crate::recording::Phase;
use crate::session::RecordError;

use super::programs::Programs;
use super::wire::{CallKey, CapabilityKey, SignalKey};

/// What was counted of each kind when the counters were read last, and when it had grown.
#[derive(Debug, Default)]
pub(super) struct Timeline {
    read: bool,
    calls: Counters<CallKey>,
    capabilities: Counters<CapabilityKey>,
    signals: Counters<SignalKey>,
    records: Counters<u64>,
}

#[derive(Debug)]
struct Counters<K>(HashMap<K, (u64, Stamp)>);

impl<K> Default for Counters<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Counters<K> {
    /// Whatever does not have the count that it had was seen since: a record that the kernel forgot and sent again counts anew.
    fn advance(&mut self, now: impl IntoIterator<Item = (K, u64)>, stamp: &Stamp) {
        for (key, count) in now {
            let (known, seen) = self.0.entry(key).or_default();
            if *known != count {
                *known = count;
                seen.union(stamp);
            }
        }
    }

    fn begin_with(&mut self, phase: Phase) {
        #[expect(clippy::iter_over_hash_type, reason = "each is changed alike")]
        for (_, seen) in self.0.values_mut() {
            seen.phases.insert(phase);
        }
    }

    fn of(&self, key: &K) -> Option<&Stamp> {
        self.0.get(key).map(|(_, stamp)| stamp)
    }
}

impl Timeline {
    /// The counters are read: there was a mark.
    pub(super) fn is_read(&self) -> bool {
        self.read
    }

    /// Reads the counters at the end of what the stamp says. A record that has not `arrived` yet belongs to what comes.
    pub(super) fn advance(
        &mut self,
        programs: &Programs,
        stamp: &Stamp,
        arrived: impl Fn(u64) -> bool,
    ) -> Result<(), RecordError> {
        self.read = true;
        let calls = programs.calls()?.into_iter().map(|(key, count)| (key, count.count));
        self.calls.advance(calls, stamp);
        let capabilities =
            programs.capabilities()?.into_iter().map(|(key, count)| (key, count.count));
        self.capabilities.advance(capabilities, stamp);
        let signals = programs.signals()?.into_iter().map(|(key, count)| (key, count.count));
        self.signals.advance(signals, stamp);
        let records = programs.seen()?.into_iter().filter(|(hash, _)| arrived(*hash));
        self.records.advance(records, stamp);
        Ok(())
    }

    /// A record has arrived, which the kernel has counted once: it may have forgotten it by the next mark.
    pub(super) fn arrived(&mut self, hash: u64, stamp: &Stamp) {
        let (count, seen) = self.records.0.entry(hash).or_default();
        *count = 1;
        seen.union(stamp);
    }

    /// All that was seen so far belongs to a phase.
    pub(super) fn begin_with(&mut self, phase: Phase) {
        self.calls.begin_with(phase);
        self.capabilities.begin_with(phase);
        self.signals.begin_with(phase);
        self.records.begin_with(phase);
    }

    /// When something was seen: as it was read at the marks, or `otherwise` where there was none.
    pub(super) fn when<'a>(&self, marked: Option<&'a Stamp>, otherwise: &'a Stamp) -> &'a Stamp {
        if self.read { marked.unwrap_or(otherwise) } else { otherwise }
    }

    pub(super) fn of_call(&self, key: &CallKey) -> Option<&Stamp> {
        self.calls.of(key)
    }

    pub(super) fn of_capability(&self, key: &CapabilityKey) -> Option<&Stamp> {
        self.capabilities.of(key)
    }

    pub(super) fn of_signal(&self, key: &SignalKey) -> Option<&Stamp> {
        self.signals.of(key)
    }

    pub(super) fn of_record(&self, hash: u64) -> Option<&Stamp> {
        self.records.of(&hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::course::Course;

    #[test]
    fn what_has_grown_belongs_to_the_unit_that_ends() {
        let mut counters = Counters::default();
        let mut course = Course::default();
        counters.advance([(1, 5), (2, 1)], &course.stamp());
        course.enter("a");
        counters.advance([(1, 6), (2, 1), (3, 1)], &course.stamp());
        course.enter("b");
        counters.begin_with(Phase::Startup);
        // The third was forgotten and counts anew; the fourth is new.
        counters.advance([(1, 7), (2, 1), (3, 0), (4, 2)], &course.stamp());
        let units = |key| counters.of(&key).map(|stamp: &Stamp| stamp.units.to_string());
        assert_eq!([1, 2, 3, 4].map(units), ["0-1", "", "0-1", "1"].map(|u| Some(u.to_owned())));
        assert!(counters.of(&1).is_some_and(|s| s.phases.contains(Phase::Startup)));
        assert!(counters.of(&4).is_some_and(|s| s.phases.is_empty()));
    }
}
