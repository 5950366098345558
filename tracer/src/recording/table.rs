//! Lines by their facts, each in one piece: there may be a million of them, and a map's key and value would be two.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

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

    /// What is known of a fact, to be changed; `None` when nothing is.
    pub(super) fn get_mut(&mut self, fact: &Fact) -> Option<&mut Runs> {
        let found = self.lines.find_mut(self.hasher.hash_one(fact), |line| line.fact == *fact);
        found.map(|line| &mut Arc::make_mut(line).runs)
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
