//! A recording in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use ecow::EcoString;
use triomphe::Arc;

use super::table::Table;
use super::{Completion, Fact, Header, Phase, Reader, Run, Runs, Seen, What, order};
use super::{Line, ReadError};

/// A recording in memory: what a recorder builds and a learner reads. A copy shares the facts and the evidence, until either changes.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The runs, by identifier.
    pub runs: BTreeMap<String, Run>,
    /// How each run ended.
    pub completions: BTreeMap<String, Completion>,
    facts: Table,
    /// The identifier of the run that was added to last.
    last: EcoString,
}

impl PartialEq for Recording {
    fn eq(&self, other: &Self) -> bool {
        self.runs == other.runs
            && self.completions == other.completions
            && self.facts == other.facts
    }
}

impl Eq for Recording {}

impl Recording {
    /// An empty recording.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a whole file.
    ///
    /// # Errors
    /// As [`Reader`] does: unreadable, truncated, not a recording, of a newer format, or unsorted.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let mut reader = Reader::open(path)?;
        let mut recording = Self { runs: reader.header().runs.clone(), ..Self::default() };
        while let Some(line) = reader.next_line()? {
            // The reader has seen that no fact comes twice.
            recording.facts.add(Arc::new(line), |_known, _again| {});
        }
        recording.completions = reader.end()?.runs;
        Ok(recording)
    }

    /// How many facts are known.
    pub fn len(&self) -> usize {
        self.facts.len()
    }

    /// Nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many different calls and files the facts are about.
    pub fn calls_and_files(&self) -> (usize, usize) {
        // There may be a million files.
        let (mut calls, mut files) = (BTreeSet::new(), Vec::new());
        for (fact, _) in self.iter() {
            match &fact.what {
                What::Call { abi, nr, .. } => _ = calls.insert((abi, nr)),
                What::File { path, .. } => files.push(path),
                _ => {}
            }
        }
        files.sort_unstable();
        files.dedup();
        (calls.len(), files.len())
    }

    /// What keeps it from being complete, in sentences; nothing when it is.
    pub fn incomplete_because(&self) -> BTreeSet<String> {
        let mut why = BTreeSet::new();
        for id in self.runs.keys() {
            match self.completions.get(id) {
                None => _ = why.insert(format!("run {id} has no end")),
                Some(end) if end.complete => {}
                Some(end) => {
                    why.extend(end.reasons.iter().cloned());
                    why.extend(
                        end.lost.iter().map(|(what, count)| format!("{count} lost: {what}")),
                    );
                    if end.reasons.is_empty() && end.lost.is_empty() {
                        why.insert(format!("run {id} says so without a reason"));
                    }
                }
            }
        }
        why
    }

    /// Adds an observation of `run`: counts add up.
    pub fn add(&mut self, run: &str, fact: Fact, seen: &Seen) {
        self.put(run, fact, seen);
    }

    /// The same, and gives back the line as it is then.
    pub(crate) fn put(&mut self, run: &str, fact: Fact, seen: &Seen) -> Arc<Line> {
        let id = self.id(run);
        Arc::clone(self.facts.change(fact, |runs| observe(runs, id, seen)))
    }

    /// Adds an observation of a line's fact.
    pub(crate) fn put_again(&mut self, run: &str, line: Arc<Line>, seen: &Seen) {
        let id = self.id(run);
        self.facts.change_line(line, |runs| observe(runs, id, seen));
    }

    /// All facts share a run's identifier.
    fn id(&mut self, run: &str) -> EcoString {
        if self.last != run {
            self.last = run.into();
        }
        self.last.clone()
    }

    /// Keeps what these runs saw, as that of the runs by their side. Counts of runs that become one add up.
    pub(crate) fn regroup(&mut self, kept: &BTreeMap<&str, &str>) {
        self.facts.retain(|runs| {
            for (id, seen) in std::mem::take(runs) {
                if let Some(run) = kept.get(&*id) {
                    observe(runs, (*run).into(), &seen);
                }
            }
            !runs.is_empty()
        });
    }

    /// All that was seen so far belongs to a phase.
    pub(crate) fn begin_with(&mut self, phase: Phase) {
        self.facts.retain(|runs| {
            runs.iter_mut().for_each(|(_, seen)| _ = seen.phases.insert(phase));
            true
        });
    }

    /// What is known of a fact.
    pub fn get(&self, fact: &Fact) -> Option<&Runs> {
        self.facts.get(fact)
    }

    /// Joins another recording, as [`super::merge()`] joins files.
    pub fn join(&mut self, other: &Self) {
        for (id, run) in &other.runs {
            self.runs
                .entry(id.clone())
                .and_modify(|mine| mine.join(run))
                .or_insert_with(|| run.clone());
        }
        for (id, completion) in &other.completions {
            self.completions
                .entry(id.clone())
                .and_modify(|mine| mine.join(completion))
                .or_insert_with(|| completion.clone());
        }
        for line in other.facts.iter() {
            self.facts.add(Arc::clone(line), |mine, runs| {
                for (id, seen) in runs {
                    mine.entry(id.clone())
                        .and_modify(|s| s.join(seen))
                        .or_insert_with(|| seen.clone());
                }
            });
        }
    }

    /// The values that a label has.
    pub fn labels(&self, key: &str) -> BTreeSet<String> {
        self.runs.values().filter_map(|run| run.labels.get(key).cloned()).collect()
    }

    /// Keeps the runs that have all of these labels, and what they saw.
    pub fn keep_labelled(&mut self, wanted: &[(&str, &str)]) {
        self.runs.retain(|_, run| {
            wanted.iter().all(|(key, value)| run.labels.get(*key).is_some_and(|has| has == value))
        });
        let kept = &self.runs;
        self.completions.retain(|id, _| kept.contains_key(id));
        self.facts.retain(|runs| {
            runs.retain(|id, _| kept.contains_key(id.as_str()));
            !runs.is_empty()
        });
    }

    /// Every run ended without a loss.
    pub fn complete(&self) -> bool {
        self.runs.keys().all(|id| self.completions.get(id).is_some_and(|c| c.complete))
    }

    /// The facts in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Fact, &Runs)> {
        self.facts.iter().map(|line| (&line.fact, &line.runs))
    }

    /// The facts in the order of the file format.
    pub fn sorted(&self) -> Vec<(&Fact, &Runs)> {
        self.lines().into_iter().map(|line| (&line.fact, &line.runs)).collect()
    }

    /// The header that a file of this recording has.
    pub fn header(&self) -> Header {
        Header::new(self.runs.clone())
    }

    /// The lines that a file of this recording has.
    pub fn lines(&self) -> Vec<&Line> {
        let mut lines: Vec<&Line> = self.facts.iter().map(|line| &**line).collect();
        lines.sort_unstable_by(|a, b| order::compare(&a.fact, &b.fact));
        lines
    }
}

fn observe(runs: &mut Runs, run: EcoString, seen: &Seen) {
    match runs.get_mut(&run) {
        Some(known) => known.add(seen),
        None => _ = runs.insert(run, seen.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::{Origin, What};

    fn signal(signal: u32) -> Fact {
        let what = What::Signal { signal, inside: true };
        Fact { domain: "/bin/a".into(), origin: Origin::Entry, what }
    }

    #[test]
    fn a_copy_stays_as_it_is() {
        let mut recording = Recording::new();
        let line = recording.put("1", signal(1), &Seen::ending(Seen::OK, 1));
        let copy = recording.clone();
        recording.put_again("1", line, &Seen::ending("EPERM", 2));
        recording.add("1", signal(1), &Seen::ending(Seen::OK, 4));
        let count = |of: &Recording| of.get(&signal(1)).unwrap().get("1").unwrap().count;
        assert_eq!((count(&copy), count(&recording)), (1, 7));
    }

    #[test]
    fn runs_become_one_and_others_are_left_out() {
        let mut recording = Recording::new();
        for (run, seen) in [("1", 1), ("2", 2), ("3", 4)] {
            recording.add(run, signal(1), &Seen::ending(Seen::OK, seen));
        }
        recording.add("3", signal(2), &Seen::ending(Seen::OK, 1));
        recording.regroup(&[("1", "1"), ("2", "1")].into());
        let runs = recording.get(&signal(1)).unwrap();
        assert_eq!((runs.len(), runs.get("1").unwrap().count), (1, 3));
        assert!(recording.get(&signal(2)).is_none());
    }

    #[test]
    fn runs_are_kept_by_their_labels() {
        let mut recording = Recording::new();
        for (id, name) in [("1", "web"), ("2", "db")] {
            let run = Run {
                command: Vec::new(),
                backend: "ebpf".to_owned(),
                kernel: String::new(),
                machine: String::new(),
                labels: BTreeMap::from([("container".to_owned(), name.to_owned())]),
                fidelity: BTreeMap::new(),
                hooks: Default::default(),
                units: Vec::new(),
            };
            recording.runs.insert(id.to_owned(), run);
            recording.completions.insert(id.to_owned(), Completion::complete());
            recording.add(id, signal(1), &Seen::ending(Seen::OK, 1));
        }
        recording.add("2", signal(2), &Seen::ending(Seen::OK, 1));
        assert_eq!(recording.labels("container"), ["db", "web"].map(str::to_owned).into());
        recording.keep_labelled(&[("container", "web")]);
        assert_eq!((recording.runs.len(), recording.len()), (1, 1));
        assert!(recording.complete() && recording.get(&signal(2)).is_none());
        recording.keep_labelled(&[("container", "db")]);
        assert!(recording.runs.is_empty() && recording.is_empty());
    }
}
