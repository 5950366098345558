//! Lines by their facts, each in one piece: there may be a million of them, and a map's key and value would be two.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use triomphe::Arc;

use super::{Fact, Line, Runs};

/// Lines, no two of the same fact. A copy shares them, until either changes.
#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    lines: HashTable<Arc<Line>>,
    hasher: RandomState,
}

impl Table {
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn get(&self, fact: &Fact) -> Option<&Runs> {
        let found = self.lines.find(self.hasher.hash_one(fact), |line| line.fact == *fact);
        found.map(|line| &line.runs)
    }

    /// Changes what is known of a fact, which is nothing at first. Returns its line as it is then.
    pub(super) fn change(&mut self, fact: Fact, change: impl FnOnce(&mut Runs)) -> &Arc<Line> {
        let hash = |line: &Arc<Line>| self.hasher.hash_one(&line.fact);
        match self.lines.entry(self.hasher.hash_one(&fact), |line| line.fact == fact, hash) {
            Entry::Occupied(line) => {
                let line = line.into_mut();
                change(&mut Arc::make_mut(line).runs);
                line
            }
            Entry::Vacant(place) => {
                let mut runs = Runs::new();
                change(&mut runs);
                place.insert(Arc::new(Line { fact, runs })).into_mut()
            }
        }
    }

    /// Changes what is known of a line's fact. The line is given up first: a line that is nobody else's need not be copied for it.
    pub(super) fn change_line(&mut self, line: Arc<Line>, change: impl FnOnce(&mut Runs)) {
        let hash = self.hasher.hash_one(&line.fact);
        if let Some(known) = self.lines.find_mut(hash, |known| known.fact == line.fact) {
            drop(line);
            change(&mut Arc::make_mut(known).runs);
        }
    }

    /// Puts a line in, or lets `join` bring the one that is there and this one together.
    pub(super) fn add(&mut self, line: Arc<Line>, join: impl FnOnce(&mut Runs, &Runs)) {
        let hash = |line: &Arc<Line>| self.hasher.hash_one(&line.fact);
        match self.lines.entry(hash(&line), |known| known.fact == line.fact, hash) {
            Entry::Vacant(place) => _ = place.insert(line),
            Entry::Occupied(mut known) => {
                join(&mut Arc::make_mut(known.get_mut()).runs, &line.runs);
            }
        }
    }

    /// The lines, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Line>> {
        self.lines.iter()
    }

    /// Changes what is known of each fact, and keeps those of which `change` says so.
    pub(super) fn retain(&mut self, mut change: impl FnMut(&mut Runs) -> bool) {
        self.lines.retain(|line| change(&mut Arc::make_mut(line).runs));
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self.iter().all(|line| other.get(&line.fact) == Some(&line.runs))
    }
}
